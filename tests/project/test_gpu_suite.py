"""The GPU suite is run on a processor, so that it is right on the day a card is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def run_suite(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        # As `make test-gpu` does; without the plugins that an image does not have.
        [
            *(sys.executable, "-m", "pytest", "-c", "tests/gpu/pytest.ini"),
            *("--confcutdir", "tests/gpu", "tests/gpu", "-m", "gpu"),
            *("-p", "no:xdist", "-p", "no:timeout", "-p", "no:hypothesispytest", *arguments),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "dev"), **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.long
def test_the_gpu_suite_passes_where_a_processor_stands_in(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = run_suite(SOVDECK_GPU_TESTS="cpu", SOVDECK_GPU_REPORT=str(report))
    assert done.returncode == 0, done.stdout[-3000:]
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["machine"]["torch"] == torch.__version__
    outcomes = [test["outcome"] for test in found["tests"].values()]
    assert outcomes.count("passed") > 40 and "failed" not in outcomes
    assert found["figures"]["tokens_per_second captured"] > 0


@pytest.mark.long
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_without_a_card_the_suite_is_skipped_and_says_why() -> None:
    done = run_suite("-k", "tokens")
    assert done.returncode == 0 and "no GPU that torch can use" in done.stdout
    assert "passed" not in done.stdout
