"""The dashboard's page as a person starts it: `sovdeck web` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True)
class Page:
    """A running page: `address` holds the token, `origin` does not."""

    address: str
    process: subprocess.Popen[str]

    @property
    def origin(self) -> str:
        return self.address.partition("/?")[0]

    @property
    def port(self) -> int:
        return int(self.origin.rpartition(":")[2])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def open_page(home: Path, port: int) -> subprocess.Popen[str]:
    env = {
        **os.environ,
        "SOVDECK_HOME": str(home),
        "PYTHONPATH": str(ROOT / "dev"),
        "SOVDECK_LANG": "en",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "sovdeck.tui.cli.main", "web", "--json", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=home,
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    process = open_page(tmp_path_factory.mktemp("home"), free_port())
    assert process.stdout is not None
    reported = json.loads(process.stdout.readline())
    yield Page(reported["address"], process)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
