"""What a push asks of the server: what is there or staged, and putting it in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sovdeck.remote.transfer.agent.call import (
    agent_argv,
    parse_number,
    parse_sha256,
    path_bytes,
    plain_path,
    run_agent,
    split_lines,
    unexpected_answer,
)
from sovdeck.remote.transfer.core.interfaces import CommandRunner

STAGING = ".sovdeck-push"


@dataclass(frozen=True)
class StagingRecord:
    """One content that stands, or should stand, at `path` relative to the remote folder.

    `staged_as`: the name its bytes got there while its SHA-256 was not known.
    """

    path: str
    size: int
    sha256: str
    staged_as: str = ""

    def line(self) -> bytes:
        """Format the record for the agent's standard input."""
        name = f"={self.staged_as}" if self.staged_as else ""
        return f"{self.sha256}{name} {self.size} ".encode() + path_bytes(self.path) + b"\n"


@dataclass(frozen=True)
class StagingStatus:
    """What the server has of one wanted file: present, staged whole, or some blocks of it."""

    present: bool = False
    staged: bool = False
    blocks: tuple[tuple[int, str], ...] = ()


def begin_contents(
    connection: CommandRunner, folder: str, wanted: Sequence[StagingRecord]
) -> set[int]:
    """Numbers of the contents of which nothing is there; they are this push's own to stage.

    Their `sha256` is the name they are staged under.
    """
    begun: set[int] = set()
    for words in _ask(connection, ["begin"], folder, wanted):
        match words:
            case ["begun", number]:
                begun.add(parse_number(number))
            case _:
                raise unexpected_answer(" ".join(words))
    return begun


def query_staged(
    connection: CommandRunner, folder: str, wanted: Sequence[StagingRecord], block: int
) -> list[StagingStatus]:
    """What of `wanted` stands in or is staged for `folder`: one exchange for all files."""
    present: set[int] = set()
    staged: set[int] = set()
    blocks: dict[int, list[tuple[int, str]]] = {}
    for words in _ask(connection, ["have", str(block)], folder, wanted):
        match words:
            case ["present", number]:
                present.add(parse_number(number))
            case ["staged", number]:
                staged.add(parse_number(number))
            case ["block", number, index, hexes]:
                known = blocks.setdefault(parse_number(number), [])
                known.append((parse_number(index), parse_sha256(hexes)))
            case _:
                raise unexpected_answer(" ".join(words))
    return [
        StagingStatus(number in present, number in staged, tuple(blocks.get(number, ())))
        for number in range(len(wanted))
    ]


def commit_staged(
    connection: CommandRunner, folder: str, wanted: Sequence[StagingRecord]
) -> set[int]:
    """Verify staged files once more and move them in place; returns the numbers that failed."""
    failed = set(range(len(wanted)))
    for words in _ask(connection, ["place"], folder, wanted):
        match words:
            case ["placed", number]:
                failed.discard(parse_number(number))
            case ["bad", _]:
                pass
            case _:
                raise unexpected_answer(" ".join(words))
    return failed


def _ask(
    connection: CommandRunner, command: list[str], folder: str, wanted: Sequence[StagingRecord]
) -> Iterator[list[str]]:
    """The answer to `command` about `wanted`, line by line; Problem without `end COUNT`."""
    size, stdin = sum(item.size for item in wanted), b"".join(item.line() for item in wanted)
    answer = run_agent(connection, folder, [*command, plain_path(folder)], size, stdin)
    for words in split_lines(answer):
        if words == ["end", str(len(wanted))]:
            return
        yield words
    raise unexpected_answer("the answer ends early")


def push_commands(folder: str, block: int) -> tuple[list[str], ...]:
    """What a push of small files asks otherwise, in this order."""
    folder_path = plain_path(folder)
    return (
        agent_argv("have", str(block), folder_path),
        agent_argv("take", folder_path),
        commit_command(folder),
    )


def commit_command(folder: str) -> list[str]:
    """What `commit_staged` runs; started before, it may be told how far contents have come."""
    return agent_argv("place", plain_path(folder))


def progress_line(name: str, end: int) -> bytes:
    """Say to it that the content staged under `name` stands up to `end`: it is hashed so far."""
    return f"+{name} {end}\n".encode()
