"""Fixtures of a voice's whole way through the house; see trip_ground.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from trip_steps import ROOT, VOICE, Recorded  # noqa: E402 - tests/ is not a package


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("practice")
    argv = [sys.executable, "-m", "sovdeck.engine.practice", str(folder), VOICE, "10"]
    made = subprocess.run(argv, check=True, capture_output=True, cwd=ROOT)
    facts = json.loads(made.stdout.decode().strip().rpartition("\n")[2])
    assert facts["clips"] == 10
    return Recorded(Path(facts["list"]), folder / "wavs")


@pytest.fixture(autouse=True)
def without_the_users_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No agent, so that only the server's own key is offered."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert "SSH_AUTH_SOCK" not in os.environ
