"""What a verb prints: sentences for a person, or one JSON object a line for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from engine.contract import catalogue
from engine.contract.catalogue import Language
from engine.contract.problem import Problem


class Console:
    """Standard output and error of one command. With `json_output` every line is JSON."""

    def __init__(self, *, json_output: bool, language: Language) -> None:
        self.json_output = json_output
        self.language = language
        self._live = False

    def say(self, key: str, **facts: Any) -> None:
        """One catalogue sentence for a person; as JSON `{"say": key, ...facts}`."""
        if self.json_output:
            self.emit({"say": key.rsplit(".", 1)[-1], **facts})
        else:
            self._line(catalogue.text(key, **facts).get(self.language))

    def emit(self, record: Mapping[str, Any]) -> None:
        """One JSON line; nothing when a person reads."""
        if self.json_output:
            print(json.dumps(record, ensure_ascii=False, default=str), flush=True)

    def write(self, line: str) -> None:
        """A line for a person; nothing in JSON mode."""
        if not self.json_output:
            self._line(line)

    def live(self, line: str) -> None:
        """A line that the next one replaces; only drawn on a terminal."""
        if not self.json_output and sys.stdout.isatty():
            print(f"\r\x1b[2K{line}", end="", flush=True)
            self._live = True

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Columns aligned by their width on screen (Chinese counts two cells)."""
        if self.json_output or not rows:
            return
        widths = [max(cells(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            padded = (cell + " " * (w - cells(cell)) for cell, w in zip(row, widths, strict=True))
            self._line("  ".join(padded).rstrip())

    def ring(self) -> None:
        """The terminal's bell, where there is a terminal."""
        if sys.stderr.isatty():
            print("\a", end="", file=sys.stderr, flush=True)

    def error(self, line: str) -> None:
        self._end_live()
        print(f"sovdeck: {line}", file=sys.stderr, flush=True)

    def problem(self, problem: Problem, **facts: Any) -> None:
        """On standard error; `facts` go into the JSON line only."""
        code = int(problem.exit_code)
        self.emit({"status": "error", "exit_code": code, **problem.as_json(), **facts})
        self.error(problem.sentence(self.language))

    def _line(self, line: str) -> None:
        self._end_live()
        print(line, flush=True)

    def _end_live(self) -> None:
        if self._live:
            print("\r\x1b[2K", end="", flush=True)
            self._live = False


def cells(line: str) -> int:
    """Columns a line takes on a terminal."""
    import unicodedata

    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in line)
    return len(line) + wide


def size(count: float) -> str:
    """Bytes as a person reads them: `84.9 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000 or unit == "GB":
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")


def duration(seconds: float | None) -> str:
    """Seconds as a person reads them: `1:02:03`, `2:05`, `7 s`; unknown is a dash."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{whole % 60:02d}"
    return f"{minutes}:{whole % 60:02d}" if minutes else f"{whole} s"
