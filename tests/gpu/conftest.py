"""The suite for one card: `make test-gpu`. Everywhere else its tests are skipped and say why.

SOVDECK_GPU_TESTS=cpu runs what a processor can do, at small sizes: it proves the tests, not the
card. A JSON report with every figure is printed at the end, and written to SOVDECK_GPU_REPORT.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
# For benchmarks.synthetic, and for what other folders' tests stand on.
sys.path[:0] = [str(ROOT / name) for name in ("", "tests", "tests/engine", "tests/engine/speaking")]

from card import Card, Report  # noqa: E402 - tests/ is not a package

from sovdeck.engine.runtime.device import choose_device  # noqa: E402
from sovdeck.engine.runtime.machine import describe_machine  # noqa: E402

ON_CPU = os.environ.get("SOVDECK_GPU_TESTS") == "cpu"

_REPORT = pytest.StashKey[Report]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_REPORT] = Report()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the suite, and skip what this machine cannot do."""
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        item.add_marker(pytest.mark.gpu)
        if torch.cuda.is_available():
            continue
        if not ON_CPU:
            item.add_marker(pytest.mark.skip(reason="no GPU that torch can use; see docs/gpu.md"))
        elif item.get_closest_marker("card_only"):
            item.add_marker(pytest.mark.skip(reason="asks the card itself"))


@pytest.fixture(scope="session")
def card(request: pytest.FixtureRequest) -> Iterator[Card]:
    """The card, its products in full float32 unless a test allows TF32."""
    report = request.config.stash[_REPORT]
    device = choose_device("cuda" if torch.cuda.is_available() else "cpu")
    report.machine = describe_machine(device)
    if device.kind == "cpu":
        torch.set_num_threads(1)
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    yield Card(device, report)
    torch.backends.cudnn.allow_tf32 = before[0]
    torch.set_float32_matmul_precision(before[1])


@pytest.fixture(autouse=True)
def _peak(request: pytest.FixtureRequest) -> Iterator[None]:
    """Notes the most memory that each test had allocated."""
    if not torch.cuda.is_available():
        yield
        return
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    yield
    report = request.config.stash[_REPORT]
    report.figures[f"peak_bytes {request.node.name}"] = torch.cuda.max_memory_allocated()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Any:
    result = yield
    if item.get_closest_marker("gpu") and (result.when == "call" or result.skipped):
        item.config.stash[_REPORT].tests[item.name] = {
            "outcome": result.outcome,
            "seconds": round(result.duration, 2),
        }
    return result


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the report, and write it where that was asked for."""
    report = config.stash[_REPORT]
    if not report.machine:
        return
    whole = json.dumps(vars(report), sort_keys=True)
    terminalreporter.write_line(whole)
    if path := os.environ.get("SOVDECK_GPU_REPORT"):
        Path(path).write_text(whole + "\n", encoding="utf-8")
