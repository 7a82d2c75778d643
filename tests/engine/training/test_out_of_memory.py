"""Running out of memory: smaller pieces, the same effective batch, nothing skipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from micro_stage import Record, make_stage, run_stage, weights
from micro_voice import TASKS, gpt_task, networks, sovits_task, without_dropout
from out_of_memory import starve

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime.oom import is_out_of_memory
from sovdeck.engine.runtime.signals import StopFlag
from sovdeck.engine.training.features import TrainingClip
from sovdeck.engine.training.meters import Position
from sovdeck.engine.training.task import LoopSettings, TrainingCallbacks
from sovdeck.engine.training.update_step import allocate_moments, probe_memory


def close(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], bound: float) -> None:
    for name, value in one.items():
        assert torch.allclose(value.float(), other[name].float(), rtol=bound, atol=bound), name


@pytest.mark.parametrize("name", TASKS)
def test_smaller_pieces_give_the_same_update(
    name: str, clips: list[TrainingClip], tmp_path: Path
) -> None:
    make = TASKS[name]
    results = []
    record = Record()
    for largest in (99, 1):
        task = make(clips, batch=2)
        models = networks(task)
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
    clips: list[TrainingClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = sovits_task(clips)
    steps: list[int] = []
    step, imitate = task._step_discriminator, task._compute_generator_gradients
    failed: list[int] = []

    def counted() -> Any:
        steps.append(1)
        return step()

    def failing(pieces: Any) -> Any:
        if not failed:
            failed.append(1)
            raise torch.OutOfMemoryError("injected")
        return imitate(pieces)

    monkeypatch.setattr(task, "_step_discriminator", counted)
    monkeypatch.setattr(task, "_compute_generator_gradients", failing)
    outcome = run_stage(task, tmp_path)
    assert failed and len(steps) == outcome.updates


def test_one_clip_that_does_not_fit_is_named(clips: list[TrainingClip], tmp_path: Path) -> None:
    task = gpt_task(clips)
    starve(task.model, 0, [])
    with pytest.raises(Problem) as problem:
        run_stage(task, tmp_path)
    assert problem.value.exit_code is ExitCode.MEMORY
    assert ".wav" in problem.value.facts["clips"] and problem.value.facts["batch"] == 1


def test_a_person_may_prefer_to_stop(clips: list[TrainingClip], tmp_path: Path) -> None:
    task = gpt_task(clips)
    starve(task.model, 1, [])
    with pytest.raises(Problem):
        run_stage(task, tmp_path, **{"train.on_oom": "stop"})


def test_other_errors_are_not_mistaken_for_memory(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    task = gpt_task(clips)

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("shapes do not fit")

    task.model.forward = broken
    with pytest.raises(RuntimeError, match="shapes"):
        run_stage(task, tmp_path)


def test_the_probe_finds_what_fits_without_training(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    task, record = sovits_task(clips, batch=4), Record()
    starve(task.generator, 1, [])
    before = weights(task)
    session = TrainingCallbacks(record, StopFlag(), lambda: False, print, Position, lambda *_: None)
    rng_state = torch.get_rng_state()
    position = probe_memory(
        task, task.load_batches(1, 0, ((0, 1, 2, 3),)), Position(), LoopSettings(1, 4), session
    )
    assert position.micro == 1 and len(record.of("oom_recovered")) == 2
    assert torch.equal(rng_state, torch.get_rng_state())
    assert all(torch.equal(value, weights(task)[name]) for name, value in before.items())


def test_the_probe_gives_a_larger_gpu_the_whole_batch_again(clips: list[TrainingClip]) -> None:
    task, record = sovits_task(clips, batch=4), Record()
    session = TrainingCallbacks(record, StopFlag(), lambda: False, print, Position, lambda *_: None)
    saved = Position(epoch=2, index=1, step=5, micro=1)
    position = probe_memory(
        task, task.load_batches(1, 0, ((0, 1, 2, 3),)), saved, LoopSettings(1, 4), session
    )
    assert position == Position(epoch=2, index=1, step=5, micro=0)


def test_the_probe_leaves_memory_for_the_moments(clips: list[TrainingClip]) -> None:
    task = sovits_task(clips)
    trained = [*task.discriminator.parameters(), *task.generator.parameters()]
    count = sum(p.numel() for p in trained if p.requires_grad)
    assert sum(one.numel() for one in allocate_moments(task.optimizers)) == 2 * count
    for phase in task.phases():
        phase.compute(task.largest_batch())
        phase.apply()
    # Each has its own now, but for weights that this voice's clips never touched.
    assert sum(one.numel() for one in allocate_moments(task.optimizers)) < 0.2 * count


@pytest.mark.parametrize("schedule", ["fixed", "upstream"])
@pytest.mark.parametrize("name", TASKS)
def test_the_heaviest_batch_holds_the_longest_clips(
    name: str, schedule: str, clips: list[TrainingClip]
) -> None:
    task = TASKS[name](clips, batch=3, schedule=schedule)
    (batch,) = task.largest_batch()
    size = {
        clip.name: clip.frames if task.name == "sovits" else len(clip.phones) + len(clip.tokens)
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
        (RuntimeError("CUDA driver error: out of memory"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), True),
        (RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"), True),
        (torch.distributed.DistBackendError("Cuda failure 'out of memory'"), True),
        (torch.distributed.DistBackendError("Failed to CUDA calloc 536870912 bytes"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("CUDA error: out of memory"), False),
    ],
)
def test_what_counts_as_running_out(error: Exception, memory: bool) -> None:
    assert is_out_of_memory(error) is memory


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR",
        "GET was unable to find an engine to execute this computation",
        "Unable to find a valid cuDNN algorithm to run convolution",
        "cuFFT error: CUFFT_INTERNAL_ERROR",
        "CUDA driver error: device not ready",
    ],
)
def test_an_error_of_several_meanings_counts_while_memory_is_short(message: str) -> None:
    error, gib = RuntimeError(message), 1 << 30
    assert is_out_of_memory(error, lambda: (gib // 4, 8 * gib))
    assert is_out_of_memory(error, lambda: (3 * gib, 80 * gib))  # a twentieth of a large card
    assert not is_out_of_memory(error, lambda: (gib, 8 * gib))


def test_the_smaller_batch_is_kept_for_the_rest_of_the_run(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    task = gpt_task(clips)
    calls: list[Any] = []
    starve(task.model, 1, calls)
    stage = make_stage(task, tmp_path)
    stage.run()
    assert calls.count(2) == 1
