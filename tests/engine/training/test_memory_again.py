"""After a moment's shortage of memory the batch grows back, seldom tried and told."""

from __future__ import annotations

import signal
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from micro_stage import Record, make_stage, run_stage, same, weights
from micro_voice import TASKS, gpt_task

from sovdeck.engine.runtime import rng
from sovdeck.engine.runtime.signals import StopFlag, Stopped
from sovdeck.engine.training import meters
from sovdeck.engine.training.features import TrainingClip
from sovdeck.engine.training.meters import Position


def tried_at(position: Position, fits: int, batch: int, updates: int) -> list[int]:
    """Steps at which more clips at once are tried, where `fits` clips have room."""
    steps = []
    for _ in range(updates):
        micro = position.grown_micro(batch)
        if micro != position.micro:
            steps.append(position.step)
            position = position.with_micro(micro)
        whole = micro == 0
        position = position.after_update(fits if fits < (batch if whole else micro) else micro)
    return steps


def test_a_moments_shortage_is_over_after_two_tries() -> None:
    short = Position(step=10).with_micro(2)
    assert (short.shortages, short.grow_at) == (1, 60)
    assert tried_at(short, 8, batch=8, updates=2000) == [60, 110]


def test_a_gpu_that_is_too_small_is_tried_ever_more_seldom() -> None:
    steps = tried_at(Position().with_micro(4), 4, batch=8, updates=100_000)
    assert len(steps) <= 7
    waits = [later - step for step, later in zip(steps, steps[1:], strict=False)]
    assert all(3.5 * wait < later for wait, later in zip(waits, waits[1:], strict=False))


def test_what_was_learnt_of_memory_is_saved_with_a_state_and_outlives_a_roll_back() -> None:
    position = Position(epoch=3, step=200).with_micro(4).with_micro(2)
    assert Position.from_facts(position.as_facts()) == position
    restored = Position(epoch=2, step=100).going_on_from(position)
    assert (restored.micro, restored.shortages, restored.step) == (2, 2, 100)
    older = {"epoch": 1, "index": 0, "step": 7, "micro": 2, "left_out": []}
    assert Position.from_facts(older).grown_micro(4) == 0


def starve_for(task: Any, calls: int) -> None:
    """Let the first `calls` passes of more than one clip run out of memory."""
    plain = task.model.forward
    seen: list[int] = []

    def forward(first: torch.Tensor, *rest: Any, **options: Any) -> Any:
        if len(first) > 1 and len(seen) < calls:
            seen.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory (injected)")
        return plain(first, *rest, **options)

    task.model.forward = forward


def test_the_batch_grows_back_and_says_so(
    clips: list[TrainingClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meters, "_GROW_AFTER", 2)
    task, record = gpt_task(clips, batch=2), Record()
    starve_for(task, 2)  # at the first update, and at the first try
    run_stage(task, tmp_path, record=record)
    grown = [one for one in record.of("warning") if one["code"] == "engine.training.batch_grown"]
    assert [one["step"] for one in grown] == [3]  # the next one would be at step 12
    assert "2 clips at once are tried again instead of 1" in grown[0]["message"]["en"]
    assert [one["batch_after"] for one in record.of("oom_recovered")] == [1, 1]


def test_a_resumed_run_tries_where_the_whole_one_does(
    clips: list[TrainingClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meters, "_GROW_AFTER", 5)
    whole, in_two = gpt_task(clips, batch=2), gpt_task(clips, batch=2)
    for task in (whole, in_two):
        starve_for(task, 1)
    heard, again = Record(), Record()
    epochs: dict[str, Any] = {"gpt.epochs": 3}
    run_stage(whole, tmp_path / "whole", record=heard, **epochs)

    stop = StopFlag()
    rng.seed_all(5)
    stage = make_stage(in_two, tmp_path / "two", again, stop, **epochs)
    run_epoch = in_two.set_learning_rate

    def stop_in_epoch_two(epoch: int) -> None:
        run_epoch(epoch)
        if epoch == 2:
            stop.signal = signal.SIGTERM

    in_two.set_learning_rate = stop_in_epoch_two  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        stage.run()
    resumed = gpt_task(clips, batch=2)
    make_stage(resumed, tmp_path / "two", again, **epochs).run()

    def tries(record: Record) -> list[int]:
        return [
            one["step"]
            for one in record.of("warning")
            if one["code"] == "engine.training.batch_grown"
        ]

    assert tries(heard) == tries(again) != []
    assert same(weights(whole), weights(resumed))


@pytest.mark.parametrize("name", TASKS)
def test_a_restored_state_is_never_held_twice(
    name: str, clips: list[TrainingClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts are read one after another, beside the device; moments go before others come."""
    task = TASKS[name](clips, batch=2)
    run_stage(task, tmp_path)
    before = weights(task)
    moments = [
        weakref.ref(value)
        for optimizer in task.optimizers
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    ]
    assert moments
    plain_load, plain_restore = torch.load, torch.optim.Optimizer.load_state_dict
    held: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    def load(file: Path, **options: Any) -> Any:
        assert options["map_location"] == "cpu"
        alive.append(sum(one() is not None for one in held))
        part = plain_load(file, **options)
        # Here the optimiser goes on with the very moments that were read; a GPU's has copies.
        held[:] = [] if file.stem == "optimizer" else map(weakref.ref, _tensors(part))
        return part

    def restore(optimizer: torch.optim.Optimizer, state: Any) -> None:
        assert not optimizer.state
        plain_restore(optimizer, state)

    monkeypatch.setattr(torch, "load", load)
    monkeypatch.setattr(torch.optim.Optimizer, "load_state_dict", restore)
    stage = make_stage(task, tmp_path)
    stage._roll_back()
    assert len(alive) >= 3 and not any(alive)
    assert all(one() is None for one in moments)
    assert same(before, weights(task))


def _tensors(part: Any) -> list[torch.Tensor]:
    if isinstance(part, torch.Tensor):
        return [part]
    values = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return [one for value in values for one in _tensors(value)]
