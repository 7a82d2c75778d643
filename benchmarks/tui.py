"""The dashboard's budgets on this machine, with posting and terminalboard in the same run.

    python benchmarks/tui.py [--quick] [--json] [--only start,idle,monitor,charts,peers]

Rows: name, value, unit, peer, peer_value, ratio (ours / peer's), and the budget where there is
one. The made-up world of `python -m sovdeck.tui.dashboard.app` stands in for servers, so only
drawing is measured;
terminalboard is given two runs of 2,000 updates. CPU figures hold on a busy machine; key to paint
needs a quiet one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from pty_driver import PtyProgram  # noqa: E402

OURS = [sys.executable, "-m", "sovdeck.tui.dashboard.app"]
MOVES = ("j", "k", "j", "k", "j", "k", "j", "k")
PARTS = ("start", "idle", "monitor", "charts", "peers")
POINTS = 2000
SMOOTHED = 0.6  # the dashboard's own default


def start_cost(argv: Sequence[str], word: str, runs: int) -> tuple[float, int]:
    """Median CPU seconds to first paint, and how many of `runs` starts failed."""
    costs, crashes = [], 0
    for _ in range(runs):
        with PtyProgram(argv) as program:
            try:
                program.wait_for(word)
                costs.append(program.cpu())
                program.settle(0.3, 2)
                crashes += program.exit_code() is not None
            except TimeoutError:
                crashes += 1
    return statistics.median(costs), crashes


def standing(argv: Sequence[str], word: str, seconds: float, keys: Sequence[str]) -> dict[str, Any]:
    """Memory, idle CPU and output, and key to paint of a program left alone."""
    with PtyProgram(argv) as program:
        program.wait_for(word)
        program.settle(1.5, 8)
        cpu, out = program.watch(seconds)
        times = []
        for key in keys:
            took = program.key_ms(key)
            program.settle(0.15, 2)
            times += [took] if took is not None else []
        keys_ms = statistics.median(times) if times else None
        return {"rss": program.rss_mb(), "cpu": cpu, "out": out, "key": keys_ms}


async def chart_cost(points: int, repeats: int, smoothing: float) -> float:
    """Median CPU milliseconds to refresh eight charts of two series each."""
    from textual.app import App, ComposeResult
    from textual.containers import Grid

    from sovdeck.engine.contract.series import Series
    from sovdeck.tui.charts.line_chart import Curve, LineChart
    from sovdeck.tui.shell.theme import DEFAULT_VARIABLES

    class Wall(App[None]):
        CSS = "Grid { grid-size: 4 2; }"

        def get_theme_variable_defaults(self) -> dict[str, str]:
            return DEFAULT_VARIABLES

        def compose(self) -> ComposeResult:
            with Grid():
                for _ in range(8):
                    yield LineChart()

    draw = random.Random(1)
    wall = Wall()
    async with wall.run_test(size=(200, 50)) as pilot:
        charts = list(wall.query(LineChart))
        for chart in charts:
            chart.smoothing = smoothing
        pairs = [
            [Series().extended((x, draw.gauss(20, 2)) for x in range(points)) for _ in "ab"]
            for _ in charts
        ]
        costs = []
        for turn in range(repeats):
            pairs = [[s.extended([(points + turn, 20.0)]) for s in pair] for pair in pairs]
            begin = time.process_time()
            for chart, pair in zip(charts, pairs, strict=True):
                chart.show([Curve(name, s, i) for i, (name, s) in enumerate(zip("ab", pair))])  # noqa: B905
                for y in range(chart.size.height):
                    chart.render_line(y)
            costs.append((time.process_time() - begin) * 1000)
            await pilot.pause()
    return statistics.median(costs)


def write_runs(folder: Path) -> None:
    """Two runs as TensorBoard reads them: three curves of POINTS updates each."""
    from sovdeck.engine.runtime.tensorboard import TensorBoardWriter

    draw = random.Random(1)
    for run in ("first", "second"):
        board = TensorBoardWriter(folder / run)
        for step in range(1, POINTS + 1):
            losses = {name: draw.gauss(20, 2) for name in ("total", "mel", "kl")}
            board.write_event("step", "sovits", {"step": step, "losses": losses})
        board.close()


def peers(runs: str) -> dict[str, tuple[list[str], str, tuple[str, ...]]]:
    """Programs of the bench environment: argv, word of the first paint, keys that paint.

    runs: the folder terminalboard shows.
    """
    folder = ROOT / ".bench-venv/bin"
    found: dict[str, tuple[list[str], str, tuple[str, ...]]] = {}
    if (folder / "posting").exists():
        found["posting"] = ([str(folder / "posting")], "Collection", ("j", "k") * 3)
    if (folder / "terminalboard").exists():
        argv = [str(folder / "terminalboard"), runs]
        found["terminalboard"] = (argv, "inspect", ("l", "+", "l", "-", "l", "l"))
    return found


class Table:
    """Rows of figures, each beside its budget or a peer's figure."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, name: str, value: float | None, unit: str, budget: float | None = None) -> None:
        shown = None if value is None else round(value, 3)
        ok = value is not None and (budget is None or value <= budget)
        self.rows.append(
            {
                "name": name,
                "value": shown,
                "unit": unit,
                "peer": None,
                "peer_value": None,
                "ratio": None,
                "budget": budget,
                "ok": ok,
            }
        )

    def beside(self, name: str, value: float | None, unit: str, peer: str) -> None:
        """A peer's figure, with ours where this run has measured it."""
        ours = next((row["value"] for row in self.rows if row["name"] == name), None)
        if value is not None:
            ratio = round(ours / value, 2) if value and ours is not None else None
            self.rows.append(
                {
                    "name": name,
                    "value": ours,
                    "unit": unit,
                    "peer": peer,
                    "peer_value": round(value, 3),
                    "ratio": ratio,
                    "budget": None,
                    "ok": True,
                }
            )


