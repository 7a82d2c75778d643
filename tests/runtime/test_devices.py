"""Which device and number format a run gets, and what its memory figures say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.contract.problem import Problem
from engine.contract.spec import RunSpec
from engine.run import execute
from engine.runtime.device import (
    Device,
    _best_format,
    choose,
    choose_precision,
    limit_gpus,
    require_gpus,
)
from engine.runtime.memory import MemoryWatch, figures


@pytest.mark.parametrize(
    ("capability", "name", "wanted"),
    [
        ((9, 0), "NVIDIA H100", "bf16"),
        ((8, 6), "NVIDIA GeForce RTX 3090", "bf16"),
        ((7, 5), "NVIDIA GeForce RTX 2080", "fp16"),
        ((7, 5), "NVIDIA GeForce GTX 1660", "fp32"),
        ((7, 0), "Tesla V100", "fp16"),
        ((6, 1), "NVIDIA GeForce GTX 1080", "fp32"),
    ],
)
def test_auto_precision(capability: tuple[int, int], name: str, wanted: str) -> None:
    assert _best_format(capability, name) == wanted


def test_the_cpu_trains_in_float32_unless_told() -> None:
    device = choose("cpu")
    assert device.kind == "cpu" and device.memory_total > 1 << 28
    assert choose_precision("auto", device).name == "fp32"
    assert choose_precision("bf16", device).name == "bf16"


@pytest.mark.parametrize(
    ("numbers", "before", "after"),
    [
        ("0", None, "0"),
        ("0-1", None, "0,1"),
        ("1", "4,5", "5"),
        ("2-0", "GPU-a,GPU-b,GPU-c", "GPU-c,GPU-a"),
    ],
)
def test_gpu_numbers_count_in_what_a_scheduler_left(
    numbers: str, before: str | None, after: str
) -> None:
    environment = {} if before is None else {"CUDA_VISIBLE_DEVICES": before}
    limit_gpus(numbers, environment)
    assert environment["CUDA_VISIBLE_DEVICES"] == after


def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(Problem) as problem:
        limit_gpus("3", {"CUDA_VISIBLE_DEVICES": "0,1"})
    assert problem.value.facts == {"gpus": "3", "count": 2}


@pytest.mark.parametrize(("numbers", "visible"), [("1", 0), ("0-1", 1)], ids=["only", "one-of-two"])
def test_a_run_does_not_fall_back_to_the_cpu_for_a_wrong_number(
    numbers: str, visible: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One GPU, and a number CUDA does not know: it then sees fewer, or none, and says nothing."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: visible)
    monkeypatch.setattr("engine.run.gpu_count", lambda: 1)
    spec = tmp_path / "runs" / "r1" / "spec.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(RunSpec("r1", "Mei", "tiny", params={"train.gpus": numbers}).to_json())
    ending = execute(spec)
    assert ending.problem is not None and ending.problem.key == "engine.run.no_such_gpu"
    assert ending.problem.facts == {"gpus": numbers, "count": 1}


def test_a_machine_without_a_driver_trains_on_its_cpu() -> None:
    require_gpus("0-1", visible=0, installed=0)
    require_gpus("0-1", visible=2, installed=8)


def test_memory_figures_say_their_source() -> None:
    device = Device("cpu", "CPU", 1)
    one = figures(device)
    assert one["source"] == "psutil" and 0 < one["process_rss"] < one["ram_total"]
    assert "peak" not in one  # unknown is left out, never 0


def test_the_watch_reports_until_closed() -> None:
    seen: list[str] = []

    def emit(type: str, **_: object) -> None:
        seen.append(type)

    with MemoryWatch(emit, Device("cpu", "CPU", 1), seconds=0.01) as watch:
        watch._done.wait(0.1)
    count = len(seen)
    assert set(seen) == {"memory"} and count > 3
