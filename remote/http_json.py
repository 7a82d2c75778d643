"""Asking a provider's HTTP interface: bounded in bytes, time and tries, its key shown nowhere."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.problem import ExitCode, Problem

_TIMEOUT_S = 30.0
_MAX_BYTES = 8 << 20
_TRIES = 4
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0  # a provider that asks for more is told of instead
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_DETAIL_CHARS = 200


class AnswerLost(Problem):
    """The request may or may not have been carried out: it timed out, broke off or gave a 5xx."""

    def __init__(self, provider: str, why: str) -> None:
        super().__init__(
            "remote.rent.answer_lost", ExitCode.UNREACHABLE, provider=provider, why=why
        )
        self.why = why

    def __reduce__(self) -> tuple[Any, ...]:
        return (AnswerLost, (self.facts["provider"], self.facts["why"]))


class RequestRefused(Problem):
    """The provider answered, and did nothing. status: the HTTP status."""

    def __init__(self, provider: str, status: int, detail: str) -> None:
        key = {401: "bad_key", 403: "bad_key", 429: "too_many"}.get(status, "refused")
        super().__init__(
            f"remote.rent.{key}",
            ExitCode.REFUSED,
            provider=provider,
            status=status,
            detail=detail or "-",
        )
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        facts = self.facts
        return (RequestRefused, (facts["provider"], facts["status"], facts["detail"]))


class RefuseRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would send a key or a record to an address that nobody chose."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        """Answer no request, so that the redirect itself is an error."""


class JsonApi:
    """One provider's interface.

    base: https, or http on this computer (a simulator). headers: called for each request, since
    they hold the key; they appear in no message. sleep: waits between tries.
    """

    def __init__(
        self,
        provider: str,
        base: str,
        headers: Callable[[], Mapping[str, str]],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            parts = urllib.parse.urlsplit(base)
            known = parts.scheme == "https" or parts.hostname in _LOOPBACK
        except ValueError:
            known = False
        if not known:
            raise Problem("remote.rent.bad_address", ExitCode.CONFIG, provider=provider)
        self.provider = provider
        self._base, self._headers, self._sleep = base.rstrip("/"), headers, sleep
        self._opener = urllib.request.build_opener(RefuseRedirects)

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        repeatable: bool = True,
    ) -> Any:
        """Return the parsed answer ({} for an empty one); AnswerLost or RequestRefused.

        repeatable: asking twice does no harm; then lost answers are asked again. What was refused
        for its haste (429) is asked again in any case.
        """
        for number in range(1, _TRIES + 1):
            pause = _FIRST_PAUSE_S * 2 ** (number - 1)
            try:
                return self._ask_once(method, path, body, query)
            except AnswerLost:
                if not repeatable or number == _TRIES:
                    raise
            except _TooMany as hurry:
                pause = max(pause, hurry.wait)
                if number == _TRIES or pause > _LONGEST_PAUSE_S:
                    raise RequestRefused(self.provider, 429, f"{hurry.wait:.0f} s") from None
            self._sleep(pause)
        raise AssertionError("unreachable")

    def _ask_once(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, str] | None,
    ) -> Any:
        address = self._base + path + ("?" + urllib.parse.urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "User-Agent": "sovdeck", **self._headers()}
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310 - checked
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                content = answer.read(_MAX_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                content = _read_detail(error)
            self._raise_for(error, content)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            why = type(reason).__name__ if isinstance(reason, BaseException) else "?"
            # Neither text nor cause is passed on: both may hold the key.
            raise AnswerLost(self.provider, why) from None
        if len(content) > _MAX_BYTES:
            raise strange_answer(self.provider, f"> {_MAX_BYTES >> 20} MiB")
        if not content.strip():
            return {}
        try:
            return parse_json(content)
        except ValueError:
            raise AnswerLost(self.provider, "no JSON") from None  # a proxy's page, most likely

    def _raise_for(self, error: urllib.error.HTTPError, content: bytes) -> None:
        if error.code == 429:
            raise _TooMany(_retry_after(error))
        if error.code >= 500:
            raise AnswerLost(self.provider, f"HTTP {error.code}")
        raise RequestRefused(self.provider, error.code, _find_detail(content))


def strange_answer(provider: str, why: str) -> Problem:
    """Return the problem of an answer that is not what the provider's documents say."""
    return Problem("remote.rent.strange", ExitCode.UNREACHABLE, provider=provider, why=why)


class _TooMany(Exception):
    """HTTP 429; wait: the seconds the provider asks for, 0 where it does not say."""

    def __init__(self, wait: float) -> None:
        self.wait = wait
        super().__init__()


def _retry_after(error: urllib.error.HTTPError) -> float:
    try:
        return max(0.0, float(error.headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0


def _read_detail(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read(_MAX_BYTES)
    except (OSError, http.client.HTTPException):
        return b""


def _find_detail(content: bytes) -> str:
    """What a refusal says for itself, under one of the names the providers use."""
    try:
        answer = parse_json(content)
    except ValueError:
        return ""
    if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
        answer = answer["error"]
    for name in ("detail", "message", "msg", "error"):
        if isinstance(answer, dict) and isinstance(answer.get(name), str):
            return " ".join(str(answer[name]).split())[:_DETAIL_CHARS]
    return ""
