"""A hub on loopback: files below its public path, with ranges, tags and announced checksums."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sovdeck.engine.contract.atomic_io import file_sha256

HUB_PATH = "/lj1995/GPT-SoVITS/resolve/main/"
_PIECE = 1 << 20

digest = cache(file_sha256)


@contextmanager
def serve_files(folder: Path) -> Iterator[str]:
    """Serve `folder` as the hub does; gives the URL of the folder that is to be the source."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing: the table is what is printed."""

        def do_HEAD(self) -> None:  # noqa: N802  the library's name
            self._answer(body=False)

        def do_GET(self) -> None:  # noqa: N802  the library's name
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = folder / self.path.removeprefix(HUB_PATH)
            if not self.path.startswith(HUB_PATH) or not path.is_file():
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            size, start = path.stat().st_size, 0
            asked = self.headers.get("Range", "")
            if asked.startswith("bytes=") and self.headers.get("If-Range") in (
                None,
                self._tag(path),
            ):
                start = int(asked.removeprefix("bytes=").split("-")[0])
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("Content-Length", str(size - start))
            self.send_header("ETag", self._tag(path))
            self.send_header("X-Linked-Etag", self._tag(path))
            self.end_headers()
            if not body:
                return
            with path.open("rb") as file:
                file.seek(start)
                while piece := file.read(_PIECE):
                    self.wfile.write(piece)

        @staticmethod
        def _tag(path: Path) -> str:
            return f'"{digest(path)}"'

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{HUB_PATH.rstrip('/')}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
