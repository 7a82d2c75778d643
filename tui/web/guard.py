"""Who may drive the dashboard through a browser: pure checks, tested without a server.

Any page open in the browser can reach a loopback port, and whoever drives the dashboard drives
the person's servers. So a request must name a loopback host (a rebound DNS name does not), carry
the token that only the terminal showed, and a WebSocket must come from our own page.
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from typing import Literal

from engine.contract.problem import ExitCode, Problem

COOKIE = "sovdeck_web"

Verdict = Literal["pass", "enter", "wrong_host", "no_token", "wrong_origin"]


@dataclass(frozen=True)
class Door:
    """Address and token of one running page."""

    host: str
    port: int
    token: str

    @property
    def origin(self) -> str:
        return f"http://{bracketed(self.host)}:{self.port}"

    @property
    def address(self) -> str:
        """What the person opens; it holds the token."""
        return f"{self.origin}/?token={self.token}"

    def judge(
        self,
        path: str,
        host: str | None,
        origin: str | None,
        cookie: str | None,
        token: str | None,
    ) -> Verdict:
        """`enter` is a first visit with the token in its address, `pass` any later request."""
        if host != f"{bracketed(self.host)}:{self.port}":
            return "wrong_host"
        if origin is not None and origin != self.origin:
            return "wrong_origin"
        if path == "/" and token is not None and _same(token, self.token):
            return "enter"
        if cookie is None or not _same(cookie, self.token):
            return "no_token"
        if path == "/ws" and origin is None:
            return "wrong_origin"
        return "pass"


def loopback(host: str) -> str:
    """`host` as an address of this computer only; Problem for every other one."""
    name = host.strip("[]")
    try:
        address = ipaddress.ip_address("127.0.0.1" if name == "localhost" else name)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise Problem("tui.web.not_loopback", ExitCode.CONFIG, host=host)
    return str(address)


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())
