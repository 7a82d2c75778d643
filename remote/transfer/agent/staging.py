"""What a push asks of the server: what is there or staged, and putting it in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.transfer.agent.call import (
    BASE_TIMEOUT,
    agent_argv,
    agent_failure,
    parse_number,
    parse_sha256,
    path_bytes,
    plain_path,
    run_agent,
    split_lines,
    unexpected_answer,
)
from sovdeck.remote.transfer.agent.remote_files import list_files
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
        agent_argv("place", folder_path),
    )


def absent_paths(connection: CommandRunner, folder: str, sized: Mapping[str, int]) -> set[str]:
    """Which of these paths (and sizes) the server has nothing of, neither in place nor staged."""
    try:
        found = list_files(connection, folder, [STAGING, *sized])
    except Problem as problem:
        if problem.key == "remote.transfer.no_such_file":
            return set(sized)
        raise
    if any(one.path.startswith(STAGING) and one.path != f"{STAGING}/notes" for one in found):
        return set()
    return sized.keys() - {one.path for one in found if one.size == sized.get(one.path)}


def make_staging_folder(connection: CommandRunner, folder: str) -> None:
    """Make the folder that contents are staged in."""
    path = f"{plain_path(folder)}/{STAGING}"
    result = connection.run(["mkdir", "-p", "--", path], timeout=BASE_TIMEOUT)
    if result.code:
        raise agent_failure(result.code, folder, result.err)
