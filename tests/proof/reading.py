"""What readers of foreign text are given, and where they print: the same for all of them."""

from __future__ import annotations

import atexit
import contextlib
import io
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.layout import Layout
from sovdeck.tui.cli.console import Console

LAYOUT = Layout.at("/w")
CONSOLE = Console(json_output=False, language="zh")

CONSOLES = (CONSOLE, Console(json_output=True, language="en"))

# Nothing else lies beside it: what leaves it is seen.
SCRATCH = Path(tempfile.mkdtemp(prefix="sovdeck-proof-")) / "scratch"

atexit.register(shutil.rmtree, SCRATCH.parent, ignore_errors=True)


@dataclass(frozen=True)
class Parser:
    """One reader: good samples of what it reads, and the call.

    What it returns of a good sample is not empty: what comes near one is read far then.
    """

    name: str
    samples: tuple[bytes, ...]
    read: Callable[[bytes], object]


class Answer:
    """A connection whose every command answers with the same bytes."""

    name = "box"

    def __init__(self, out: bytes) -> None:
        self.code, self.out, self.err, self.preamble = 0, out, out[-200:], out[:50]

    def run(self, *args: Any, **options: Any) -> Any:
        return self

    script = run


class Stream:
    """A channel from which the same bytes come, then its end."""

    exit_code = 1
    stderr = b""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, n: int = -1, *, deadline: float | None = None) -> bytes:
        return self._data.read(min(n, 70) if n > 0 else n)

    def write(self, data: bytes) -> None:
        """Whatever is asked, the answer is written already."""

    def close(self) -> None:
        """Nothing is open."""


def show(print_on: Callable[[Console], object]) -> None:
    """Print as a command does, as words and as JSON, to where nothing but UTF-8 can go."""
    for console in CONSOLES:
        whole = io.TextIOWrapper(io.BytesIO(), "utf-8")
        with contextlib.redirect_stdout(whole), contextlib.redirect_stderr(whole):
            print_on(console)
            whole.flush()


def scratch_file(name: str, data: bytes) -> Path:
    SCRATCH.mkdir(exist_ok=True)
    path = SCRATCH / name
    path.write_bytes(data)
    return path
