"""Running out of memory: smaller pieces, the same effective batch, nothing skipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from micro_stage import Record, make_stage, run_stage, weights
from micro_voice import gpt_task, sovits_task, without_dropout
from shortage import starve

from engine.contract.problem import ExitCode, Problem
from engine.runtime.memory_end import is_out_of_memory
from engine.runtime.signals import StopFlag
from engine.training.features import Clip
from engine.training.progress import Position
from engine.training.task import Desk, LoopSettings
from engine.training.updating import probe, room_for_moments


def close(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], bound: float) -> None:
    for name, value in one.items():
        assert torch.allclose(value.float(), other[name].float(), rtol=bound, atol=bound), name


@pytest.mark.parametrize("name", ["sovits", "gpt"])
def test_smaller_pieces_give_the_same_update(name: str, clips: list[Clip], tmp_path: Path) -> None:
    make = sovits_task if name == "sovits" else gpt_task
    results = []
    record = Record()
    for largest in (99, 1):
        task = make(clips, batch=2)
        models = (task.generator, task.discriminator) if name == "sovits" else (task.model,)
        for model in models:
            without_dropout(model)
        starve(models[0], largest, [])
        outcome = run_stage(task, tmp_path / str(largest), record=record)
        results.append((outcome, weights(task)))
    (plain, whole), (starved, pieces) = results
    assert starved.updates == plain.updates
    # Sums in another order; a wrong weight of a piece would differ in the first digit.
    assert starved.last_loss == pytest.approx(plain.last_loss, rel=1e-3)
    close({k: v for k, v in whole.items() if k.startswith(".model")}, pieces, 2e-2)
    (event,) = record.of("oom_recovered")
    assert (event["batch_before"], event["batch_after"], event["effective_batch"]) == (2, 1, 2)


def test_the_judge_steps_once_when_the_generator_runs_out(
    clips: list[Clip], tmp_path: Path
) -> None:
    task = sovits_task(clips)
    steps: list[int] = []
    step, imitate = task._step_discriminator, task._imitate
    failed: list[int] = []

    def counted() -> Any:
        steps.append(1)
        return step()

    def failing(pieces: Any) -> Any:
        if not failed:
            failed.append(1)
            raise torch.OutOfMemoryError("injected")
        return imitate(pieces)

    task._step_discriminator, task._imitate = counted, failing  # type: ignore[method-assign]
    outcome = run_stage(task, tmp_path)
    assert failed and len(steps) == outcome.updates


def test_one_clip_that_does_not_fit_is_named(clips: list[Clip], tmp_path: Path) -> None:
    task = gpt_task(clips)
    starve(task.model, 0, [])
    with pytest.raises(Problem) as problem:
        run_stage(task, tmp_path)
    assert problem.value.exit_code is ExitCode.MEMORY
    assert ".wav" in problem.value.facts["clips"] and problem.value.facts["batch"] == 1


def test_a_person_may_prefer_to_stop(clips: list[Clip], tmp_path: Path) -> None:
    task = gpt_task(clips)
    starve(task.model, 1, [])
    with pytest.raises(Problem):
        run_stage(task, tmp_path, **{"train.on_oom": "stop"})


def test_other_errors_are_not_mistaken_for_memory(clips: list[Clip], tmp_path: Path) -> None:
    task = gpt_task(clips)

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("shapes do not fit")

    task.model.forward = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="shapes"):
        run_stage(task, tmp_path)


def test_the_probe_finds_what_fits_without_training(clips: list[Clip], tmp_path: Path) -> None:
    task, record = sovits_task(clips, batch=4), Record()
    starve(task.generator, 1, [])
    before = weights(task)
    desk = Desk(record, StopFlag(), lambda: False, print, Position, lambda *_: None)
    dice = torch.get_rng_state()
    position = probe(task, task.load(1, 0, ((0, 1, 2, 3),)), Position(), LoopSettings(1, 4), desk)
    assert position.micro == 1 and len(record.of("oom_recovered")) == 2
    assert torch.equal(dice, torch.get_rng_state())
    assert all(torch.equal(value, weights(task)[name]) for name, value in before.items())


def test_the_probe_gives_a_larger_gpu_the_whole_batch_again(clips: list[Clip]) -> None:
    task, record = sovits_task(clips, batch=4), Record()
    desk = Desk(record, StopFlag(), lambda: False, print, Position, lambda *_: None)
    saved = Position(epoch=2, index=1, step=5, micro=1)
    position = probe(task, task.load(1, 0, ((0, 1, 2, 3),)), saved, LoopSettings(1, 4), desk)
    assert position == Position(epoch=2, index=1, step=5, micro=0)


def test_the_probe_leaves_room_for_the_moments(clips: list[Clip]) -> None:
    task = sovits_task(clips)
    trained = [*task.discriminator.parameters(), *task.generator.parameters()]
    count = sum(p.numel() for p in trained if p.requires_grad)
    assert sum(one.numel() for one in room_for_moments(task.optimizers)) == 2 * count
    for phase in task.phases():
        phase.compute(task.heaviest())
        phase.apply()
    # Each has its own now, but for weights that this voice's clips never touched.
    assert sum(one.numel() for one in room_for_moments(task.optimizers)) < 0.2 * count


@pytest.mark.parametrize("schedule", ["fixed", "upstream"])
@pytest.mark.parametrize("name", ["sovits", "gpt"])
def test_the_heaviest_batch_holds_the_longest_clips(
    name: str, schedule: str, clips: list[Clip]
) -> None:
    task = (sovits_task if name == "sovits" else gpt_task)(clips, batch=3, schedule=schedule)
    (batch,) = task.heaviest()
    size = {
        clip.name: clip.frames if name == "sovits" else len(clip.phones) + len(clip.tokens)
        for clip in clips
    }
    longest = sorted(size.values(), reverse=True)
    if schedule == "upstream":  # a small set is repeated: the longest comes more than once
        longest = longest[:1] * 3
    assert [size[clip] for clip in batch.clips] == longest[:3]


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
    ],
    ids=["allocator", "driver", "cublas", "cpu", "defect"],
)
def test_what_counts_as_running_out(error: RuntimeError, memory: bool) -> None:
    assert is_out_of_memory(error) is memory


def test_the_smaller_batch_is_kept_for_the_rest_of_the_run(
    clips: list[Clip], tmp_path: Path
) -> None:
    task, calls = gpt_task(clips), []
    starve(task.model, 1, calls)
    stage = make_stage(task, tmp_path)
    stage.run()
    assert calls.count(2) == 1
