"""Contents as a tar whose member names are their SHA-256: no name can go astray."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.upload.queue import CHUNK, Content

_TEMPLATE = tarfile.TarInfo("0" * 64).tobuf(tarfile.USTAR_FORMAT)


def tar_chunks(contents: Iterable[Content], moved: Callable[[int], None]) -> Iterator[bytes]:
    """The contents as members of a tar, some at a time; `moved` hears of the bytes of each."""
    parts: list[bytes] = []
    size = 0
    for content in contents:
        parts += (_head(content), _data(content), bytes(-content.size % tarfile.BLOCKSIZE))
        size += content.size
        moved(content.size)
        if size >= CHUNK:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join([*parts, bytes(2 * tarfile.BLOCKSIZE)])  # the end mark


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
    head = bytearray(_TEMPLATE)
    head[:64], head[124:135] = content.sha256.encode(), b"%011o" % content.size
    head[148:155] = b"%06o\0" % (sum(head[:148]) + 8 * ord(" ") + sum(head[156:]))
    return bytes(head)
