"""What a command prints: sentences for a person, or one JSON object a line for a program."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from sovdeck.engine.contract import catalogue
from sovdeck.engine.contract.catalogue import Language
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.printable import strip_controls

PROGRESS_LINE_S = 10.0


class Console:
    """Standard output and error of one command. With `json_output` every line is JSON.

    Whatever a line holds, a terminal is sent no character of it that it would obey. Safe from any
    thread: a line is written whole.
    """

    def __init__(self, *, json_output: bool, language: Language) -> None:
        self.json_output = json_output
        self.language = language
        self._has_status = False
        self._progress_at = time.monotonic()
        self._lock = threading.RLock()

    def print_message(self, key: str, **facts: Any) -> None:
        """Print one catalogue sentence; in JSON mode `{"say": last part of key, ...facts}`."""
        if self.json_output:
            self.print_json({"say": key.rsplit(".", 1)[-1], **facts})
        else:
            self._print(catalogue.text(key, **facts).get(self.language))

    def print_json(self, record: Mapping[str, Any]) -> None:
        """Print one JSON line, ASCII only; nothing outside JSON mode."""
        if self.json_output:
            self._write(json.dumps(record, default=str) + "\n")

    def print_line(self, line: str) -> None:
        """Print a line of text; nothing in JSON mode."""
        if not self.json_output:
            self._print(line)

    def show_status(self, line: str) -> None:
        """Show a line that the next output replaces; only on a terminal."""
        if not self.json_output and sys.stdout.isatty() and can_move_cursor():
            with self._lock:
                self._write(f"\r\x1b[2K{_one_line(line)}")
                self._has_status = True

    def show_progress(self, line: str) -> None:
        """Show how far something is: in place on a terminal, elsewhere a line every ten seconds."""
        if sys.stdout.isatty() and can_move_cursor():
            self.show_status(line)
        elif time.monotonic() - self._progress_at >= PROGRESS_LINE_S:
            self._progress_at = time.monotonic()
            self.print_line(line)

    def print_table(self, rows: Sequence[Sequence[str]]) -> None:
        """Print rows in columns aligned by display width (a Chinese character takes two cells)."""
        if self.json_output or not rows:
            return
        shown = [[_one_line(cell) for cell in row] for row in rows]
        widths = [max(display_width(row[i]) for row in shown) for i in range(len(shown[0]))]
        for row in shown:
            padded = (
                cell + " " * (w - display_width(cell)) for cell, w in zip(row, widths, strict=True)
            )
            self._print("  ".join(padded).rstrip())

    def ring_bell(self) -> None:
        """Ring the terminal's bell, where there is a terminal."""
        if sys.stderr.isatty():
            print("\a", end="", file=sys.stderr, flush=True)

    def print_error(self, line: str) -> None:
        """Print one line on standard error, after `sovdeck:`."""
        with self._lock:
            self._clear_status()
            self._write(f"sovdeck: {strip_controls(line)}\n", sys.stderr)

    def print_problem(self, problem: Problem, **extra: Any) -> None:
        """Print a problem on standard error, in JSON mode also as a record with `extra`."""
        code = int(problem.exit_code)
        self.print_json({"status": "error", "exit_code": code, **problem.as_json(), **extra})
        self.print_error(problem.sentence(self.language))

    def ask(self, question: str, read: Callable[[str], str] | None = None) -> str:
        """Ask on the terminal and return what was typed. read: `getpass` for a secret."""
        self._clear_status()
        return (read or input)(strip_controls(question))

    def _print(self, line: str) -> None:
        with self._lock:
            self._clear_status()
            self._write(strip_controls(line) + "\n")

    def _clear_status(self) -> None:
        with self._lock:
            if self._has_status:
                self._write("\r\x1b[2K")
                self._has_status = False

    def _write(self, text: str, stream: TextIO | None = None) -> None:
        """Write in one call: `print` writes a line and its end apart, and threads mix them."""
        stream = stream or sys.stdout
        with self._lock:
            stream.write(text)
            stream.flush()


def _one_line(text: str) -> str:
    return " ".join(strip_controls(text).split("\n"))


def can_move_cursor() -> bool:
    """Whether the terminal says that it understands more than lines of text."""
    return os.environ.get("TERM") != "dumb"


def display_width(line: str) -> int:
    """Columns that a line takes on a terminal."""
    import unicodedata

    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in line)
    return len(line) + wide
