"""Which device and number format a run gets, and what its memory figures say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.runs.run import execute_run
from sovdeck.engine.runtime.arithmetic import prepare_determinism, set_arithmetic
from sovdeck.engine.runtime.device import (
    Device,
    best_format,
    check_gpus_exist,
    choose_device,
    choose_precision,
    set_visible_gpus,
)
from sovdeck.engine.runtime.memory_sampler import MemorySampler, sample_memory


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
    assert best_format(capability, name) == wanted


@pytest.mark.parametrize(
    ("wanted", "capability", "name", "best"),
    [
        ("bf16", (7, 5), "Tesla T4", "fp16"),
        ("bf16", (7, 0), "Tesla V100", "fp16"),
        ("fp16", (7, 5), "NVIDIA GeForce GTX 1660", "fp32"),
        ("bf16", (6, 1), "Tesla P40", "fp32"),
    ],
)
def test_a_format_the_gpu_lacks_is_refused(
    wanted: str,
    capability: tuple[int, int],
    name: str,
    best: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: capability)
    device = Device("cuda", name, 8 << 30)
    with pytest.raises(Problem, match=f"train.precision = {wanted}, which {name}") as refused:
        choose_precision(wanted, device)
    assert best in refused.value.hint.en
    assert choose_precision("auto", device).name == best
    assert choose_precision("fp32", device).name == "fp32"


def test_the_cpu_trains_in_float32_unless_told() -> None:
    device = choose_device("cpu")
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
    set_visible_gpus(numbers, environment)
    assert environment["CUDA_VISIBLE_DEVICES"] == after


def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(Problem) as problem:
        set_visible_gpus("3", {"CUDA_VISIBLE_DEVICES": "0,1"})
    assert problem.value.facts == {"gpus": "3", "count": 2}


@pytest.mark.parametrize(("numbers", "visible"), [("1", 0), ("0-1", 1)], ids=["only", "one-of-two"])
def test_a_run_does_not_fall_back_to_the_cpu_for_a_wrong_number(
    numbers: str, visible: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One GPU, and a number CUDA does not know: it then sees fewer, or none, and says nothing."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: visible)
    monkeypatch.setattr("sovdeck.engine.runs.run.count_gpus", lambda: 1)
    spec = tmp_path / "runs" / "r1" / "spec.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(RunSpec("r1", "Mei", "tiny", params={"train.gpus": numbers}).to_json())
    ending = execute_run(spec)
    assert ending.problem is not None and ending.problem.key == "engine.run.no_such_gpu"
    assert ending.problem.facts == {"gpus": numbers, "count": 1}


def test_a_machine_without_a_driver_trains_on_its_cpu() -> None:
    check_gpus_exist("0-1", visible=0, installed=0)
    check_gpus_exist("0-1", visible=2, installed=8)


def test_memory_figures_say_their_source() -> None:
    device = Device("cpu", "CPU", 1)
    one = sample_memory(device)
    assert one["source"] == "psutil" and 0 < one["process_rss"] < one["ram_total"]
    assert "peak" not in one  # unknown is left out, never 0


def test_the_watch_reports_until_closed() -> None:
    seen: list[str] = []

    def emit(type: str, **_: object) -> None:
        seen.append(type)

    with MemorySampler(emit, Device("cpu", "CPU", 1), seconds=0.01) as watch:
        watch._closed.wait(0.1)
    count = len(seen)
    assert set(seen) == {"memory"} and count > 3


def test_a_gpu_rounds_freely_unless_it_must_repeat_itself() -> None:
    before = (
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
        torch.backends.cudnn.deterministic,
    )
    try:
        set_arithmetic(deterministic=False)
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cudnn.allow_tf32 and not torch.backends.cudnn.deterministic
        assert not torch.are_deterministic_algorithms_enabled()
        set_arithmetic(deterministic=True)
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cudnn.allow_tf32 and torch.backends.cudnn.deterministic
        assert torch.are_deterministic_algorithms_enabled()
        # What has no such kernel warns and goes on: training must not end in it.
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
        torch.backends.cudnn.deterministic = before[2]
        torch.use_deterministic_algorithms(False)


def test_cublas_is_told_before_cuda_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    prepare_determinism(deterministic=False)
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    prepare_determinism(deterministic=True)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
