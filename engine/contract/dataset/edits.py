"""Correct single lines of a `.list` file; every other byte stays as it was.

Byte order mark, line ends and the order of lines are kept. The file is replaced by a rename, so
that a power cut leaves the old list or the new one, and the first state is kept beside it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.contract.problem import ExitCode, Problem

MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Edit:
    """Line `line` (from 1) reads `before` and shall read `after`."""

    line: int
    before: str
    after: str

    @property
    def undone(self) -> Edit:
        return Edit(self.line, self.after, self.before)


def lines_of(raw: bytes) -> dict[int, str]:
    """The lines that are not blank, by number; bytes that are not UTF-8 show as U+FFFD."""
    lines = enumerate(raw.removeprefix(MARK).splitlines(), 1)
    return {number: _shown(line) for number, line in lines if line.strip()}


def with_text(line: str, words: str) -> str:
    """`line` with its last field, the transcript, replaced; Problem for words no list can hold."""
    head, _, _ = line.rpartition("|")
    words = " ".join(words.split())
    if "|" in words or not any(letter.isalnum() for letter in words):
        raise Problem("engine.data.bad_words", ExitCode.DATA, words=words)
    return f"{head}|{words}"


def edited(raw: bytes, edit: Edit) -> bytes:
    """`raw` with one line replaced; Problem when that line is no longer what it was."""
    mark = MARK if raw.startswith(MARK) else b""
    lines = raw.removeprefix(MARK).splitlines(keepends=True)
    line = lines[edit.line - 1] if 0 < edit.line <= len(lines) else b""
    words = line.rstrip(b"\r\n")
    if not words or _shown(words) != edit.before:
        raise Problem("engine.data.line_moved", ExitCode.DATA, line=edit.line)
    lines[edit.line - 1] = edit.after.encode("utf-8") + line[len(words) :]
    return mark + b"".join(lines)


def apply_edit(source: Path, edit: Edit, backup: Path) -> None:
    """Make `edit` in the file `source`; what it held before the first one goes to `backup`."""
    source = source.resolve()  # a link keeps pointing to the list
    try:
        raw = source.read_bytes()
        changed = edited(raw, edit)
        if not backup.exists():
            _write(backup, raw, source)
        _write(source, changed, source)
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem("engine.data.not_saved", ExitCode.DATA, file=str(source), why=why) from error


def _write(path: Path, raw: bytes, like: Path) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(like, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _shown(line: bytes) -> str:
    return line.decode("utf-8", "replace")
