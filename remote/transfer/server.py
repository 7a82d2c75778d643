"""Questions to the server about content: digests, what is there, putting files in place.

The answers are text of a server and are checked word by word; a short or strange answer is a
Problem, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from engine.contract.problem import ExitCode, Problem
from remote.transfer.channel import Link, Result, Stream, cut, line_errors, read_some
from remote.transfer.journal import Identity

STAGING = ".sovdeck-push"
WINDOW = 4 << 20  # bytes under way of a stream of files; see Tuning.window

_STAGING_VERBS = ("have", "take", "keep", "place", "pour")
# Seconds a question may take besides the hashing itself (slow login files, busy disks).
PATIENCE = 60.0
# The slowest hashing to wait for, bytes a second: coreutils on a busy rented disk.
SLOWEST = 20 << 20


@dataclass(frozen=True)
class RemoteDigest:
    """SHA-256 of a remote file (hex) and of its blocks; the file it was when it was read."""

    identity: Identity
    whole: str
    blocks: tuple[str, ...]


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
        return f"{self.sha256}{name} {self.size} ".encode() + _path_bytes(self.path) + b"\n"


@dataclass(frozen=True)
class Held:
    """What the server has of one wanted file: present, staged whole, or some blocks of it."""

    present: bool = False
    staged: bool = False
    blocks: tuple[tuple[int, str], ...] = ()


@cache
def _script(name: str) -> str:
    return (files("remote") / "agent" / name).read_text(encoding="utf-8")


def argv(verb: str, *arguments: str) -> list[str]:
    """The command that runs one verb of the agent with the best tool the server has."""
    verbs = "transfer_staging.py" if verb in _STAGING_VERBS else "transfer_reading.py"
    pick, shell = map(_script, ("transfer_pick.sh", "transfer_server.sh"))
    python = _script("transfer_common.py") + _script(verbs)
    return ["sh", "-c", pick, "sovdeck", python, shell, verb, *arguments]


def plain_path(path: str) -> str:
    """A path no program takes for an option; `~/` is the folder every login starts in."""
    path = path.removeprefix("~/") if path != "~" else "."
    return f"./{path}" if path.startswith("-") else path or "."


def digest(link: Link, path: str, size: int, block: int = 0) -> RemoteDigest:
    """SHA-256 on the server. Problem `changed` when the file changed while it was read."""
    result = _ask(link, path, ["digest", str(block), plain_path(path)], size)
    seen: list[Identity] = []
    blocks: list[str] = []
    whole = ""
    for words in _lines(result.out):
        match words:
            case ["file", length, mtime]:
                seen.append(Identity(path, _number(length), _number(mtime)))
            case ["block", index, hexes] if _number(index) == len(blocks):
                blocks.append(_hex(hexes))
            case ["whole", hexes]:
                whole = _hex(hexes)
            case _:
                raise strange(" ".join(words))
    if len(seen) != 2 or not whole:
        raise strange("the answer ends early")
    if seen[0] != seen[1]:
        raise Problem("remote.transfer.changed", ExitCode.DATA, path=path)
    return RemoteDigest(seen[0], whole, tuple(blocks))


def identity(link: Link, path: str) -> Identity:
    """Size and mtime of a remote file where SFTP cannot say it."""
    words = _ask(link, path, ["identity", plain_path(path)], 0).out.decode("ascii", "replace")
    match words.split():
        case ["file", length, mtime]:
            return Identity(path, _number(length), _number(mtime))
    raise strange(words)


def have(link: Link, folder: str, wanted: Sequence[Wanted], block: int) -> list[Held]:
    """What of `wanted` stands in or is staged for `folder`: one exchange for all files."""
    arguments = ["have", str(block), plain_path(folder)]
    result = _ask(link, folder, arguments, sum(w.size for w in wanted), _records(wanted))
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


def _held(answer: bytes, count: int) -> list[Held]:
    present: set[int] = set()
    staged: set[int] = set()
    blocks: dict[int, list[tuple[int, str]]] = {}
    for words in _ended(_lines(answer), count):
        match words:
            case ["present", number]:
                present.add(_number(number))
            case ["staged", number]:
                staged.add(_number(number))
            case ["block", number, index, hexes]:
                blocks.setdefault(_number(number), []).append((_number(index), _hex(hexes)))
            case _:
                raise strange(" ".join(words))
    return [
        Held(number in present, number in staged, tuple(blocks.get(number, ())))
        for number in range(count)
    ]


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
    result = _ask(link, folder, arguments, sum(w.size for w in wanted), _records(wanted))
    return set(range(len(wanted))) - placed(result.out, len(wanted))


def placed(answer: bytes, count: int) -> set[int]:
    """Numbers of the records that now stand in their place, of `count`."""
    numbers: set[int] = set()
    for words in _ended(_lines(answer), count):
        match words:
            case ["placed", number]:
                numbers.add(_number(number))
            case ["bad", _]:
                pass
            case _:
                raise strange(" ".join(words))
    return numbers


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
    result = _ask(link, folder, ["names", plain_path(folder), *map(plain_path, parts)], 0)
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
        found.append(Named(path, _number(size), _number(mtime)))
    return sorted(found, key=lambda one: one.path)


def sums(link: Link, folder: str, files: Sequence[Named]) -> dict[str, str]:
    """SHA-256 by path of `files`; those that are gone meanwhile are left out."""
    stdin = path_records(file.path for file in files)
    size = sum(file.size for file in files)
    result = _ask(link, folder, ["sums", plain_path(folder)], size, stdin)
    records = result.out.split(b"\0")
    if records.pop() or len(records) != len(files):
        raise strange("the answer ends early")
    found = {}
    for file, record in zip(files, records, strict=True):
        hexes, _, path = _three(record)
        if path != file.path:
            raise strange(path)
        if hexes != "-":
            found[path] = _hex(hexes)
    return found


def path_records(paths: Iterable[str]) -> bytes:
    """Paths as the agent reads them, each ended by a zero byte."""
    return b"".join(_path_bytes(path) + b"\0" for path in paths)


def _three(record: bytes) -> tuple[str, str, str]:
    """Two words and a path that may hold anything."""
    first, _, rest = record.partition(b" ")
    second, _, path = rest.partition(b" ")
    words = first.decode("ascii", "replace"), second.decode("ascii", "replace")
    return (*words, path.decode("utf-8", "surrogateescape"))


def _ask(link: Link, path: str, verb: list[str], size: int, stdin: bytes = b"") -> Result:
    timeout = PATIENCE + size / SLOWEST
    with line_errors():
        result = link.run(argv(*verb), stdin=stdin, timeout=timeout)
    if result.code:
        raise failed(result.code, path, result.err)
    return result


def failed(code: int | None, path: str, errors: bytes) -> Problem:
    """How the agent's end reads; without a code, or by a signal, the line is what ended."""
    if code == 3:
        return Problem("remote.transfer.no_such_file", ExitCode.DATA, path=path)
    if not code or not 0 < code <= 128:
        return cut()
    why = errors.decode("utf-8", "replace").strip().split("\n")[-1][:200]
    why = "".join(c for c in why if c.isprintable()) or f"exit code {code}"
    return Problem("remote.transfer.server_refused", ExitCode.DATA, path=path, why=why)


def _records(wanted: Sequence[Wanted]) -> bytes:
    return b"".join(item.line() for item in wanted)


def _lines(answer: bytes) -> Iterator[list[str]]:
    for line in answer.decode("ascii", "replace").splitlines():
        yield line.split()


def _ended(lines: Iterator[list[str]], count: int) -> Iterator[list[str]]:
    for words in lines:
        if words == ["end", str(count)]:
            return
        yield words
    raise strange("the answer ends early")


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 20:
        raise strange(text)
    return int(text)


def _hex(text: str) -> str:
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise strange(text)
    return text


def _path_bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def strange(what: str) -> Problem:
    shown = "".join(c for c in what if c.isprintable())[:80]
    return Problem("remote.transfer.strange_answer", ExitCode.DATA, what=shown)
