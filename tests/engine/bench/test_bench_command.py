"""`bench` on a processor with small networks: every figure is there, and the row is kept."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch

from sovdeck.engine.bench import training
from sovdeck.engine.bench.bench import Bench
from sovdeck.engine.bench.timing import Stopwatch
from sovdeck.engine.cli import main
from sovdeck.engine.contract.bench_row import FIGURES, BenchRow
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.runtime.device import choose_device


@pytest.mark.long
def test_every_figure_is_measured_and_the_row_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--tiny", "--device", "cpu", "--work", str(tmp_path), "--json"]) == 0
    found = capsys.readouterr()
    row = BenchRow.parse(json.loads(found.out))
    assert row is not None and row.sizes == "tiny"
    assert {figure.name for figure in row.figures} == set(FIGURES)
    assert all(figure.value > 0 for figure in row.figures)
    assert {(one.stage, one.batch) for one in row.updates} == {
        (stage, batch) for stage in ("sovits", "gpt") for batch in (1, 2)
    }
    assert row.machine["torch"] == torch.__version__
    kept = Path(Layout.at(tmp_path.as_posix()).bench_rows).read_text()
    assert BenchRow.parse(json.loads(kept)) == row


def test_a_part_that_finds_no_memory_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory (injected)")

    monkeypatch.setattr(training, "sovits_updates", starved)
    monkeypatch.setattr(training, "gpt_updates", lambda *_: [])
    told: list[Problem] = []
    bench = Bench(choose_device("cpu"), tiny=True, report=print, warn=told.append)
    row = bench.run(["training"])
    assert row.updates == () and [one.key for one in told] == ["engine.bench.out_of_memory"]


def test_the_watch_gives_the_median_after_a_warm_up() -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        time.sleep(0.2 if len(calls) == 1 else 0.01)

    watch = Stopwatch(choose_device("cpu"), 3)
    assert 0.01 <= watch.seconds(work) < 0.2 and len(calls) == 4 and watch.peak_bytes > 1 << 20
