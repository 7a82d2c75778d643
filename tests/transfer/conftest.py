"""Fixtures of the transfer tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_shell import TOOLS, Shell
from pipe_server import SFTP_SERVER, SFTP_SERVERS, Server


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
