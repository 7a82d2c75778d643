"""What must not grow with the length or the number of runs, counted: bytes moved, commands started.

The same writers as `benchmarks/scale.py`, which measures seconds at three sizes each.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from benchmarks import scale


def test_ps_moves_as_much_for_a_long_run_as_for_a_short_one(tmp_path: Path) -> None:
    moved = []
    for count in (100, 3000):
        work = tmp_path / str(count)
        scale.write_events(work / "runs" / "r" / "events.jsonl", count)
        moved.append(len(scale.ask_summary(work)))
    assert moved[1] < 1.1 * moved[0] < 2000
    assert (work / "runs" / "r" / "summary.json").exists()


def test_old_runs_start_no_command_of_their_own(tmp_path: Path) -> None:
    started, moved = [], []
    for count in (3, 60):
        runs = tmp_path / str(count) / "runs"
        scale.write_old_runs(runs, count)
        started.append(scale.count_commands("state.sh", str(runs)))
        moved.append(len(scale.run_script("state.sh", str(runs))))
    assert started[0] == started[1] <= 4
    assert (moved[1] - moved[0]) / 57 < 120  # bytes a run
