"""Who may ask: programs of this computer, not a stranger and not any web page.

A page in the user's browser can send requests to the loopback address. Browsers say so: by
another Host name (DNS rebinding), by an Origin, or by Sec-Fetch-Site. Programs send none of it.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.speaking.http.errors import Refusal

_LOOPBACK_NAMES = frozenset(("127.0.0.1", "localhost", "::1"))
_FOREIGN_SITES = frozenset(("cross-site", "same-site"))
_METHODS = "GET, POST, OPTIONS"
_EXPOSED = "X-Seed, X-Sample-Rate, X-Speed, X-Speed-Asked, X-Unread, X-Unread-Count"
_PREFLIGHT_S = "600"


@dataclass(frozen=True)
class AccessPolicy:
    """What is allowed besides the loopback names and pages of the same address.

    `hosts` are names that requests may be sent to, `origins` pages such as `http://127.0.0.1:8000`.
    With `any_address` a bare IP address is a Host as well: no page can choose that. `token` must
    come with every request where it is set.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    any_address: bool = False
    token: str = field(default="", repr=False)

    @classmethod
    def of(
        cls,
        hosts: Iterable[str] = (),
        origins: Iterable[str] = (),
        *,
        any_address: bool = False,
        token: str = "",
    ) -> AccessPolicy:
        """Build one from what a person wrote; Problem for what is no host name or no origin."""
        return cls(
            frozenset(map(_clean_host, hosts)),
            frozenset(map(_clean_origin, origins)),
            any_address,
            token,
        )

    def allows_host(self, host: str) -> bool:
        """Whether the Host header names this computer or what was allowed."""
        name = _host_name(host)
        return (
            name in _LOOPBACK_NAMES
            or name in self.hosts
            or (self.any_address and _is_address(name))
        )

    def allows_origin(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` may ask: an allowed one, or one that came from here."""
        return origin.lower() in self.origins or (
            origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())
        )


class AccessControl:
    """ASGI middleware that refuses before anything else sees a request."""

    def __init__(self, app: ASGIApp, policy: AccessPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, answer a preflight, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin, host = headers.get("origin"), headers.get("host", "")
        refusal = self._find_refusal(headers, host, origin)
        allowed = refusal is None and origin is not None

        async def send_with_cors(message: Message) -> None:
            if message["type"] == "http.response.start" and allowed:
                assert origin is not None
                answer = MutableHeaders(scope=message)
                answer["Access-Control-Allow-Origin"] = origin
                answer["Access-Control-Expose-Headers"] = _EXPOSED
                answer.add_vary_header("Origin")
            await send(message)

        if refusal is not None:
            await refusal.response()(scope, receive, send)
        elif allowed and scope["method"] == "OPTIONS":
            await _preflight(headers)(scope, receive, send_with_cors)
        elif (missing := self._find_missing_token(headers)) is not None:
            await missing.response()(scope, receive, send_with_cors)
        else:
            await self._app(scope, receive, send_with_cors)

    def _find_refusal(self, headers: Headers, host: str, origin: str | None) -> Refusal | None:
        if not self._policy.allows_host(host):
            return _forbidden("foreign_host", name=_host_name(host)[:80])
        if origin is not None:
            if not self._policy.allows_origin(origin, host):
                return _forbidden("foreign_origin", origin=origin[:120])
        elif headers.get("sec-fetch-site", "").lower() in _FOREIGN_SITES:
            return _forbidden("foreign_page")
        return None

    def _find_missing_token(self, headers: Headers) -> Refusal | None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        wanted = self._policy.token
        if not wanted or (
            scheme.lower() == "bearer"
            and hmac.compare_digest(given.strip().encode(), wanted.encode())
        ):
            return None
        problem = Problem("engine.http.token", ExitCode.REFUSED)
        return Refusal(problem, 401, headers={"WWW-Authenticate": "Bearer"})


def _preflight(headers: Headers) -> Response:
    answer = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": headers.get("access-control-request-headers", "*"),
        "Access-Control-Max-Age": _PREFLIGHT_S,
    }
    if headers.get("access-control-request-private-network") == "true":
        answer["Access-Control-Allow-Private-Network"] = "true"
    return Response(status_code=204, headers=answer)


def _forbidden(entry: str, **facts: str) -> Refusal:
    return Refusal(Problem(f"engine.http.{entry}", ExitCode.REFUSED, **facts), 403)


def _host_name(host: str) -> str:
    """The name of a Host header, without port and brackets, in small letters."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _clean_host(given: str) -> str:
    name = _host_name(given.strip())
    if not name or set(given.strip()) & set("/*@ "):
        raise Problem("engine.http.bad_host", ExitCode.CONFIG, given=given)
    return name


def _clean_origin(given: str) -> str:
    bad = Problem("engine.http.bad_origin", ExitCode.CONFIG, given=given)
    try:
        parts = urlsplit(given.strip().rstrip("/").lower())
    except ValueError:
        raise bad from None
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
        raise bad
    return f"{parts.scheme}://{parts.netloc}"
