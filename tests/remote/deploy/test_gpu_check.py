"""Ready means that a kernel ran on the GPU, or that one sentence says why not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.deploy import _still_fits
from sovdeck.remote.deploy.gpu_check import GpuCheck, judge, parse_check
from sovdeck.remote.deploy.steps import CheckEngine

ROOT = Path(__file__).resolve().parents[3]
LAYOUT = Layout.at("/work")


def check_of(gpus: int) -> CheckEngine:
    return CheckEngine(LAYOUT, "/work/env/bin/python", "abc", "key", {}, gpus=gpus)


@pytest.mark.parametrize(
    ("error", "key"),
    [
        ("AssertionError: Torch not compiled with CUDA enabled", "cpu_build"),
        (
            "RuntimeError: The NVIDIA driver on your system is too old (found version 12040).",
            "driver",
        ),
        ("AcceleratorError: CUDA error: no kernel image is available for execution", "no_kernels"),
        (
            "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 804: forward "
            "compatibility was attempted on non supported HW",
            "forward_compat",
        ),
        ("OutOfMemoryError: CUDA out of memory. Tried to allocate 2 MiB", "full"),
        ("AcceleratorError: CUDA error: all CUDA-capable devices are busy or unavailable", "busy"),
        ("RuntimeError: No CUDA GPUs are available", "hidden"),
        ("RuntimeError: the GPU computed something else than the CPU", "no_gpu"),
        ("", "no_gpu"),
    ],
)
def test_a_gpu_that_nvidia_smi_shows_has_to_compute(error: str, key: str) -> None:
    with pytest.raises(Problem) as caught:
        judge(GpuCheck(torch="2.11.0+cu126", error=error), check_of(1), "box")
    assert caught.value.key == f"remote.ready.{key}"
    assert "cpu" not in caught.value.hint.en.lower().replace("cuda", ""), "never: train on the CPU"
    assert caught.value.hint.zh


def test_where_no_gpu_is_shown_there_is_nothing_to_try() -> None:
    judge(GpuCheck(torch="2.11.0", error="RuntimeError: no driver"), check_of(0), "box")
    judge(GpuCheck(torch="2.11.0+cu126", gpu="RTX 4090"), check_of(1), "box")


def test_an_answer_of_another_kind_says_that_nothing_computed() -> None:
    for line in ("", "Killed", "[]", '{"gpu": 3, "bf16": "yes"}', '{"other": 1}'):
        assert parse_check(line).gpu == "" and parse_check(line).bf16 is False
    line = json.dumps({"torch": "2.11.0+cu126", "cuda": "12.6", "gpu": "L4", "capability": 8.9})
    assert parse_check(line).summary() == "torch 2.11.0+cu126 · L4 (8.9) · fp32"


def test_the_program_answers_here() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sovdeck.engine.runtime.check_gpu"],
        capture_output=True,
        text=True,
        timeout=200,
        env={"PYTHONPATH": str(ROOT / "dev"), "PATH": "/usr/bin:/bin"},
    )
    check = parse_check(done.stdout.splitlines()[-1])
    assert check.torch.startswith("2.11"), done.stderr
    assert bool(check.gpu) != bool(check.error), "it computed, or says why not"


@pytest.mark.parametrize(
    ("build", "gpu", "driver", "fits"),
    [
        ("cu126", "L4", "550.54.14", True),
        # The server came back on an older host, or with the GPU that it lacked.
        ("cu130", "L4", "550.54.14", False),
        ("cpu", "", "550.54.14", False),
        ("cu128", "", "570.26", False),
        ("cu128", "", "", True),
        ("cpu", "", "", True),
        # Built on the image's torch, of a name that is none of ours.
        ("cu121", "T4", "535.54.03", True),
    ],
)
def test_a_deployment_stands_while_its_torch_runs_there(
    build: str, gpu: str, driver: str, fits: bool
) -> None:
    line = f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {driver}" if driver else ""
    assert _still_fits({"build": build, "gpu": gpu}, line) is fits
