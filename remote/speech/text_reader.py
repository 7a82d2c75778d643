"""How a server's engine reads a text, asked while a person writes it.

`python -m sovdeck.engine phones` answers a line of JSON for each line `language<TAB>text`. It
loads dictionaries but no voice, needs no GPU, and ends with its channel.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.errors import InputClosed
from sovdeck.remote.speech.engine_end import ended_problem
from sovdeck.remote.speech.json_lines import (
    EngineProblem,
    JsonLines,
    int_field,
    object_list_field,
    parse_engine_problem,
    text_field,
)
from sovdeck.remote.ssh.client import SSHConnection

MAX_CHARACTERS = 1_000  # of one text: what a person sees at once
IDLE_S = 600.0
ANSWER_TIMEOUT_S = 60.0  # the first answer waits for every dictionary, on a cold disk
_LINE_END = re.compile("[\\r\\n\\t\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029\\ud800-\\udfff]")


@dataclass(frozen=True)
class TextReading:
    """Pieces as (language, plain writing), and characters without sound as (character, index)."""

    pieces: tuple[tuple[str, str], ...]
    lost: tuple[tuple[str, int], ...]


class TextReader:
    """One resident process that reads texts, one at a time."""

    def __init__(self, connection: SSHConnection, deployed: Deployed, voice: str) -> None:
        """voice: its own words are known to the reader too."""
        self.voice = voice
        self._server = connection.name
        work = str(deployed.layout.work)
        argv = ["phones", "--json", "--voice", voice, "--work", work]
        self._stream = connection.open_stream(deployed.engine_argv(argv))
        self._lines = JsonLines(self._stream, connection.name)

    def read(self, text: str, language: str) -> TextReading:
        """Return how the first MAX_CHARACTERS are read.

        Problem of the engine for a language it does not know; Problem when it is gone or silent.
        """
        line = _LINE_END.sub(" ", text[:MAX_CHARACTERS])
        with suppress(InputClosed):  # it has ended, and its stderr says why
            self._stream.write(f"{language}\t{line}\n".encode())
        try:
            message = self._lines.next(time.monotonic() + ANSWER_TIMEOUT_S)
        except TimeoutError:
            raise Problem(
                "remote.speak.silent",
                ExitCode.UNREACHABLE,
                server=self._server,
                seconds=int(ANSWER_TIMEOUT_S),
            ) from None
        if message is None:
            raise ended_problem(self._stream, self._server)
        error = message.get("error")
        problem = parse_engine_problem(error) if isinstance(error, dict) else None
        if problem is not None:
            raise problem
        return parse_reading(message)

    def close(self) -> None:
        """End the process with its channel; from any thread."""
        self._stream.close()


def parse_reading(message: Mapping[str, Any]) -> TextReading:
    """Return the pieces and lost characters of one answer; what is none of them is left out."""
    pieces = tuple(
        (text_field(row, "language"), text_field(row, "text"))
        for row in object_list_field(message, "pieces", MAX_CHARACTERS)
    )
    lost = []
    for row in object_list_field(message, "lost", MAX_CHARACTERS):
        index, character = int_field(row, "index"), text_field(row, "char")[:1]
        if index is not None and 0 <= index < MAX_CHARACTERS and character:
            lost.append((character, index))
    return TextReading(pieces, tuple(lost))


class TextReaderPool:
    """The reader of one server: started for the first text, ended when idle."""

    def __init__(self, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._reader: TextReader | None = None
        self._timer: threading.Timer | None = None

    def read(
        self,
        voice: str,
        start: Callable[[], TextReader],
        text: str,
        language: str,
        cancel: threading.Event,
    ) -> TextReading | None:
        """Read by the reader of `voice`, opened by `start` where there is none; see TextReader."""
        with self._lock:
            if cancel.is_set():
                return None  # a later text waits already
            self._cancel_timer()
            if self._reader is not None and self._reader.voice != voice:
                self._drop()
            try:
                self._reader = self._reader or start()
                found = self._reader.read(text, language)
            except EngineProblem:
                raise  # the text's fault: the reader goes on
            except Problem:
                self._drop()
                raise
            finally:
                self._timer = threading.Timer(self._idle_s, self.release)
                self._timer.daemon = True
                self._timer.start()
        return found

    def release(self) -> None:
        """End the reader; waits for a text that is being read."""
        with self._lock:
            self._drop()

    def close(self) -> None:
        """End at once, also while a text is being read."""
        self._cancel_timer()
        if self._reader is not None:
            self._reader.close()

    def _drop(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
