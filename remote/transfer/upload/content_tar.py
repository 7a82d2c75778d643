"""Contents as a tar whose member names are their SHA-256: no name can go astray."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.upload.queue import CHUNK, Content

END = bytes(2 * tarfile.BLOCKSIZE)


def tar_chunks(contents: Iterable[Content], moved: Callable[[int], None]) -> Iterator[bytes]:
    """The contents as members of a tar, some at a time; `moved` hears of the bytes of each."""
    parts: list[bytes] = []
    size = 0
    for content in contents:
        parts += member(content)
        size += content.size
        moved(content.size)
        if size >= CHUNK:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


def member(content: Content) -> tuple[bytes, bytes, bytes]:
    """Header, data, and what fills them up to whole blocks."""
    return _head(content), _data(content), bytes(-content.size % tarfile.BLOCKSIZE)


def changed_here(path: Path) -> Problem:
    """A local file is not what it was when it was hashed."""
    return Problem("remote.transfer.changed_here", ExitCode.DATA, path=str(path))


def _data(content: Content) -> bytes:
    if content.data is not None:
        return content.data
    with content.local.open("rb", buffering=0) as file:
        data = file.read(content.size)
    if len(data) != content.size:
        raise changed_here(content.local)
    return data


def _head(content: Content) -> bytes:
    """What tarfile writes, for thousands of files in a tenth of its time."""
    fields = (content.sha256.encode(), b"0000644", b"%011o" % content.size, b"0" * 11)
    name, mode, size, time = fields
    before = name.ljust(100, b"\0") + mode + b"\0" + b"0000000\0" * 2 + size + b"\0" + time + b"\0"
    after = b"0".ljust(101, b"\0") + b"ustar\x0000".ljust(248, b"\0") + bytes(7)
    total = sum(before) + sum(after) + 8 * ord(" ")
    return (before + b"%06o\0 " % total + after).ljust(tarfile.BLOCKSIZE, b"\0")
