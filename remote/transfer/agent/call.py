"""One question to the agent on the server: its command, its answer, how its end reads.

The answers are text of a server and are checked word by word; a short or strange answer is a
Problem, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files

from sovdeck.engine.contract.foreign_values import parse_whole_number
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.core.interfaces import CommandRunner, connection_cut

# Seconds a question may take besides the hashing itself (slow login files, busy disks).
BASE_TIMEOUT = 60.0
# The slowest hashing to wait for, bytes a second: coreutils on a busy rented disk.
MIN_HASH_RATE = 20 << 20


@cache
def _script(name: str) -> str:
    return (files("sovdeck.remote.agent") / name).read_text(encoding="utf-8")


def agent_argv(command: str, *arguments: str) -> list[str]:
    """The command that runs one command of the agent with the best tool the server has."""
    scripts = ("transfer_pick.sh", "transfer_agent.py", "transfer_server.sh")
    pick, python, shell = map(_script, scripts)
    return ["sh", "-c", pick, "sovdeck", python, shell, command, *arguments]


def plain_path(path: str) -> str:
    """A path no program takes for an option; `~/` is the folder every login starts in."""
    path = path.removeprefix("~/") if path != "~" else "."
    return f"./{path}" if path.startswith("-") else path or "."


def path_records(paths: Iterable[str]) -> bytes:
    """Paths as the agent reads them, each ended by a zero byte."""
    return b"".join(path_bytes(path) + b"\0" for path in paths)


def run_agent(
    connection: CommandRunner, path: str, command: list[str], size: int, stdin: bytes = b""
) -> bytes:
    """The answer to one command of the agent; Problem when it fails. `size`: bytes it hashes."""
    timeout = BASE_TIMEOUT + size / MIN_HASH_RATE
    result = connection.run(agent_argv(*command), stdin=stdin, timeout=timeout)
    if result.code:
        raise agent_failure(result.code, path, result.err)
    return result.out


def agent_failure(code: int | None, path: str, errors: bytes) -> Problem:
    """How the agent's end reads; without a code, or by a signal, the line is what ended."""
    if code == 3:
        return Problem("remote.transfer.no_such_file", ExitCode.DATA, path=path)
    if not code or not 0 < code <= 128:
        return connection_cut()
    why = errors.decode("utf-8", "replace").strip().split("\n")[-1][:200]
    why = "".join(c for c in why if c.isprintable()) or f"exit code {code}"
    return Problem("remote.transfer.server_refused", ExitCode.DATA, path=path, why=why)


def split_lines(answer: bytes) -> Iterator[list[str]]:
    """Split an answer into lines of words."""
    for line in answer.decode("ascii", "replace").splitlines():
        yield line.split()


def parse_number(text: str) -> int:
    """Read a decimal number of an answer."""
    number = parse_whole_number(text)
    if number is None:
        raise unexpected_answer(text)
    return number


def parse_sha256(text: str) -> str:
    """Read a SHA-256 (hex) of an answer."""
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise unexpected_answer(text)
    return text


def path_bytes(path: str) -> bytes:
    """Encode a path as the server stores it, also one that is not UTF-8."""
    return path.encode("utf-8", "surrogateescape")


def unexpected_answer(what: str) -> Problem:
    """Make the Problem for an answer that does not fit the protocol."""
    shown = "".join(c for c in what if c.isprintable())[:80]
    return Problem("remote.transfer.strange_answer", ExitCode.DATA, what=shown)
