"""What a run leaves in its files stays small however long it lasts, and peaks are kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.runtime import memory_sampler
from sovdeck.engine.runtime.device import Device
from sovdeck.engine.runtime.event_pace import EventPace
from sovdeck.engine.runtime.event_writer import EventWriter
from sovdeck.engine.runtime.memory_sampler import MemorySampler
from sovdeck.engine.runtime.tensorboard import TensorBoardWriter, with_tensorboard
from sovdeck.engine.training import loop
from sovdeck.remote.agent import read_script

MONTH_S = 30 * 86_400
GIB = 1 << 30


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_are_all_written_then_one_an_interval() -> None:
    clock = Clock()
    pace = EventPace(3, 10.0, clock)
    due = []
    for second in range(25):
        clock.now = second
        due.append(pace.is_due(forced=second == 15))
    assert [second for second, one in enumerate(due) if one] == [0, 1, 2, 12, 15]


def sampled(monkeypatch: pytest.MonkeyPatch, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a sampler emits for samples two seconds apart."""
    clock = Clock()
    emitted: list[dict[str, Any]] = []

    def emit(type: str, stage: str | None = None, **payload: Any) -> None:
        emitted.append(payload)

    left = iter(samples)
    sampler = MemorySampler(emit, Device("cpu", "CPU", 1), sample=lambda _: next(left))
    sampler._pace = EventPace(memory_sampler._ALL_SAMPLES, memory_sampler._SAMPLE_INTERVAL_S, clock)
    for _ in samples:
        sampler._look(forced=False)
        clock.now += 2.0
    return emitted


def test_peaks_of_memory_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = {"source": "nvml", "gpu_used": 4 * GIB, "gpu_total": 24 * GIB}
    samples = [dict(flat) for _ in range(400)]
    samples[200] = flat | {"gpu_used": 20 * GIB}  # far above all before: written at once
    samples[250] = flat | {"gpu_used": 9 * GIB}  # below it: told by the next event
    emitted = sampled(monkeypatch, samples)
    assert len(emitted) < 30 + 400 * 2 / 60 + 3
    assert [one["gpu_used"] for one in emitted].count(20 * GIB) == 1
    assert [one["highest"]["gpu_used"] for one in emitted].count(9 * GIB) == 1


def test_what_a_month_leaves_beside_weights_stays_below_200_mb(tmp_path: Path) -> None:
    """Rates times the sizes that the real writers give, for a stage of ten updates a second."""
    losses = dict.fromkeys(("total", "discriminator", "features", "mel", "kl", "adversarial"))
    values = dict.fromkeys(losses, 31.4159265358979)
    rest = dict.fromkeys(("rate", "eta_s", "lr", "grad_norm", "grad_norm_d"), 1.23456789012345e-5)
    step = {"step": 25_920_000, "total": 25_920_000, "epoch": 999_999, "losses": values, **rest}
    names = ("ram_used", "ram_total", "process_rss", "gpu_used", "gpu_total", "gpu_ours")
    memory = {"source": "torch.cuda", **dict.fromkeys((*names, "gpu_peak"), 999 * GIB)}
    memory["highest"] = dict.fromkeys(memory_sampler._TOTALS, 999 * GIB)

    def size(type_: str, stage: str | None, payload: dict[str, Any]) -> float:
        """Bytes that one such event adds to the events and to TensorBoard's file."""
        board = TensorBoardWriter(tmp_path / type_ / "board")
        with EventWriter(
            tmp_path / type_ / "events.jsonl", "20260101-120000-" + 40 * "x"
        ) as events:
            emit = with_tensorboard(events.emit, board)
            for _ in range(100):
                emit(type_, stage, **payload)
        board.close()
        files = [f for f in (tmp_path / type_).rglob("*") if f.is_file() and f.suffix != ".json"]
        return sum(file.stat().st_size for file in files) / 100

    steps = loop._ALL_STEPS + MONTH_S / loop._STEP_INTERVAL_S
    memories = memory_sampler._ALL_SAMPLES + MONTH_S / memory_sampler._SAMPLE_INTERVAL_S
    log_cap = int(re.findall(r"SOVDECK_LOG_CAP:-(\d+)", read_script("supervise.sh"))[0])
    total = {
        "steps": steps * size("step", "sovits", step),
        "memory": memories * size("memory", None, memory),
        "logs": 2 * log_cap,  # the log and the part before its rotation
    }
    assert min(total.values()) > 1e6 and sum(total.values()) < 200e6, total
