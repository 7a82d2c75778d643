"""What stands on the server: identities, digests, names, and the files themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.contract.problem import ExitCode, Problem
from remote.transfer.agent_call import (
    WINDOW,
    argv,
    ask,
    failed,
    lines_of,
    number_of,
    path_records,
    plain_path,
    sha256_of,
    strange,
)
from remote.transfer.channel import Link, Stream, read_some
from remote.transfer.journal import Identity


@dataclass(frozen=True)
class RemoteDigest:
    """SHA-256 of a remote file (hex) and of its blocks; the file it was when it was read."""

    identity: Identity
    whole: str
    blocks: tuple[str, ...]


def digest(link: Link, path: str, size: int, block: int = 0) -> RemoteDigest:
    """SHA-256 on the server. Problem `changed` when the file changed while it was read."""
    result = ask(link, path, ["digest", str(block), plain_path(path)], size)
    seen: list[Identity] = []
    blocks: list[str] = []
    whole = ""
    for words in lines_of(result.out):
        match words:
            case ["file", length, mtime]:
                seen.append(Identity(path, number_of(length), number_of(mtime)))
            case ["block", index, hexes] if number_of(index) == len(blocks):
                blocks.append(sha256_of(hexes))
            case ["whole", hexes]:
                whole = sha256_of(hexes)
            case _:
                raise strange(" ".join(words))
    if len(seen) != 2 or not whole:
        raise strange("the answer ends early")
    if seen[0] != seen[1]:
        raise Problem("remote.transfer.changed", ExitCode.DATA, path=path)
    return RemoteDigest(seen[0], whole, tuple(blocks))


def identity(link: Link, path: str) -> Identity:
    """Size and mtime of a remote file where SFTP cannot say it."""
    words = ask(link, path, ["identity", plain_path(path)], 0).out.decode("ascii", "replace")
    match words.split():
        case ["file", length, mtime]:
            return Identity(path, number_of(length), number_of(mtime))
    raise strange(words)


@dataclass(frozen=True)
class Named:
    """One regular file below a remote folder: path relative to it, bytes, mtime in Unix seconds."""

    path: str
    size: int
    mtime: int


def names(link: Link, folder: str, parts: Sequence[str] = (".",)) -> list[Named]:
    """Every regular file below `parts` of `folder`, by path, in one exchange; nothing is read.

    A part that is not there holds nothing; a folder that is not there is a Problem.
    """
    result = ask(link, folder, ["names", plain_path(folder), *map(plain_path, parts)], 0)
    return _named(result.out)


def offered(link: Link, folder: str) -> tuple[list[Named], Stream]:
    """What `names` says of a whole folder, and a stream that sends the files asked of it next."""
    stream = link.open_stream(argv("send", plain_path(folder), "."), window=WINDOW)
    try:
        answer = bytearray()
        while not _is_whole(answer):
            data = read_some(stream, WINDOW)
            if not data:
                raise failed(stream.exit_code, folder, b"")
            answer += data
        return _named(bytes(answer)), stream
    except BaseException:
        stream.close()
        raise


def _is_whole(answer: bytearray) -> bool:
    """Whether the last record is the one that ends the names: all others begin with a number."""
    last = answer.rfind(b"\0", 0, -1) + 1
    return answer.endswith(b"\0") and answer.startswith(b"end ", last)


def _named(answer: bytes) -> list[Named]:
    records = answer.split(b"\0")
    if records.pop() or not records or records.pop() != b"end %d" % len(records):
        raise strange("the answer ends early")
    found = []
    for record in records:
        size, mtime, path = _three(record)
        found.append(Named(path, number_of(size), number_of(mtime)))
    return sorted(found, key=lambda one: one.path)


def sums(link: Link, folder: str, files: Sequence[Named]) -> dict[str, str]:
    """SHA-256 by path of `files`; those that are gone meanwhile are left out."""
    stdin = path_records(file.path for file in files)
    size = sum(file.size for file in files)
    result = ask(link, folder, ["sums", plain_path(folder)], size, stdin)
    records = result.out.split(b"\0")
    if records.pop() or len(records) != len(files):
        raise strange("the answer ends early")
    found = {}
    for file, record in zip(files, records, strict=True):
        hexes, _, path = _three(record)
        if path != file.path:
            raise strange(path)
        if hexes != "-":
            found[path] = sha256_of(hexes)
    return found


def _three(record: bytes) -> tuple[str, str, str]:
    """Two words and a path that may hold anything."""
    first, _, rest = record.partition(b" ")
    second, _, path = rest.partition(b" ")
    words = first.decode("ascii", "replace"), second.decode("ascii", "replace")
    return (*words, path.decode("utf-8", "surrogateescape"))
