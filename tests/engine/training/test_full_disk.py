"""A disk that fills up during a save: the old state survives, training waits, then goes on."""

from __future__ import annotations

import errno
import resource
import signal
from pathlib import Path

import pytest
import torch
from micro_stage import Record, make_stage, weights
from micro_voice import CPU, gpt_task, sovits_task

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.runtime.checkpoint import CheckpointStore
from sovdeck.engine.runtime.signals import StopFlag, Stopped
from sovdeck.engine.training import resume, samples
from sovdeck.engine.training.context import RunContext
from sovdeck.engine.training.features import TrainingClip


@pytest.fixture
def small_files() -> object:
    """Files above 64 KiB cannot be written, as on a full disk, until the limit is lifted."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_save_that_does_not_fit_leaves_the_old_state(tmp_path: Path, small_files: object) -> None:
    checkpoints = CheckpointStore(tmp_path)
    checkpoints.save(1, {"model": torch.arange(5)}, {"n": 1})
    small_files()  # type: ignore[operator]
    with pytest.raises(OSError) as error:
        checkpoints.save(2, {"model": torch.zeros(1 << 18)}, {"n": 2})
    assert error.value.errno == errno.EFBIG
    state, faults = checkpoints.find_newest()
    assert state is not None and state.step == 1 and not faults
    assert torch.equal(state.load("model"), torch.arange(5))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_training_waits_for_space_and_goes_on(
    clips: list[TrainingClip], tmp_path: Path, small_files: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = gpt_task(clips)
    make_stage(straight, tmp_path / "straight").run()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    waits: list[int] = []

    def space_returns(seconds: float) -> None:
        waits.append(1)
        if len(waits) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    monkeypatch.setattr(resume.retry_while_disk_full, "__kwdefaults__", {"sleep": space_returns})
    task, record = gpt_task(clips), Record()
    stage = make_stage(task, tmp_path / "full", record)
    small_files()  # type: ignore[operator]
    outcome = stage.run()
    assert len(waits) == 2
    assert record.codes() == ["engine.training.disk_full"]
    (stall,) = record.of("stall")
    assert stall["why"] == "disk_full" and stall["seconds"] >= 0
    assert outcome.updates == 2 * len(task.epoch_updates(1))
    assert all(torch.equal(v, weights(task)[k]) for k, v in weights(straight).items())


def test_a_stop_is_heard_while_waiting() -> None:
    record = Record()
    with StopFlag() as stop:
        stop.signal = signal.SIGTERM

        def full() -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(Stopped):
            resume.retry_while_disk_full(full, record, stop, "gpt", sleep=lambda _: None)


def test_other_errors_are_not_waited_for() -> None:
    def refused() -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(PermissionError):
        resume.retry_while_disk_full(refused, Record(), StopFlag(), "gpt", sleep=lambda _: None)


def space_in(folder: Path, record: Record) -> RunContext:
    layout = Layout.at(folder.as_posix())
    return RunContext(RunSpec("r1", "micro", "tiny"), layout, record, StopFlag(), CPU)


def test_a_sample_that_does_not_fit_is_only_a_warning(
    clips: list[TrainingClip], tmp_path: Path, small_files: object
) -> None:
    task, record = sovits_task(clips), Record()
    longest = sorted(clips, key=lambda clip: clip.frames)[-2:]  # above 64 KiB
    small_files()  # type: ignore[operator]
    samples.resynthesise(space_in(tmp_path, record), task.generator, longest, 3)
    assert record.codes() == ["engine.training.sample_lost"] * 2 and not record.of("sample")
    assert not list((tmp_path / "runs" / "r1" / "samples").iterdir())
    assert task.generator.training


def test_only_a_full_disk_or_memory_makes_a_spoken_sample_a_warning(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    record = Record()
    faults = [OSError(errno.ENOSPC, "full"), torch.OutOfMemoryError("full"), RuntimeError("defect")]

    def speak(gpt: Path, text: str, out: Path) -> float:
        raise faults.pop(0)

    with pytest.raises(RuntimeError, match="defect"):
        samples.speak_clips(space_in(tmp_path, record), speak, tmp_path, clips, 3)
    assert record.codes() == ["engine.training.sample_lost"] * 2
    with pytest.raises(PermissionError):
        faults.append(PermissionError(errno.EACCES, "no"))
        samples.speak_clips(space_in(tmp_path, record), speak, tmp_path, clips, 3)
