"""Who may drive the dashboard through a browser: pure checks, tested without a server.

Any page open in the browser can reach a loopback port, and whoever drives the dashboard drives
the person's servers. So a request must name a loopback host (a rebound DNS name does not), carry
the token that only the terminal showed, and a WebSocket must come from our own page.

Browsers send a cookie to every port of a host, also to what `sovdeck forward` brings there from a
server. So the cookie is bound to a folder that nobody else can guess: no request outside it, on
whichever port, carries the cookie. It holds a secret of its own, and has the port in its name, so
that two pages do not log each other out. Whatever listens on another port of this host may set a
cookie of that name, which is then sent beside ours: of several one has to be right, so that it
neither enters nor locks the person out.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from dataclasses import dataclass, field
from typing import Literal

from sovdeck.engine.contract.problem import ExitCode, Problem

AccessDecision = Literal["pass", "enter", "wrong_host", "no_token", "wrong_origin"]


@dataclass(frozen=True)
class RequestGuard:
    """Address and secrets of one running page, drawn anew for each process.

    token: what the address holds that the terminal shows. session: value of the cookie. folder:
    path below which everything lies, "/" on both sides.
    """

    host: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    session: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    folder: str = field(default_factory=lambda: f"/{secrets.token_urlsafe(12)}/")

    @property
    def cookie(self) -> str:
        """Name of the cookie."""
        return f"sovdeck_web_{self.port}"

    @property
    def origin(self) -> str:
        """The page's own origin, as a browser sends it."""
        return f"http://{bracket_ipv6(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        """The URL that the person opens; it holds the token."""
        return f"{self.origin}/?token={self.token}"

    def check_request(
        self,
        path: str,
        host: str | None,
        origin: str | None,
        cookies: str | None,
        token: str | None,
    ) -> AccessDecision:
        """Decide about one request.

        `enter` is a first visit with the token in its address, `pass` any later request. cookies:
        the whole header of that name.
        """
        if host != f"{bracket_ipv6(self.host)}:{self.port}":
            return "wrong_host"
        if origin is not None and origin != self.origin:
            return "wrong_origin"
        if path == "/" and token is not None and _equal_in_constant_time(token, self.token):
            return "enter"
        if not path.startswith(self.folder) or not self._holds_session(cookies or ""):
            return "no_token"
        if path == f"{self.folder}ws" and origin is None:
            return "wrong_origin"
        return "pass"

    def _holds_session(self, cookies: str) -> bool:
        pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
        return any(
            _equal_in_constant_time(value, self.session)
            for name, _, value in pairs
            if name == self.cookie
        )


def loopback_address(host: str) -> str:
    """`host` as an address of this computer only; Problem for every other one."""
    name = host.strip("[]")
    try:
        address = ipaddress.ip_address("127.0.0.1" if name == "localhost" else name)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise Problem("tui.web.not_loopback", ExitCode.CONFIG, host=host)
    return str(address)


def bracket_ipv6(host: str) -> str:
    """`host` as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _equal_in_constant_time(given: str, expected: str) -> bool:
    # Headers are bytes: what is no UTF-8 arrives as lone surrogates.
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())
