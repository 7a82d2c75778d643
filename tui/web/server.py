"""textual-serve behind a guard: loopback only, a token, our own page, nothing from elsewhere."""

from __future__ import annotations

import logging
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware
from textual_serve.server import Server

from sovdeck.engine.contract.catalogue import Language, text
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.web.guard import RequestGuard, bracket_ipv6, loopback_address

_PAGE_FOLDER = Path(__file__).parent / "page"
_SHUTDOWN_TIMEOUT_S = 2.0  # how long a dashboard may take to close when its page does
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "img-src 'self' data:; connect-src 'self' {websocket}; base-uri 'none'; frame-ancestors 'none'"
)


class GuardedServer(Server):
    """Serves `command`, one process a page, to requests that the guard lets pass.

    port: 0 for any that is free. Problem when it is taken.
    """

    def __init__(
        self, command: Sequence[str], host: str, port: int, language: Language = "en"
    ) -> None:
        host = loopback_address(host)
        self._listener = _listen(host, port)
        self.request_guard = RequestGuard(host, self._listener.getsockname()[1])
        self.language: Language = language
        super().__init__(
            _command_line(command),
            host=self.request_guard.host,
            port=self.request_guard.port,
            title="sovdeck",
            public_url=self.request_guard.origin,
            templates_path=_PAGE_FOLDER,
        )

    def run(self, on_listening: Callable[[], None]) -> None:
        """Serve until interrupted; `on_listening` is called once the port answers."""
        with self._listener:
            logging.getLogger("aiohttp.server").addFilter(_is_no_refusal)
            on_listening()
            # Requests are not logged: the first one carries the token.
            web.run_app(
                self._make_app(),
                sock=self._listener,
                access_log=None,
                shutdown_timeout=_SHUTDOWN_TIMEOUT_S,
                print=None,
            )

    async def _make_app(self) -> web.Application:
        page = await super()._make_app()
        page.router.add_static("/page", _PAGE_FOLDER)
        app = web.Application(middlewares=[self._guard_middleware()])
        app.add_subapp(self.request_guard.folder, page)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Print nothing: the command has printed the address in the person's language."""

    def _guard_middleware(self) -> Middleware:
        guard = self.request_guard
        policy = _CONTENT_SECURITY_POLICY.format(websocket=guard.origin.replace("http", "ws", 1))

        @web.middleware
        async def check_access(request: web.Request, handler: Handler) -> web.StreamResponse:
            decision = guard.check_request(
                request.path,
                request.headers.get("Host"),
                request.headers.get("Origin"),
                request.headers.get("Cookie"),
                request.query.get("token"),
            )
            if decision == "enter":
                # On to an address without the token, so that no history or referrer keeps it.
                response: web.StreamResponse = web.Response(
                    status=303, headers={"Location": guard.folder}
                )
                response.set_cookie(
                    guard.cookie, guard.session, path=guard.folder, httponly=True, samesite="Strict"
                )
            elif decision == "pass":
                response = await handler(request)
            else:
                message = text(f"tui.web.{decision}").get(self.language)
                response = web.Response(status=403, text=message)
            if not response.prepared:
                response.headers["Content-Security-Policy"] = policy
                response.headers["Referrer-Policy"] = "no-referrer"
                response.headers["X-Content-Type-Options"] = "nosniff"
                response.headers["Cache-Control"] = "no-store"
            return response

        return check_access


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if sys.platform != "win32":  # there the option would let two programs share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        where, why = f"{bracket_ipv6(host)}:{port}", error.strerror or "?"
        raise Problem("tui.web.port_taken", ExitCode.CONFIG, where=where, why=why) from error
    return listener


def _is_no_refusal(record: logging.LogRecord) -> bool:
    """Whether a log record tells of anything but a request that is no HTTP and was refused so."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


def _command_line(command: Sequence[str]) -> str:
    """One line for the shell that textual-serve starts the dashboard with."""
    return subprocess.list2cmdline(command) if sys.platform == "win32" else shlex.join(command)
