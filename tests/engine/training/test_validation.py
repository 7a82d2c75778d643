"""What is saved and exported when, and what validation may say: marks and a hint, never a stop."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from micro_stage import Record, run_stage
from micro_voice import CPU, gpt_task, sovits_pro_task, sovits_task, with_speakers

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.runtime import rng
from sovdeck.engine.runtime.signals import StopFlag
from sovdeck.engine.training import samples, stage, validation
from sovdeck.engine.training.context import RunContext
from sovdeck.engine.training.features import TrainingClip


def test_the_best_epoch_is_marked_and_an_earlier_one_suggested(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    values = iter([3.0, 2.0, 2.5, 2.4, 2.6, 2.7])
    record = Record()
    outcome = run_stage(
        gpt_task(clips),
        tmp_path,
        record=record,
        validate=lambda: {"cross_entropy": next(values)},
        **{"gpt.epochs": 6},
    )
    assert [event["best"] for event in record.of("validation")] == [True, True, *[False] * 4]
    (hint,) = record.of("warning")
    assert hint["code"] == "engine.training.past_best"
    assert "since epoch 2" in hint["message"]["en"] and "epoch 5" in hint["message"]["en"]
    assert outcome.updates == 6 * len(gpt_task(clips).epoch_updates(1)), (
        "training went on to the end"
    )
    newest = sorted((tmp_path / "states" / "gpt").iterdir())[-1]
    best = json.loads((newest / "manifest.json").read_text())["facts"]["best"]
    assert (best["epoch"], best["saves_since"]) == (2, 4)


def test_the_last_epoch_is_always_saved_and_exported(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    record = Record()
    run_stage(
        gpt_task(clips), tmp_path, record=record, **{"gpt.epochs": 5, "gpt.save_every_epochs": 2}
    )
    assert [event["epoch"] for event in record.of("export")] == [2, 4, 5]
    assert [event["epoch"] for event in record.of("checkpoint")] == [0, 2, 4, 5]
    assert len(list((tmp_path / "states" / "gpt").iterdir())) == 2
    assert len(list(tmp_path.glob("gpt-e*.pt"))) == 3, "keeping few states costs no exported voice"


def test_only_the_last_is_exported_when_asked(clips: list[TrainingClip], tmp_path: Path) -> None:
    record = Record()
    run_stage(gpt_task(clips), tmp_path, record=record, **{"gpt.export_each_save": False})
    assert [event["epoch"] for event in record.of("export")] == [2]


def test_events_tell_rate_time_and_losses(clips: list[TrainingClip], tmp_path: Path) -> None:
    record = Record()
    run_stage(gpt_task(clips), tmp_path, record=record)
    steps = record.of("step")
    assert [step["step"] for step in steps] == list(range(1, steps[0]["total"] + 1))
    assert 0 <= steps[-1]["eta_s"] < 30, "what closing takes"
    assert steps[-1]["rate"] > 0
    assert {"total", "accuracy"} <= set(steps[0]["losses"]) and steps[0]["grad_norm"] > 0
    assert steps[0]["lr"] == 0.002 and steps[0]["grad_norm_d"] is None


def test_both_norms_lie_beside_the_losses(clips: list[TrainingClip], tmp_path: Path) -> None:
    record = Record()
    run_stage(sovits_task(clips), tmp_path, record=record)
    (first, *_) = record.of("step")
    assert first["grad_norm"] > 0 and first["grad_norm_d"] > 0
    assert set(first["losses"]) == {
        "total",
        "mel",
        "kl",
        "features",
        "adversarial",
        "discriminator",
    }


def test_a_state_is_saved_every_few_minutes(
    clips: list[TrainingClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a save every 5 minutes, and updates of 2 minutes, every third update saves."""
    task, record, minutes = gpt_task(clips), Record(), [0.0]
    monkeypatch.setattr(stage.time, "monotonic", lambda: 60 * minutes[0])
    phases = task.phases

    def counted() -> Any:
        minutes[0] += 2
        return phases()

    monkeypatch.setattr(task, "phases", counted)
    run_stage(
        task,
        tmp_path,
        record=record,
        **{"gpt.epochs": 2, "gpt.save_every_epochs": 2, "train.save_every_minutes": 5},
    )
    epoch = len(task.epoch_updates(1))
    # A finished epoch is saved too, since a save costs nothing by this clock.
    assert epoch == 4
    assert [event["step"] for event in record.of("checkpoint")] == [0, 3, 4, 7, 8]


def test_samples_keep_no_stop_waiting(clips: list[TrainingClip], tmp_path: Path) -> None:
    record, stop = Record(), StopFlag()
    layout = Layout.at(tmp_path.as_posix())
    run_context = RunContext(RunSpec("r1", "micro", "tiny"), layout, record, stop, CPU)

    def speak(gpt: Path, text: str, out: Path) -> float:
        stop.signal = signal.SIGTERM
        return 1.0

    samples.speak_clips(run_context, speak, tmp_path, clips, 2)
    assert len(record.of("sample")) == 1
    task = sovits_task(clips)
    samples.resynthesise(run_context, task.generator, clips, 2)
    assert len(record.of("sample")) == 1 and task.generator.training


def test_v2pro_hears_held_out_clips_with_their_own_speaker_vectors(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    """Validation and samples repeat exactly, and differ where the vectors are other clips'."""
    generator = sovits_pro_task(clips).generator
    spoken = with_speakers(clips[:2])
    others = [
        replace(clip, speaker=other.speaker)
        for clip, other in zip(spoken, reversed(spoken), strict=True)
    ]
    device = CPU.torch_device
    first, again, swapped = (
        validation.sovits_metrics(generator, given, device)["mel"]
        for given in (spoken, spoken, others)
    )
    assert first == again > 0 and generator.training
    assert swapped != first
    context = RunContext(
        RunSpec("r1", "micro", "tiny"), Layout.at(tmp_path.as_posix()), Record(), StopFlag(), CPU
    )
    heard = []
    for epoch, given in enumerate((spoken, spoken, others), 1):
        samples.resynthesise(context, generator, given, epoch)
        heard.append((tmp_path / f"runs/r1/samples/sovits-e{epoch}-1.wav").read_bytes())
    assert heard[0] == heard[1]
    assert heard[2] != heard[0]


def test_samples_are_of_short_clips_and_fork_only_their_own_generators(
    clips: list[TrainingClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked: list[Any] = []
    fork_rng = torch.random.fork_rng

    def noted(devices: Any = None, *args: Any, **options: Any) -> Any:
        forked.append(devices)
        return fork_rng(devices, *args, **options)

    monkeypatch.setattr(torch.random, "fork_rng", noted)
    record = Record()
    layout = Layout.at(tmp_path.as_posix())
    run_context = RunContext(RunSpec("r1", "micro", "tiny"), layout, record, StopFlag(), CPU)
    spoken: list[str] = []

    def speak(gpt: Path, text: str, out: Path) -> float:
        spoken.append(text)
        return 1.0

    long = [
        replace(clip, samples=round(seconds * 32_000), text=str(seconds))
        for clip, seconds in zip(clips, (30.0, 20.0, 25.0), strict=False)
    ]
    samples.speak_clips(run_context, speak, tmp_path, long, 2)
    assert spoken == ["20.0"] and forked == [[]]
    samples.speak_clips(run_context, speak, tmp_path, [*long, *clips], 3)
    assert len(spoken) == 1 + samples.SAMPLE_COUNT and not {"30.0", "25.0"} & set(spoken)
    rng.forked(torch.device("cuda", 1))
    assert forked[-1] == [torch.device("cuda", 1)]