def measure(parts: Sequence[str], quick: bool) -> list[dict[str, Any]]:
    runs, seconds = (3, 4.0) if quick else (20, 10.0)
    table = Table()
    if "start" in parts:
        cost, crashes = start_cost([*OURS, "--still"], "tokyo-4090", runs)
        table.add("first paint", cost, "CPU s", 1.2)
        table.add(f"failed starts of {runs}", crashes, "starts", 0)
    if "idle" in parts:
        still = standing([*OURS, "--still"], "tokyo-4090", seconds, MOVES)
        table.add("memory", still["rss"], "MB", 85)
        table.add("idle CPU", still["cpu"], "%", 1)
        table.add("idle output", still["out"], "B/s", 500)
        table.add("key to paint", still["key"], "ms", 35)
    if "monitor" in parts:
        argv = [*OURS, "--start", "monitor", "--more", "6"]
        live = standing(argv, "tokyo-4090", seconds, ("L", "L", "z", "0", "L", "L"))
        table.add("monitor, 8 live servers: CPU", live["cpu"], "%", 10)
        table.add("monitor, 8 live servers: output", live["out"], "B/s", 60_000)
        table.add("monitor: key to paint", live["key"], "ms", 35)
        table.add("monitor: memory", live["rss"], "MB", 85)
    if "charts" in parts:
        for points in (300, POINTS):
            for look, weight in (("raw", 0.0), ("smoothed", SMOOTHED)):
                cost = asyncio.run(chart_cost(points, 5 if quick else 15, weight))
                table.add(f"8 charts x 2 series x {points} points, {look}", cost, "CPU ms", 35)
    if "peers" in parts:
        against_peers(table, runs, seconds)
    return table.rows


def against_peers(table: Table, runs: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="terminalboard-") as folder:
        write_runs(Path(folder))
        for peer, (argv, word, keys) in peers(folder).items():
            cost, crashes = start_cost(argv, word, runs)
            there = standing(argv, word, seconds, keys)
            table.beside("first paint", cost, "CPU s", peer)
            table.beside(f"failed starts of {runs}", crashes, "starts", peer)
            table.beside("memory", there["rss"], "MB", peer)
            table.beside("idle CPU", there["cpu"], "%", peer)
            table.beside("idle output", there["out"], "B/s", peer)
            table.beside("key to paint", there["key"], "ms", peer)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PART,...")
    options = parser.parse_args()
    parts = options.only.split(",")
    if set(parts) - set(PARTS):
        parser.error(f"--only takes {', '.join(PARTS)}")
    rows = measure(parts, options.quick)
    for name in ("posting", "terminalboard"):
        if "peers" in parts and not (ROOT / ".bench-venv/bin" / name).exists():
            print(f"{name}: left out, not in .bench-venv (make bench-env)", file=sys.stderr)
    if options.json:
        print(json.dumps(rows, ensure_ascii=False))
        return 0
    for one in rows:
        against = f"  {one['peer']} {one['peer_value']} (x{one['ratio']})" if one["peer"] else ""
        budget = f"  budget {one['budget']}" if one["budget"] is not None else ""
        mark = "ok " if one["ok"] else "OVER"
        print(f"{mark:4} {one['name']:40} {one['value']!s:>10} {one['unit']}{budget}{against}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
