"""Updates of both stages on the card: against the processor, falling, resumed, out of memory."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from card import Card, speaker_numbers

from benchmarks.synthetic import fill, gpt_batch, sovits_batch
from sovdeck.engine.contract.estimate import memory_bytes
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.runtime.device import Device, Precision, best_format
from sovdeck.engine.runtime.distributed import Peers
from sovdeck.engine.runtime.oom import is_out_of_memory
from sovdeck.engine.runtime.signals import StopFlag
from sovdeck.engine.training.batch_schedule import BatchSizes
from sovdeck.engine.training.features import TrainingClip
from sovdeck.engine.training.gpt_task import GptSettings, GptTask
from sovdeck.engine.training.meters import Position
from sovdeck.engine.training.sovits_task import SovitsSettings, SovitsTask
from sovdeck.engine.training.task import LoopSettings, TrainingCallbacks
from sovdeck.engine.training.update_step import run_update

CLIPS, FRAMES, PHONES, TOKENS = 4, 150, 40, 75
FORMATS = ("fp32", "fp16", "bf16")
# Of the losses of the first update, against fp32 on the processor.
LOSS_BOUNDS = {"fp32": 1e-3, "fp16": 1e-2, "bf16": 1e-2}


def make_task(stage: str, card: Card, device: Device, precision: str) -> tuple[Any, list[Any]]:
    """A task without dropout, and its batch."""
    number_format, peers = Precision(precision, device.kind), Peers()
    if stage == "gpt":
        model = Text2Semantic(card.gpt)
        fill(model, "model.")
        batch: Any = gpt_batch(CLIPS, PHONES, TOKENS, bert_dim=card.gpt.bert_dim)
        settings = GptSettings(BatchSizes(CLIPS))
        clips = [TrainingClip("c", (), (0,) * TOKENS, "", Path(), Path(), None, 0)] * CLIPS
        task: Any = GptTask(model, clips, settings, device, number_format, peers)
        models = [task.model]
    else:
        config = card.sovits("v2" if stage == "sovits" else "v2Pro")
        generator, discriminator = Synthesizer(config), Discriminator(config)
        fill(generator)
        fill(discriminator)
        batch = sovits_batch(
            CLIPS, FRAMES, PHONES, config.ssl_dim, config.inter_channels, speaker_numbers(config)
        )
        chosen = SovitsSettings(BatchSizes(CLIPS))
        task = SovitsTask(generator, discriminator, [], chosen, device, number_format, peers)
        models = [task.generator, task.discriminator]
    for model in models:
        for module in model.modules():
            for name in ("p", "dropout", "p_dropout"):
                if isinstance(getattr(module, name, None), float):
                    setattr(module, name, 0.0)
    return task, [batch]


STAGES = ("gpt", "sovits", "sovits-v2Pro")


def update(task: Any, batches: list[Any]) -> dict[str, float]:
    losses: dict[str, torch.Tensor] = {}
    for phase in task.phases():
        losses.update(phase.compute(batches))
        losses.update(phase.apply())
    return {name: float(value) for name, value in losses.items()}


def skip_without(card: Card, precision: str) -> None:
    if card.is_gpu and precision != "fp32":
        best = best_format(torch.cuda.get_device_capability(card.device.index), card.device.name)
        if best == "fp32" or (precision == "bf16" and best == "fp16"):
            pytest.skip(f"the card does not compute in {precision}")


@pytest.mark.parametrize("precision", FORMATS)
@pytest.mark.parametrize("stage", STAGES)
def test_the_first_update_has_the_processors_losses(stage: str, precision: str, card: Card) -> None:
    skip_without(card, precision)
    task, batches = make_task(stage, card, card.device, precision)
    found = update(task, batches)
    plain, same = make_task(stage, card, Device("cpu", "CPU", 1 << 34), "fp32")
    expected = update(plain, same)
    apart = {
        name: abs(value - expected[name]) / abs(expected[name])
        for name, value in found.items()
        if name not in ("grad_norm", "grad_norm_d", "accuracy")
    }
    card.note(f"losses {stage} {precision}", apart)
    assert max(apart.values()) <= LOSS_BOUNDS[precision], apart


@pytest.mark.parametrize("precision", FORMATS)
@pytest.mark.parametrize("stage", STAGES)
def test_ten_updates_fall_and_few_are_skipped(stage: str, precision: str, card: Card) -> None:
    skip_without(card, precision)
    task, batches = make_task(stage, card, card.device, precision)
    name = "total" if stage == "gpt" else "mel"
    scale = task._scaler.get_scale()
    card.synchronize()
    started = time.perf_counter()
    losses = [update(task, batches)[name] for _ in range(10)]
    card.note(f"updates_per_second {stage} {precision}", 10 / (time.perf_counter() - started))
    card.note(f"loss {stage} {precision}", [losses[0], losses[-1]])
    assert min(losses[5:]) < losses[0]
    skipped = scale / task._scaler.get_scale()  # halved for each
    card.note(f"scale {stage} {precision}", [scale, task._scaler.get_scale()])
    # Random weights have larger gradients than any base: SoVITS may come to its scale from above.
    assert skipped <= (1 if stage == "gpt" else 4)


@pytest.mark.parametrize("stage", STAGES)
def test_resumed_updates_are_the_uninterrupted_ones(stage: str, card: Card, tmp_path: Path) -> None:
    task, batches = make_task(stage, card, card.device, "fp32")
    for _ in range(3):
        update(task, batches)
    torch.save(task.state_dict(), tmp_path / "state.pt")
    straight = [update(task, batches) for _ in range(3)]
    again, batches = make_task(stage, card, card.device, "fp32")
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for expected in straight:
        found = update(again, batches)
        assert found["total"] == pytest.approx(expected["total"], rel=1e-4)


@pytest.mark.card_only
@pytest.mark.parametrize("stage", STAGES)
def test_an_update_waits_for_nothing(stage: str, card: Card) -> None:
    task, batches = make_task(stage, card, card.device, "fp32")
    update(task, batches)
    card.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for phase in task.phases():
            phase.compute(batches)
            phase.apply()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@contextlib.contextmanager
def memory_limit(card: Card, bytes_: int) -> Iterator[None]:
    total = torch.cuda.get_device_properties(card.device.index).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, bytes_ / total), card.device.index)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, card.device.index)


@pytest.mark.card_only
@pytest.mark.parametrize("stage", STAGES)
def test_running_out_of_memory_halves_the_batch_and_goes_on(stage: str, card: Card) -> None:
    task, batches = make_task(stage, card, card.device, "fp32")
    update(task, batches)
    task.discard_gradients()
    torch.cuda.empty_cache()
    at_rest = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    whole = update(task, batches)
    peak = torch.cuda.max_memory_allocated()
    task.discard_gradients()
    events: list[dict[str, Any]] = []
    callbacks = TrainingCallbacks(
        lambda type, stage=None, **payload: events.append({"type": type, **payload}),
        StopFlag(),
        lambda: False,
        lambda position: None,
        Position,
        lambda *_: None,
    )
    with memory_limit(card, at_rest + int(0.7 * (peak - at_rest))):
        losses, micro = run_update(task, batches, Position(), LoopSettings(1, CLIPS), callbacks)
    assert 0 < micro < CLIPS and {event["type"] for event in events} == {"oom_recovered"}
    assert float(losses["total"]) == pytest.approx(whole["total"], rel=0.2)
    task.discard_gradients()
    del losses
    gc.collect()
    card.note(f"left behind {stage}", torch.cuda.memory_allocated() - at_rest)
    assert torch.cuda.memory_allocated() - at_rest < 1 << 20


@pytest.mark.card_only
@pytest.mark.parametrize("where", ["allocator", "convolution", "fourier", "product", "pinned"])
def test_every_real_shortage_is_known_for_one(where: str, card: Card) -> None:
    """The card is filled but for some megabytes; what each library then says must be understood."""
    free, _ = torch.cuda.mem_get_info(card.device.index)
    filler = torch.empty(max(1, free - (24 << 20)), dtype=torch.uint8, device=card.torch)
    work = {
        "allocator": lambda: torch.empty(1 << 30, device=card.torch),
        "convolution": lambda: torch.nn.functional.conv1d(
            torch.empty(1, 64, 40_000, device=card.torch),
            torch.empty(64, 64, 11, device=card.torch),
        ),
        "fourier": lambda: torch.fft.rfft(torch.empty(2048, 1500, device=card.torch)),
        "product": lambda: torch.empty(2048, 1024, device=card.torch).double().inverse(),
        "pinned": lambda: torch.empty(1 << 42, dtype=torch.uint8, pin_memory=True),
    }[where]
    message = None
    try:
        work()
    except RuntimeError as error:
        message = str(error).splitlines()[0]
        known = is_out_of_memory(error)
    del filler
    torch.cuda.empty_cache()
    card.note(f"shortage {where}", message)
    if message is None:
        pytest.skip(f"{where} found enough in what was left")
    assert known, message


@pytest.mark.card_only
@pytest.mark.parametrize("stage", ["gpt", "sovits"])
def test_the_plans_memory_is_enough(stage: str, card: Card) -> None:
    task, batches = make_task(stage, card, card.device, "bf16")
    torch.cuda.reset_peak_memory_stats()
    update(task, batches)
    update(task, batches)
    peak = torch.cuda.max_memory_reserved()
    planned = memory_bytes(stage, "v2", CLIPS, FRAMES / 50, PHONES)
    card.note(f"memory {stage}", {"peak": peak, "planned": planned})
    assert peak <= planned


def test_two_processes_on_one_card_train_as_one(card: Card, tmp_path: Path) -> None:
    """Over gloo, since NCCL refuses two ranks on one GPU."""
    script = Path(__file__).with_name("two_processes.py")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *("--master-port", "0", "--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"),
            *(str(script), card.device.kind, str(tmp_path)),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    both = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert both[0]["losses"] == both[1]["losses"]
    for one, two in zip(both[0]["weights"], both[1]["weights"], strict=True):
        assert torch.equal(one, two)
    assert both[0]["losses"] == pytest.approx(both[0]["alone"], rel=1e-3)
