"""What a push asks of the server: what is there or staged, and putting it in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.contract.problem import Problem
from remote.transfer.agent_call import (
    WINDOW,
    argv,
    ask,
    ended,
    failed,
    lines_of,
    number_of,
    path_bytes,
    plain_path,
    sha256_of,
    strange,
)
from remote.transfer.agent_reading import names
from remote.transfer.channel import Link, Stream, read_some

STAGING = ".sovdeck-push"


@dataclass(frozen=True)
class Wanted:
    """One content that stands, or should stand, at `path` relative to the remote folder.

    `staged_as`: the name its bytes got there while its SHA-256 was not known.
    """

    path: str
    size: int
    sha256: str
    staged_as: str = ""

    def line(self) -> bytes:
        name = f"={self.staged_as}" if self.staged_as else ""
        return f"{self.sha256}{name} {self.size} ".encode() + path_bytes(self.path) + b"\n"


@dataclass(frozen=True)
class Held:
    """What the server has of one wanted file: present, staged whole, or some blocks of it."""

    present: bool = False
    staged: bool = False
    blocks: tuple[tuple[int, str], ...] = ()


def have(link: Link, folder: str, wanted: Sequence[Wanted], block: int) -> list[Held]:
    """What of `wanted` stands in or is staged for `folder`: one exchange for all files."""
    arguments = ["have", str(block), plain_path(folder)]
    result = ask(link, folder, arguments, sum(w.size for w in wanted), _records(wanted))
    return _held(result.out, len(wanted))


def poured(link: Link, folder: str) -> Stream | None:
    """A stream that takes a tar, the number of records and these; None: something is there.

    Its answer is for `placed`.
    """
    stream = link.open_stream(argv("pour", plain_path(folder)))
    try:
        answer = bytearray()
        while not answer.endswith(b"\n"):
            data = read_some(stream, WINDOW)
            if not data:
                raise failed(stream.exit_code, folder, b"")
            answer += data
        if answer == b"bare\n":
            return stream
        if answer != b"held\n":
            raise strange(answer.decode("ascii", "replace"))
    except BaseException:
        stream.close()
        raise
    stream.close()
    return None


def verbs_of_push(folder: str, block: int) -> tuple[list[str], ...]:
    """What a push of small files asks otherwise, in this order."""
    place = plain_path(folder)
    return argv("have", str(block), place), argv("take", place), argv("place", place)


def untouched(link: Link, folder: str, sized: Mapping[str, int]) -> set[str]:
    """Which of these paths (and sizes) the server has nothing of, neither in place nor staged."""
    try:
        found = names(link, folder, [STAGING, *sized])
    except Problem as problem:
        if problem.key == "remote.transfer.no_such_file":
            return set(sized)
        raise
    if any(one.path.startswith(STAGING) and one.path != f"{STAGING}/notes" for one in found):
        return set()
    return sized.keys() - {one.path for one in found if one.size == sized.get(one.path)}


def place(link: Link, folder: str, wanted: Sequence[Wanted]) -> set[int]:
    """Verify staged files once more and move them in place; returns the numbers that failed."""
    arguments = ["place", plain_path(folder)]
    result = ask(link, folder, arguments, sum(w.size for w in wanted), _records(wanted))
    return set(range(len(wanted))) - placed(result.out, len(wanted))


def placed(answer: bytes, count: int) -> set[int]:
    """Numbers of the records that now stand in their place, of `count`."""
    numbers: set[int] = set()
    for words in ended(lines_of(answer), count):
        match words:
            case ["placed", number]:
                numbers.add(number_of(number))
            case ["bad", _]:
                pass
            case _:
                raise strange(" ".join(words))
    return numbers


def _held(answer: bytes, count: int) -> list[Held]:
    present: set[int] = set()
    staged: set[int] = set()
    blocks: dict[int, list[tuple[int, str]]] = {}
    for words in ended(lines_of(answer), count):
        match words:
            case ["present", number]:
                present.add(number_of(number))
            case ["staged", number]:
                staged.add(number_of(number))
            case ["block", number, index, hexes]:
                known = blocks.setdefault(number_of(number), [])
                known.append((number_of(index), sha256_of(hexes)))
            case _:
                raise strange(" ".join(words))
    return [
        Held(number in present, number in staged, tuple(blocks.get(number, ())))
        for number in range(count)
    ]


def _records(wanted: Sequence[Wanted]) -> bytes:
    return b"".join(item.line() for item in wanted)
