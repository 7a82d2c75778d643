"""Fixtures of the tests of remote: servers on this machine, with and without SSH between."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from agent_shell import TOOLS, Shell
from local_connection import AGENT, Job, LocalLink
from pipe_server import SFTP_SERVER, SFTP_SERVERS, Server
from scripted_sshd import house, mute_port

__all__ = ["house", "mute_port"]


@pytest.fixture
def no_agent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither an agent nor keys of whoever runs the tests."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "nobody"))


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """A folder with busybox as sh and as every tool, as a minimal image has it."""
    found = shutil.which("busybox")
    if found is None:
        return None
    folder = tmp_path_factory.mktemp("busybox")
    for name in subprocess.check_output([found, "--list"], text=True).split():
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture(params=["sh", pytest.param("busybox", marks=pytest.mark.long)])
def shell_path(request: pytest.FixtureRequest, busybox: Path | None) -> str:
    """PATH of a server with the usual tools (dash on Debian), and of one with busybox alone."""
    if request.param == "sh":
        return os.environ["PATH"]
    if busybox is None:
        pytest.skip("busybox is not installed")
    return f"{busybox}:{os.environ['PATH']}"


@pytest.fixture
def link(shell_path: str) -> Iterator[LocalLink]:
    made = LocalLink(env={**os.environ, "PATH": shell_path})
    yield made
    for stream in made.opened:
        stream.ended()


@pytest.fixture
def cut_link(link: LocalLink) -> Callable[[int, int], LocalLink]:
    """A link whose channels are cut after a random number of bytes below `most`."""

    def make(seed: int, most: int) -> LocalLink:
        chance = random.Random(seed)
        link.budgets = iter(lambda: chance.randrange(1, most), None)
        return link

    return make


@pytest.fixture
def supervise(tmp_path: Path, shell_path: str) -> Iterator[Callable[..., Job]]:
    """Start agent/supervise.sh on a command; whatever is left is killed at the end."""
    started: list[Job] = []

    def start(*command: str, run: str = "run", env: dict[str, str] | None = None) -> Job:
        folder = tmp_path / "runs" / run
        process = subprocess.Popen(
            ["sh", str(AGENT / "supervise.sh"), str(folder), "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "PATH": shell_path, **(env or {})},
        )
        job = Job(folder, process)
        started.append(job)
        return job

    yield start
    for job in started:
        with contextlib.suppress(ProcessLookupError):  # most groups have ended by themselves
            os.killpg(job.process.pid, signal.SIGKILL)
        job.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if SFTP_SERVER is None:
        pytest.skip(f"no sftp-server program at {', '.join(SFTP_SERVERS)}")
    home = tmp_path / "server"
    home.mkdir()
    one = Server(home)
    yield one
    one.reap()


@pytest.fixture
def laptop(tmp_path: Path) -> Path:
    folder = tmp_path / "laptop"
    folder.mkdir()
    return folder


@pytest.fixture(params=sorted(TOOLS))
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    home = tmp_path / "home"
    home.mkdir()
    shell = Shell(home, TOOLS[request.param], os.path.realpath(sys.executable))
    if request.param == "old python":
        shell.age()
    return shell
