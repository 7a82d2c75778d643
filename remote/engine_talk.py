"""What the engine says on a server, taken in with care: JSON lines, and its own refusals.

Nothing a server writes is believed further than its type: lines, texts and numbers have limits,
and no text may move the cursor.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from engine.contract.catalogue import Text
from engine.contract.problem import ExitCode, Problem
from remote.deployed import Deployed
from remote.link import Link, Stream
from remote.tail import clean_line

MOST_LINE = 32 << 20  # a minute of speech is 5 MB as base64
MOST_ANSWER = 64 << 20
_STEP = 1 << 18
_KEY = re.compile(r"engine\.[a-z_]{1,40}\.[a-z0-9_]{1,60}\Z")
_CODES = frozenset(int(code) for code in ExitCode)


class EngineProblem(Problem):
    """A refusal of the engine, in its own words and both languages."""

    def __init__(self, key: str, exit_code: ExitCode, message: Text, hint: Text) -> None:
        Exception.__init__(self, message.en)
        self.key, self.exit_code, self.facts = key, exit_code, {}
        self.message, self.hint = message, hint

    def __reduce__(self) -> tuple[Any, ...]:
        return (EngineProblem, (self.key, self.exit_code, self.message, self.hint))


def refusal(said: Mapping[str, Any]) -> EngineProblem | None:
    """The Problem that a JSON object of the engine tells of; None when it tells of none."""
    key, message = said.get("code"), said.get("message")
    if not isinstance(key, str) or not _KEY.match(key) or not isinstance(message, dict):
        return None
    code = whole_in(said, "exit_code")
    known = code is not None and code in _CODES and code != ExitCode.OK
    exit_code = ExitCode(code or 0) if known else ExitCode.INTERNAL
    return EngineProblem(key, exit_code, _words(message), _words(said.get("hint")))


def _words(both: Any) -> Text:
    given = both if isinstance(both, dict) else {}
    return Text(text_in(given, "en"), text_in(given, "zh"))


def text_in(said: Mapping[str, Any], name: str) -> str:
    """A text fit for a screen; empty when it is none."""
    value = said.get(name)
    return clean_line(value.encode("utf-8", "replace")) if isinstance(value, str) else ""


def number_in(said: Mapping[str, Any], name: str) -> float | None:
    """A finite number; None when it is none."""
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e15:
        return None
    return float(value) if math.isfinite(value) else None


def whole_in(said: Mapping[str, Any], name: str) -> int | None:
    value = number_in(said, name)
    return int(value) if value is not None and value == int(value) else None


def rows_in(said: Mapping[str, Any], name: str, most: int = 10_000) -> list[dict[str, Any]]:
    """The objects of a list; [] when it is none."""
    value = said.get(name)
    return [one for one in value[:most] if isinstance(one, dict)] if isinstance(value, list) else []


class JsonLines:
    """JSON objects from a stream, one a line. Lines that are none are left out: start-up files
    of a server's shell may print."""

    def __init__(self, stream: Stream, server: str, *, most: int | None = None) -> None:
        """most: bytes in all, None for no end; a line has its own limit."""
        self._stream = stream
        self._server = server
        self._left = most
        self._rest = bytearray()

    def next(self, deadline: float | None = None) -> dict[str, Any] | None:
        """The next object, None at the end; TimeoutError after `deadline` (monotonic)."""
        while True:
            at = self._rest.find(b"\n")
            if at >= 0:
                line = bytes(self._rest[:at])
                del self._rest[: at + 1]
                found = _object(line)
                if found is not None:
                    return found
                continue
            data = self._stream.read(_STEP, deadline=deadline)
            if not data:
                line, self._rest = bytes(self._rest), bytearray()
                return _object(line)
            if self._left is not None:
                self._left -= len(data)
            self._rest += data
            if len(self._rest) > MOST_LINE or (self._left is not None and self._left < 0):
                raise Problem("remote.speak.flood", ExitCode.INTERNAL, server=self._server)


def _object(line: bytes) -> dict[str, Any] | None:
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def engine_answers(
    link: Link, deployed: Deployed, args: Sequence[str], *, timeout: float
) -> list[dict[str, Any]]:
    """Run `python -m engine ARGS --json` there; every object it printed.

    Its own refusal is raised in its own words; Problem when it ended without a proper answer.
    """
    deadline = time.monotonic() + timeout
    with link.open_stream(deployed.engine([*args, "--json"])) as stream:
        stream.close_write()
        lines = JsonLines(stream, link.name, most=MOST_ANSWER)
        found = []
        try:
            while (said := lines.next(deadline)) is not None:
                found.append(said)
        except TimeoutError:
            raise Problem(
                "remote.link.too_long", ExitCode.UNREACHABLE,
                server=link.name, command=f"engine {args[0]}", seconds=int(timeout),
            ) from None  # fmt: skip
        check_end(stream, link.name, found[-1] if found else {})
    return found


def check_end(stream: Stream, server: str, last: Mapping[str, Any]) -> None:
    """Raise what an ended engine process ended with, unless it ended well."""
    if stream.exit_code == 0:
        return
    refused = refusal(last)
    if refused is not None:
        raise refused
    raise ended(stream, server)


def ended(stream: Stream, server: str) -> Problem:
    """The Problem of an engine process that is gone, with its own last words."""
    lines = [clean_line(line) for line in stream.errors.split(b"\n") if line.strip()]
    why = lines[-1][:300] if lines else f"code {stream.exit_code}"
    return Problem("remote.speak.ended", ExitCode.INTERNAL, server=server, why=why)
