"""Saved states: whole or not there, two kept, the newest that verifies."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from sovdeck.engine.runtime import rng
from sovdeck.engine.runtime.checkpoint import CheckpointStore


def save(checkpoints: CheckpointStore, step: int) -> None:
    checkpoints.save(step, {"model": torch.full((64,), float(step))}, {"n": step})


def test_two_are_kept_and_the_newest_is_read(tmp_path: Path) -> None:
    checkpoints = CheckpointStore(tmp_path)
    for step in (1, 2, 10):
        save(checkpoints, step)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002", "step-00000010"]
    state, faults = checkpoints.find_newest()
    assert state is not None and state.facts == {"n": 10} and faults == ()
    assert state.load("model").tolist() == [10.0] * 64


@pytest.mark.parametrize("keep_all", [False, True], ids=["latest", "all"])
def test_a_damaged_state_does_not_stand_in_for_a_whole_one(tmp_path: Path, keep_all: bool) -> None:
    """Training goes on from the one before it, and again has two to fall back on."""
    checkpoints = CheckpointStore(tmp_path, keep_all=keep_all)
    for step in (4, 8):
        save(checkpoints, step)
    (tmp_path / "step-00000008" / "model.pt").write_bytes(b"")
    for step in (5, 6):
        save(checkpoints, step)
        (tmp_path / f"step-{step:08d}" / "manifest.json").rename(tmp_path / "aside")
        state, _ = checkpoints.find_newest()
        assert state is not None and state.step == {5: 4, 6: 5}[step]
        (tmp_path / "aside").rename(tmp_path / f"step-{step:08d}" / "manifest.json")
    assert checkpoints.find_newest()[1] == ()


def test_all_are_kept_when_asked(tmp_path: Path) -> None:
    checkpoints = CheckpointStore(tmp_path, keep_all=True)
    for step in range(4):
        save(checkpoints, step)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("damage", ["flip", "cut", "no manifest", "no file", "bad manifest"])
def test_damage_is_noticed(tmp_path: Path, damage: str) -> None:
    checkpoints = CheckpointStore(tmp_path)
    save(checkpoints, 1)
    save(checkpoints, 2)
    newest = tmp_path / "step-00000002"
    model, manifest = newest / "model.pt", newest / "manifest.json"
    data = bytearray(model.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        model.write_bytes(data)
    elif damage == "cut":
        model.write_bytes(data[:-1])
    elif damage == "no manifest":
        manifest.unlink()
    elif damage == "no file":
        model.unlink()
    else:
        manifest.write_text('{"files": {}, "facts": 3}')
    state, faults = checkpoints.find_newest()
    assert state is not None and state.step == 1
    assert [fault.name for fault in faults] == ["step-00000002"]


def test_the_same_step_may_be_saved_again(tmp_path: Path) -> None:
    checkpoints = CheckpointStore(tmp_path)
    save(checkpoints, 1)
    checkpoints.save(1, {"model": torch.zeros(1)}, {"n": "again"})
    state, _ = checkpoints.find_newest()
    assert state is not None and state.facts == {"n": "again"}
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked writers, which needs fork")
def test_kills_at_fifty_moments_inside_saves_always_leave_a_state(tmp_path: Path) -> None:
    chance_of_kill = random.Random(4)
    checkpoints = CheckpointStore(tmp_path)
    save(checkpoints, 0)
    step, partial = 0, 0
    for _ in range(50):
        child = os.fork()
        if child == 0:
            number = step
            while True:
                number += 1
                checkpoints.save(number, {"model": torch.ones(20000) * number}, {"n": number})
        time.sleep(chance_of_kill.uniform(0.002, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        partial += any(p.name.startswith(".tmp") for p in tmp_path.iterdir())
        state, faults = checkpoints.find_newest()
        assert state is not None and state.step >= step and not faults
        assert state.facts["n"] == state.step
        assert float(state.load("model")[0]) == state.step
        step = state.step
    assert partial > 5, "some kills must have hit a save half way"


def test_a_state_of_an_earlier_version_keeps_its_rng_states(tmp_path: Path) -> None:
    checkpoints = CheckpointStore(tmp_path)
    checkpoints.save(3, {"model": {}, "dice": [{"seed": 7}]}, {})
    state, faults = checkpoints.find_newest()
    assert state is not None and not faults and state.load("rng_states") == [{"seed": 7}]


def test_every_rng_state_is_put_back() -> None:
    rng.seed_all(3)
    state = rng.capture()
    first = (random.random(), np.random.rand(), torch.rand(1).item())
    rng.restore(state)
    assert first == (random.random(), np.random.rand(), torch.rand(1).item())
    assert torch.rand(1).item() != first[2]
