"""What stands on the server: identities, digests, names, and the files themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.agent.call import (
    parse_number,
    parse_sha256,
    path_records,
    plain_path,
    run_agent,
    split_lines,
    unexpected_answer,
)
from sovdeck.remote.transfer.core.interfaces import CommandRunner
from sovdeck.remote.transfer.core.part_journal import RemoteFile


@dataclass(frozen=True)
class RemoteDigest:
    """SHA-256 of a remote file (hex) and of its blocks; the file it was when it was read."""

    identity: RemoteFile
    whole: str
    blocks: tuple[str, ...]


def fetch_digest(connection: CommandRunner, path: str, size: int, block: int = 0) -> RemoteDigest:
    """SHA-256 on the server. Problem `changed` when the file changed while it was read."""
    answer = run_agent(connection, path, ["digest", str(block), plain_path(path)], size)
    seen: list[RemoteFile] = []
    blocks: list[str] = []
    whole = ""
    for words in split_lines(answer):
        match words:
            case ["file", length, mtime]:
                seen.append(RemoteFile(path, parse_number(length), parse_number(mtime)))
            case ["block", index, hexes] if parse_number(index) == len(blocks):
                blocks.append(parse_sha256(hexes))
            case ["whole", hexes]:
                whole = parse_sha256(hexes)
            case _:
                raise unexpected_answer(" ".join(words))
    if len(seen) != 2 or not whole:
        raise unexpected_answer("the answer ends early")
    if seen[0] != seen[1]:
        raise Problem("remote.transfer.changed", ExitCode.DATA, path=path)
    return RemoteDigest(seen[0], whole, tuple(blocks))


def fetch_identity(connection: CommandRunner, path: str) -> RemoteFile:
    """Size and mtime of a remote file where SFTP cannot say it."""
    answer = run_agent(connection, path, ["identity", plain_path(path)], 0)
    match answer.decode("ascii", "replace").split():
        case ["file", length, mtime]:
            return RemoteFile(path, parse_number(length), parse_number(mtime))
        case words:
            raise unexpected_answer(" ".join(words))


def list_files(
    connection: CommandRunner, folder: str, parts: Sequence[str] = (".",)
) -> list[RemoteFile]:
    """Every regular file below `parts` of `folder`, by path, in one exchange; nothing is read.

    A part that is not there holds nothing; a folder that is not there is a Problem.
    """
    command = ["names", plain_path(folder), *map(plain_path, parts)]
    records = run_agent(connection, folder, command, 0).split(b"\0")
    if records[-2:] != [b"end", b""]:
        raise unexpected_answer("the answer ends early")
    found = []
    for record in records[:-2]:
        size, mtime, path = _split_record(record)
        found.append(RemoteFile(path, parse_number(size), parse_number(mtime)))
    return sorted(found, key=lambda one: one.path)


def fetch_sha256_sums(
    connection: CommandRunner, folder: str, files: Sequence[RemoteFile]
) -> dict[str, str]:
    """SHA-256 by path of `files`; those that are gone meanwhile are left out."""
    stdin = path_records(file.path for file in files)
    size = sum(file.size for file in files)
    records = run_agent(connection, folder, ["sums", plain_path(folder)], size, stdin).split(b"\0")
    if records.pop() or len(records) != len(files):
        raise unexpected_answer("the answer ends early")
    found = {}
    for file, record in zip(files, records, strict=True):
        hexes, _, path = _split_record(record)
        if path != file.path:
            raise unexpected_answer(path)
        if hexes != "-":
            found[path] = parse_sha256(hexes)
    return found


def _split_record(record: bytes) -> tuple[str, str, str]:
    """Two words and a path that may hold anything."""
    first, _, rest = record.partition(b" ")
    second, _, path = rest.partition(b" ")
    words = first.decode("ascii", "replace"), second.decode("ascii", "replace")
    return (*words, path.decode("utf-8", "surrogateescape"))
