"""textual-serve behind a guard: loopback only, a token, our own page, nothing from elsewhere."""

from __future__ import annotations

import secrets
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from textual_serve.server import Server

from engine.contract.catalogue import Language, text
from engine.contract.problem import ExitCode, Problem
from tui.web.guard import COOKIE, Door, bracketed, loopback

_PAGE = Path(__file__).parent / "page"
_CLOSE_S = 2.0  # how long a dashboard may take to end its links when the page closes
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "img-src 'self' data:; connect-src 'self' {websocket}; base-uri 'none'; frame-ancestors 'none'"
)


class GuardedServer(Server):
    """Serves `command`, one process a page, to whoever knows the token."""

    def __init__(
        self, command: Sequence[str], host: str, port: int, language: Language = "en"
    ) -> None:
        self.door = Door(loopback(host), port, secrets.token_urlsafe(24))
        self.language: Language = language
        super().__init__(
            _line(command), host=self.door.host, port=port, title="sovdeck",
            public_url=self.door.origin, templates_path=_PAGE,
        )  # fmt: skip

    def run(self, opened: Callable[[], None]) -> None:
        """Serve until interrupted; `opened` is called once the port answers.

        Problem when the port is taken.
        """
        family = socket.AF_INET6 if ":" in self.door.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            if sys.platform != "win32":  # there the option would let two programs share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self.door.host, self.door.port))
            except OSError as error:
                where = f"{bracketed(self.door.host)}:{self.door.port}"
                raise Problem(
                    "tui.web.port_taken", ExitCode.CONFIG, where=where, why=error.strerror or "?"
                ) from error
            listener.listen()
            opened()
            # Requests are not logged: the first one carries the token.
            web.run_app(
                self._make_app(), sock=listener, access_log=None, shutdown_timeout=_CLOSE_S,
                print=None,
            )  # fmt: skip

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.router.add_static("/page", _PAGE)
        app.middlewares.append(self._guard())
        return app

    async def on_startup(self, app: web.Application) -> None:
        """The terminal has been told already, in the person's language."""

    def _guard(self) -> Middleware:
        policy = _POLICY.format(websocket=self.door.origin.replace("http", "ws", 1))

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            verdict = self.door.judge(
                request.path, request.headers.get("Host"), request.headers.get("Origin"),
                request.cookies.get(COOKIE), request.query.get("token"),
            )  # fmt: skip
            if verdict == "enter":
                # On to an address without the token, so that no history or referrer keeps it.
                response: web.StreamResponse = web.Response(status=303, headers={"Location": "/"})
                response.set_cookie(COOKIE, self.door.token, httponly=True, samesite="Lax")
            elif verdict == "pass":
                response = await handler(request)
            else:
                words = text(f"tui.web.{verdict}").get(self.language)
                response = web.Response(status=403, text=words)
            if not response.prepared:
                response.headers["Content-Security-Policy"] = policy
                response.headers["Referrer-Policy"] = "no-referrer"
                response.headers["X-Content-Type-Options"] = "nosniff"
                response.headers["Cache-Control"] = "no-store"
            return response

        return guard


def _line(command: Sequence[str]) -> str:
    """One line for the shell that textual-serve starts the dashboard with."""
    return subprocess.list2cmdline(command) if sys.platform == "win32" else shlex.join(command)
