"""Fixtures of a voice's whole way through the house; see trip_steps.py."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE), str(_HERE.parent / "rehearsal")]

from tmux_terminal import Terminal  # noqa: E402 - tests/ is not a package
from trip_steps import ROOT, VOICE, Recorded  # noqa: E402


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("practice")
    argv = [sys.executable, "-m", "sovdeck.engine.practice", str(folder), VOICE, "10"]
    made = subprocess.run(argv, check=True, capture_output=True, cwd=ROOT)
    facts = json.loads(made.stdout.decode().strip().rpartition("\n")[2])
    assert facts["clips"] == 10
    return Recorded(Path(facts["list"]), folder / "wavs")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not on this machine")
    made = Terminal(tmp_path)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def without_the_users_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No agent, so that only the server's own key is offered."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert "SSH_AUTH_SOCK" not in os.environ
