"""The side file of a pull: which ranges of the `.part` file are finished, of which remote file.

The first line names the remote file; every further line is one finished range, `start end;`, or
the remote SHA-256 once it is known. Lines are only ever added while a pull runs. A line counts
only with its semicolon, and begins with its own newline, so neither a kill at any byte nor a
write that a full disk cut short can leave a range that was never received.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from sovdeck.engine.contract.foreign_values import parse_json, parse_whole_number
from sovdeck.remote.transfer.core.ranges import RangeSet

VERSION = 1


@dataclass(frozen=True)
class RemoteFile:
    """A regular file on a server as it was: path, size in bytes, mtime in Unix seconds.

    One of a folder's list has its path below that folder.
    """

    path: str
    size: int
    mtime: int


@dataclass(frozen=True)
class JournalRecord:
    """What a journal says. `sha256` is the remote file's, when it was known."""

    identity: RemoteFile
    ranges: RangeSet
    sha256: str | None


def read_journal(path: Path) -> JournalRecord | None:
    """Read a journal; None when there is none or it is not one of ours."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return None
    identity = _identity(lines[0])
    if identity is None:
        return None
    ranges, sha256 = RangeSet(), None
    for line in lines[1:]:
        words = line[:-1].split()
        if not line.endswith(";") or len(words) != 2:
            continue
        if words[0] == "sha256":
            sha256 = words[1]
            continue
        start, end = map(parse_whole_number, words)
        if start is not None and end is not None:
            ranges.add(start, min(end, identity.size))
    return JournalRecord(identity, ranges, sha256)


def _identity(line: str) -> RemoteFile | None:
    try:
        head = parse_json(line)
    except ValueError:
        return None
    if not isinstance(head, dict) or head.get("v") != VERSION:
        return None
    path, size, mtime = head.get("path"), head.get("size"), head.get("mtime")
    if isinstance(path, str) and isinstance(size, int) and isinstance(mtime, int):
        return RemoteFile(path, size, mtime)
    return None


class PartJournal:
    """Writes a journal. Not thread-safe: the part file holds the lock."""

    def __init__(self, path: Path, record: JournalRecord) -> None:
        self.path = path
        head = json.dumps({"v": VERSION, **asdict(record.identity)})
        lines = [head, *(f"{start} {end};" for start, end in record.ranges)]
        if record.sha256:
            lines.append(f"sha256 {record.sha256};")
        fresh = path.with_name(path.name + ".new")
        fresh.write_text("\n".join(lines), encoding="utf-8", newline="\n")
        fresh.replace(path)
        self._file = path.open("ab", buffering=0)

    def add(self, ranges: RangeSet) -> None:
        """Append ranges that are finished."""
        self._file.write("".join(f"\n{start} {end};" for start, end in ranges).encode())

    def add_sha256(self, digest: str) -> None:
        """Append the SHA-256 (hex) of the remote file."""
        self._file.write(f"\nsha256 {digest};".encode())

    def close(self) -> None:
        """Close the file; nothing is removed."""
        self._file.close()
