"""NaN in a batch: the weights stay sound, the batch is named, training goes on without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from micro_stage import Record, run_stage, weights
from micro_voice import TASKS, gpt_task, sovits_task
from out_of_memory import starve, tear

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.training.features import TrainingClip


def poison(task: Any, bad: set[tuple[int, int]]) -> None:
    """Make chosen (epoch, index) updates give NaN."""
    load = task.load_batches

    def loaded(epoch: int, index: int, update: Any) -> Any:
        batches = load(epoch, index, update)
        if (epoch, index) in bad:
            for batch in batches:
                (batch.spec if task.name == "sovits" else batch.bert).fill_(float("nan"))
        return batches

    task.load_batches = loaded


@pytest.mark.parametrize("name", TASKS)
def test_a_bad_batch_is_named_and_left_out(
    name: str, clips: list[TrainingClip], tmp_path: Path
) -> None:
    task = TASKS[name](clips)
    poison(task, {(1, 2)})
    record = Record()
    outcome = run_stage(task, tmp_path, record=record)
    (notice,) = record.of("warning")
    assert notice["code"] == "engine.training.rolled_back"
    clip = task._clips[task.epoch_updates(1)[2][0][0]].name
    assert "epoch 1, update 3" in notice["message"]["en"] and clip in notice["message"]["en"]
    assert outcome.updates == 2 * len(task.epoch_updates(1)) - 1
    assert all(value.isfinite().all() for value in weights(task).values())


def test_a_judge_that_has_no_finite_gradient_is_noticed_at_once(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    """Its loss is finite still: the weights would be lost one update before anything shows."""
    task, record = sovits_task(clips), Record()
    weight, passes = next(task.discriminator.parameters()), []

    def once(gradient: torch.Tensor) -> torch.Tensor:
        passes.append(1)
        return gradient * float("nan") if len(passes) == 3 else gradient

    weight.register_hook(once)
    run_stage(task, tmp_path, record=record)
    (notice,) = record.of("warning")
    assert notice["code"] == "engine.training.rolled_back"
    assert "epoch 1, update 3" in notice["message"]["en"]
    assert all(value.isfinite().all() for value in weights(task).values())


def test_many_bad_batches_end_the_run(clips: list[TrainingClip], tmp_path: Path) -> None:
    task = gpt_task(clips)
    poison(task, {(1, index) for index in range(4)})
    with pytest.raises(Problem) as problem:
        run_stage(task, tmp_path)
    assert problem.value.key == "engine.training.not_finite"
    assert problem.value.exit_code is ExitCode.DATA
    assert all(value.isfinite().all() for value in weights(task).values())


def test_a_left_out_last_update_hides_none_before_it(
    clips: list[TrainingClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a long epoch losses are read every tenth update, and at its end: whichever it is."""
    monkeypatch.setattr("sovdeck.engine.training.loop._MANY_UPDATES", 0)
    task, record = gpt_task(clips), Record()
    last = len(task.epoch_updates(1)) - 1
    bad, forget = {(1, last)}, task.discard_gradients
    poison(task, bad)

    def rolled_back() -> None:
        forget()
        bad.add((1, last - 1))

    task.discard_gradients = rolled_back  # type: ignore[method-assign]
    run_stage(task, tmp_path, record=record)
    reported = [notice["message"]["en"] for notice in record.of("warning")]
    assert all(
        f"update {number}" in text for number, text in zip((last + 1, last), reported, strict=True)
    )
    assert all(value.isfinite().all() for value in weights(task).values())
    for state in (tmp_path / "states" / "gpt").iterdir():
        model = torch.load(state / "model.pt", weights_only=True)
        assert all(value.isfinite().all() for value in model.values())


def test_a_roll_back_keeps_what_was_learnt_about_memory(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    """The state that comes back was saved before the batch had to be halved."""
    task, record = gpt_task(clips), Record()
    poison(task, {(1, 2)})
    starve(task.model, 1, [])
    run_stage(task, tmp_path, record=record)
    assert record.codes() == ["engine.training.rolled_back"]
    assert len(record.of("oom_recovered")) == 1


def test_a_torn_update_keeps_what_was_left_out(clips: list[TrainingClip], tmp_path: Path) -> None:
    task, record = gpt_task(clips), Record()
    poison(task, {(1, 1)})
    tear(task, "gpt", epoch=1, update=4)  # counted over the roll-back: after the bad one
    run_stage(task, tmp_path, record=record)
    assert record.codes() == ["engine.training.rolled_back", "engine.training.step_undone"]


def test_a_state_is_never_saved_from_bad_numbers(clips: list[TrainingClip], tmp_path: Path) -> None:
    task = gpt_task(clips)
    poison(task, {(1, 3)})  # the last update before the save at the end of the epoch
    run_stage(task, tmp_path)
    for state in (tmp_path / "states" / "gpt").iterdir():
        model = torch.load(state / "model.pt", weights_only=True)
        assert all(value.isfinite().all() for value in model.values())
