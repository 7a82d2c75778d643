"""A stand-in for the link that runs the same commands on this machine, and breaks when told."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.hosts.spec import HostSpec

ROOT = Path(__file__).resolve().parents[2]
AGENT = ROOT / "remote" / "agent"


class Cut(Problem):
    """What a dead link raises."""

    def __init__(self) -> None:
        super().__init__(
            "remote.job.bad_answer", ExitCode.UNREACHABLE, server="local", command="", why="cut"
        )


class LocalStream:
    """One local process as a channel; `budget` bytes pass before the line is cut."""

    def __init__(self, argv: Sequence[str], budget: int | None, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            ["sh", "-c", shlex.join(argv)],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.budget = budget
        self.exit_code: int | None = None
        self.closed = False

    def read(self, n: int = 65536, **_: Any) -> bytes:
        assert self.process.stdout is not None
        if self.closed:
            return b""
        if self.budget == 0:
            self.close()
            raise Cut
        data = os.read(self.process.stdout.fileno(), min(n, self.budget or n))
        if self.budget is not None:
            self.budget -= len(data)
        if not data and not self.closed:
            self.exit_code = self.process.wait()
        return data

    def lines(self) -> Iterator[bytes]:
        data = b""
        while piece := self.read():
            *lines, data = (data + piece).split(b"\n")
            yield from lines

    @property
    def stderr(self) -> bytes:
        return b""

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def close_write(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close(self) -> None:
        """As sshd does when a channel dies: the pipes close, nobody is signalled."""
        self.closed = True
        assert self.process.stdin is not None
        if not self.process.stdin.closed:
            self.process.stdin.close()

    def __enter__(self) -> LocalStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ended(self) -> None:
        """The agent must have ended by itself soon after its channel was gone."""
        self.close()
        assert self.process.stdout is not None and self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("an agent outlived its channel") from None


@dataclass
class LocalResult:
    code: int
    out: bytes
    err: bytes
    preamble: bytes = b""


@dataclass
class LocalLink:
    """The part of remote.ssh.connection that remote.jobs uses."""

    name: str = "local"
    spec: HostSpec = HostSpec("localhost")
    budgets: Iterator[int | None] | None = None
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    opened: list[LocalStream] = field(default_factory=list)
    trips: int = 0

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float | None = 60
    ) -> LocalResult:
        self.trips += 1
        done = subprocess.run(
            ["sh", "-c", shlex.join(argv)],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            env=self.env,
        )
        return LocalResult(done.returncode, done.stdout, done.stderr)

    def script(
        self, text: str, args: Sequence[str] = (), *, timeout: float | None = 60
    ) -> LocalResult:
        return self.run(["sh", "-c", text, "sh", *args], timeout=timeout)

    def open_stream(self, argv: Sequence[str], **_: Any) -> LocalStream:
        self.trips += 1
        budget = next(self.budgets) if self.budgets is not None else None
        stream = LocalStream(argv, budget, self.env)
        self.opened.append(stream)
        return stream


@dataclass
class Job:
    """One supervised command, started through the shell alone."""

    folder: Path
    process: subprocess.Popen[bytes]

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()
