"""One question to the agent on the server: its command, its answer, how its end reads.

The answers are text of a server and are checked word by word; a short or strange answer is a
Problem, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files

from engine.contract.problem import ExitCode, Problem
from remote.transfer.channel import Link, Result, cut, line_errors

WINDOW = 4 << 20  # bytes under way of a stream of files; see Tuning.window

_STAGING_VERBS = ("have", "take", "keep", "place", "pour")
# Seconds a question may take besides the hashing itself (slow login files, busy disks).
PATIENCE = 60.0
# The slowest hashing to wait for, bytes a second: coreutils on a busy rented disk.
SLOWEST = 20 << 20


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


def path_records(paths: Iterable[str]) -> bytes:
    """Paths as the agent reads them, each ended by a zero byte."""
    return b"".join(path_bytes(path) + b"\0" for path in paths)


def ask(link: Link, path: str, verb: list[str], size: int, stdin: bytes = b"") -> Result:
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


def lines_of(answer: bytes) -> Iterator[list[str]]:
    for line in answer.decode("ascii", "replace").splitlines():
        yield line.split()


def ended(lines: Iterator[list[str]], count: int) -> Iterator[list[str]]:
    for words in lines:
        if words == ["end", str(count)]:
            return
        yield words
    raise strange("the answer ends early")


def number_of(text: str) -> int:
    if not text.isdecimal() or len(text) > 20:
        raise strange(text)
    return int(text)


def sha256_of(text: str) -> str:
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise strange(text)
    return text


def path_bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def strange(what: str) -> Problem:
    shown = "".join(c for c in what if c.isprintable())[:80]
    return Problem("remote.transfer.strange_answer", ExitCode.DATA, what=shown)
