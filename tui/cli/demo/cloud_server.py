"""A provider's HTTP interface over a simulated cloud, on this computer.

Each request may meet a fault, drawn from a seed: "429", "500" (nothing was done), "lost" (done, but
the answer is a 500), "cut" (done, and the connection ends), "garbage" (done, and no JSON). Bills
are kept by the cloud itself, so that they can be compared with what a person was told.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sovdeck.tui.cli.demo.provider_answers import ANSWERS
from sovdeck.tui.cli.demo.simulated_cloud import CloudRefusal, SimulatedCloud


@contextmanager
def serve_cloud(provider: str, cloud: SimulatedCloud) -> Iterator[str]:
    """Answer as `provider` on this computer; yields the base address."""
    answer = ANSWERS[provider]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            raw = self.rfile.read(length)
            parts = urlsplit(self.path)
            with cloud.lock:
                status, body = self._decide(parts.path, parse_qs(parts.query), raw)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "3")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _decide(self, path: str, query: Any, raw: bytes) -> tuple[int, bytes]:
            given = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if given != cloud.key:
                return 401, b'{"detail": "bad key"}'
            fault = cloud.draw_fault()
            if fault in ("429", "500"):
                return int(fault), b"{}"
            try:
                made = answer(cloud, self.command, path, query, json.loads(raw or b"null"))
            except CloudRefusal as no:
                return no.status, json.dumps(no.body).encode()
            if fault == "cut":
                return 0, b""
            if fault == "garbage":
                return 200, b"<html>maintenance</html>"
            return (500 if fault == "lost" else 200), json.dumps(made).encode()

        do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
