"""Reads the JSON lines that the engine prints on a server, and the Problems among them.

Nothing a server writes is trusted: lines, texts and numbers have limits, and no text may hold
control characters.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.foreign_values import parse_json_object
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.speech.engine_end import ended_problem
from sovdeck.remote.ssh.client import ChannelStream, SSHConnection
from sovdeck.remote.ssh.remote_tail import clean_line

MAX_LINE_BYTES = 32 << 20  # a minute of speech is 5 MB as base64
MAX_ANSWER_BYTES = 64 << 20
_STEP = 1 << 18
_KEY = re.compile(r"engine\.[a-z_]{1,40}\.[a-z0-9_]{1,60}\Z")
_CODES = frozenset(int(code) for code in ExitCode)


class EngineProblem(Problem):
    """A Problem that the engine reported, with its own message and hint in both languages."""

    def __init__(self, key: str, exit_code: ExitCode, message: Text, hint: Text) -> None:
        Exception.__init__(self, message.en)
        self.key, self.exit_code, self.facts = key, exit_code, {}
        self.message, self.hint = message, hint

    def __reduce__(self) -> tuple[Any, ...]:
        return (EngineProblem, (self.key, self.exit_code, self.message, self.hint))


def parse_engine_problem(data: Mapping[str, Any]) -> EngineProblem | None:
    """The Problem that a JSON object of the engine reports; None when it reports none."""
    key, message = data.get("code"), data.get("message")
    if not isinstance(key, str) or not _KEY.match(key) or not isinstance(message, dict):
        return None
    code = int_field(data, "exit_code")
    known = code is not None and code in _CODES and code != ExitCode.OK
    exit_code = ExitCode(code or 0) if known else ExitCode.INTERNAL
    return EngineProblem(key, exit_code, _parse_text(message), _parse_text(data.get("hint")))


def _parse_text(both: Any) -> Text:
    given = both if isinstance(both, dict) else {}
    return Text(text_field(given, "en"), text_field(given, "zh"))


def text_field(data: Mapping[str, Any], name: str) -> str:
    """A text field without control characters; "" when it is no text."""
    value = data.get(name)
    return clean_line(value.encode("utf-8", "replace")) if isinstance(value, str) else ""


def number_field(data: Mapping[str, Any], name: str) -> float | None:
    """A finite number field; None when it is none."""
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e15:
        return None
    return float(value) if math.isfinite(value) else None


def int_field(data: Mapping[str, Any], name: str) -> int | None:
    """A whole number field; None when it is none."""
    value = number_field(data, name)
    return int(value) if value is not None and value == int(value) else None


def object_list_field(
    data: Mapping[str, Any], name: str, limit: int = 10_000
) -> list[dict[str, Any]]:
    """The objects among the first `limit` elements of a list field; [] when it is no list."""
    value = data.get(name)
    rows = value[:limit] if isinstance(value, list) else []
    return [row for row in rows if isinstance(row, dict)]


def text_list_field(data: Mapping[str, Any], name: str, limit: int = 1_000) -> tuple[str, ...]:
    """The first `limit` elements of a list field as `text_field` reads them; () for no list."""
    value = data.get(name)
    rows = value[:limit] if isinstance(value, list) else []
    return tuple(text_field({name: row}, name) for row in rows)


class JsonLines:
    """JSON objects from a stream, one a line.

    Lines that are no object are left out: start-up files of a server's shell may print.
    """

    def __init__(self, stream: ChannelStream, server: str, *, max_bytes: int | None = None) -> None:
        """max_bytes: for all lines together, None for no limit; a line has MAX_LINE_BYTES."""
        self._stream = stream
        self._server = server
        self._bytes_left = max_bytes
        self._buffer = bytearray()

    def next(self, deadline: float | None = None) -> dict[str, Any] | None:
        """The next object, None at the end; TimeoutError after `deadline` (monotonic)."""
        while True:
            at = self._buffer.find(b"\n")
            if at >= 0:
                line = bytes(self._buffer[:at])
                del self._buffer[: at + 1]
                found = parse_object(line)
                if found is not None:
                    return found
                continue
            data = self._stream.read(_STEP, deadline=deadline)
            if not data:
                line, self._buffer = bytes(self._buffer), bytearray()
                return parse_object(line)
            if self._bytes_left is not None:
                self._bytes_left -= len(data)
            self._buffer += data
            if len(self._buffer) > MAX_LINE_BYTES or (
                self._bytes_left is not None and self._bytes_left < 0
            ):
                raise Problem("remote.speak.flood", ExitCode.INTERNAL, server=self._server)


def parse_object(line: bytes) -> dict[str, Any] | None:
    """The JSON object of one line; None when it is none."""
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        return parse_json_object(line)
    except ValueError:
        return None


def run_engine_command(
    connection: SSHConnection, deployed: Deployed, args: Sequence[str], *, timeout: float
) -> list[dict[str, Any]]:
    """Run `python -m sovdeck.engine ARGS --json` there; every object it printed.

    timeout: seconds. Raises the Problem that it reports, or one that says how it failed.
    """
    deadline = time.monotonic() + timeout
    with connection.open_stream(deployed.engine_argv([*args, "--json"])) as stream:
        stream.close_write()
        lines = JsonLines(stream, connection.name, max_bytes=MAX_ANSWER_BYTES)
        found = []
        try:
            while (message := lines.next(deadline)) is not None:
                found.append(message)
        except TimeoutError:
            raise Problem(
                "remote.connection.too_long",
                ExitCode.UNREACHABLE,
                server=connection.name,
                command=f"engine {args[0]}",
                seconds=int(timeout),
            ) from None
        check_exit(stream, connection.name, found[-1] if found else {})
    return found


def check_exit(stream: ChannelStream, server: str, last: Mapping[str, Any]) -> None:
    """Raise the Problem of an engine process that has ended, unless its exit code is 0.

    last: the last object it printed, which may report a Problem.
    """
    if stream.exit_code == 0:
        return
    problem = parse_engine_problem(last)
    if problem is not None:
        raise problem
    raise ended_problem(stream, server)
