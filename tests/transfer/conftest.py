"""Fixtures of the transfer tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
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
