"""Package indexes on this machine: pages a package, one folder of files, silent and broken ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote


@dataclass
class LoopbackIndex:
    """`files`: path -> content; a path that ends in "/" is a page. `asked`: paths, in order."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    silent: threading.Event = field(default_factory=threading.Event)

    def add_page(self, path: str, links: Mapping[str, str]) -> None:
        """A page of links: text -> address."""
        rows = "".join(
            f'<a href="{quote(to, safe=":/#=")}">{name}</a>' for name, to in links.items()
        )
        self.files[path] = f"<!DOCTYPE html><html><body>{rows}</body></html>".encode()

    def add_index(self, prefix: str, wheels: Mapping[str, bytes]) -> None:
        """An index of PEP 503 below `prefix`, as PyTorch's and NJU's are."""
        pages: dict[str, dict[str, str]] = {}
        for name, data in wheels.items():
            self.files[f"{prefix}/files/{name}"] = data
            # Addresses from the root, with a hash behind them, as PyTorch writes them.
            to = f"{prefix}/files/{name}#sha256=0"
            pages.setdefault(name.split("-")[0], {})[name] = to.partition("#")[0]
        for package, links in pages.items():
            self.add_page(f"{prefix}/{package}/", links)

    def add_folder(self, prefix: str, wheels: Mapping[str, bytes]) -> None:
        """One page of files, as Aliyun has it: relative addresses."""
        for name, data in wheels.items():
            self.files[f"{prefix}/{name}"] = data
        self.add_page(f"{prefix}/", {name: name for name in wheels})


@contextmanager
def loopback_index() -> Iterator[LoopbackIndex]:
    """Serve until the end; paths below /silent/ are never answered."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path)
            index.asked.append(path)
            if path.startswith("/silent/"):
                index.silent.wait(60)
                return
            data = index.files.get(path)
            if data is None:
                self.send_error(404)
                return
            start, end = 0, len(data) - 1
            ranged = self.headers.get("Range", "")
            if ranged.startswith("bytes=") and not path.endswith("/"):
                end = min(int(ranged.rpartition("-")[2]), end)
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
            else:
                self.send_response(200)
            kind = "text/html" if path.endswith("/") else "application/octet-stream"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(end - start + 1))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data[start : end + 1])

        do_HEAD = do_GET  # noqa: N815 - uv asks for sizes first

        def log_message(self, *_: object) -> None:
            """Nothing is printed between test results."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        index = LoopbackIndex(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield index
        finally:
            index.silent.set()
            server.shutdown()
            thread.join(10)
