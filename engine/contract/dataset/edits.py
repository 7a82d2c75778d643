"""Correct single lines of a `.list` file; every other byte stays as it was.

Byte order mark, line ends and the order of lines are kept. The file is replaced by a rename, so
that a power cut leaves the old list or the new one, and the first state is kept beside it.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.problem import ExitCode, Problem

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class LineEdit:
    """Line `line` (from 1) reads `before` and shall read `after`."""

    line: int
    before: str
    after: str

    @property
    def inverse(self) -> LineEdit:
        """The edit that undoes this one."""
        return LineEdit(self.line, self.after, self.before)


def numbered_lines(raw: bytes) -> dict[int, str]:
    """The lines that are not blank, by number; bytes that are not UTF-8 show as U+FFFD."""
    lines = enumerate(raw.removeprefix(BYTE_ORDER_MARK).splitlines(), 1)
    return {number: _decode_line(line) for number, line in lines if line.strip()}


def replace_transcript(line: str, transcript: str) -> str:
    """`line` with its last field, the transcript, replaced; Problem for text no list can hold."""
    head, _, _ = line.rpartition("|")
    transcript = " ".join(transcript.split())
    if "|" in transcript or not any(letter.isalnum() for letter in transcript):
        raise Problem("engine.data.bad_words", ExitCode.DATA, words=transcript)
    return f"{head}|{transcript}"


def replace_line(raw: bytes, edit: LineEdit) -> bytes:
    """`raw` with one line replaced; Problem when that line is no longer what it was."""
    byte_order_mark = BYTE_ORDER_MARK if raw.startswith(BYTE_ORDER_MARK) else b""
    lines = raw.removeprefix(BYTE_ORDER_MARK).splitlines(keepends=True)
    line = lines[edit.line - 1] if 0 < edit.line <= len(lines) else b""
    content = line.rstrip(b"\r\n")
    if not content or _decode_line(content) != edit.before:
        raise Problem("engine.data.line_moved", ExitCode.DATA, line=edit.line)
    lines[edit.line - 1] = edit.after.encode("utf-8") + line[len(content) :]
    return byte_order_mark + b"".join(lines)


def apply_edit(source: Path, edit: LineEdit, backup: Path) -> None:
    """Make `edit` in the file `source`; before the first one the file is copied to `backup`."""
    source = source.resolve()  # a link keeps pointing to the list
    try:
        raw, mode = source.read_bytes(), stat.S_IMODE(source.stat().st_mode)
        edited = replace_line(raw, edit)
        if not backup.exists():
            write_atomic(backup, raw, mode=mode)
        write_atomic(source, edited, mode=mode)
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem("engine.data.not_saved", ExitCode.DATA, file=str(source), why=why) from error


def _decode_line(line: bytes) -> str:
    return line.decode("utf-8", "replace")
