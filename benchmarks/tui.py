"""The dashboard's budgets on this machine, with posting and terminalboard in the same run.

    python benchmarks/tui.py [--quick] [--json]

Rows: name, value, unit, peer, peer_value, ratio (ours / peer's), and the budget where there is
one. The made-up world of `python -m tui.app` stands in for servers, so only drawing is measured.
CPU figures hold on a busy machine; key to paint needs a quiet one.
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

OURS = [sys.executable, "-m", "tui.app"]
MOVES = ("j", "k", "j", "k", "j", "k", "j", "k")


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


async def chart_cost(points: int, repeats: int) -> float:
    """Median CPU milliseconds to refresh eight charts of two smoothed series each."""
    from textual.app import App, ComposeResult
    from textual.containers import Grid

    from tui.state.series import Series
    from tui.theme import DEFAULTS
    from tui.widgets.line_chart import Curve, LineChart

    class Wall(App[None]):
        CSS = "Grid { grid-size: 4 2; }"

        def get_theme_variable_defaults(self) -> dict[str, str]:
            return DEFAULTS

        def compose(self) -> ComposeResult:
            with Grid():
                for _ in range(8):
                    yield LineChart()

    draw = random.Random(1)
    wall = Wall()
    async with wall.run_test(size=(200, 50)) as pilot:
        charts = list(wall.query(LineChart))
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


def peers() -> dict[str, tuple[list[str], str, tuple[str, ...]]]:
    """Programs of the bench environment: argv, word of the first paint, keys that paint."""
    folder = ROOT / ".bench-venv/bin"
    found: dict[str, tuple[list[str], str, tuple[str, ...]]] = {}
    if (folder / "posting").exists():
        found["posting"] = ([str(folder / "posting")], "Collection", ("j", "k") * 3)
    if (folder / "terminalboard").exists():
        empty = tempfile.mkdtemp(prefix="terminalboard-")
        found["terminalboard"] = ([str(folder / "terminalboard"), empty], "terminalboard", ())
    return found


def measure(quick: bool) -> list[dict[str, Any]]:
    runs, seconds = (3, 4.0) if quick else (20, 10.0)
    rows: list[dict[str, Any]] = []

    def row(name: str, value: float | None, unit: str, budget: float | None) -> None:
        shown = None if value is None else round(value, 3)
        ok = value is not None and (budget is None or value <= budget)
        rows.append(
            {"name": name, "value": shown, "unit": unit, "peer": None, "peer_value": None,
             "ratio": None, "budget": budget, "ok": ok}
        )  # fmt: skip

    cost, crashes = start_cost([*OURS, "--still"], "tokyo-4090", runs)
    row("first paint", cost, "CPU s", 1.2)
    row(f"failed starts of {runs}", crashes, "starts", 0)
    still = standing([*OURS, "--still"], "tokyo-4090", seconds, MOVES)
    row("memory, servers", still["rss"], "MB", 85)
    row("idle CPU", still["cpu"], "%", 1)
    row("idle output", still["out"], "B/s", 500)
    row("key to paint, servers", still["key"], "ms", 35)
    argv = [*OURS, "--start", "monitor", "--more", "6"]
    live = standing(argv, "tokyo-4090", seconds, ("L", "L", "z", "0", "L", "L"))
    row("monitor, 8 live servers: CPU", live["cpu"], "%", 10)
    row("monitor, 8 live servers: output", live["out"], "B/s", 60_000)
    row("monitor: key to paint", live["key"], "ms", 35)
    row("memory, monitor", live["rss"], "MB", 85)
    for points in (300, 2000):
        cost = asyncio.run(chart_cost(points, 5 if quick else 15))
        row(f"8 charts x 2 series x {points} points", cost, "CPU ms", 35)
    rows += against_peers(rows, runs, seconds)
    return rows


def against_peers(ours: list[dict[str, Any]], runs: int, seconds: float) -> list[dict[str, Any]]:
    mine = {one["name"]: one["value"] for one in ours}
    rows = []
    for peer, (argv, word, keys) in peers().items():
        cost, crashes = start_cost(argv, word, runs)
        figures = {"first paint": (cost, "CPU s"), f"failed starts of {runs}": (crashes, "starts")}
        there = standing(argv, word, seconds, keys)
        figures |= {
            "memory, servers": (there["rss"], "MB"), "idle CPU": (there["cpu"], "%"),
            "idle output": (there["out"], "B/s"), "key to paint, servers": (there["key"], "ms"),
        }  # fmt: skip
        for name, (value, unit) in figures.items():
            if value is None:
                continue
            ratio = round(mine[name] / value, 2) if value and mine[name] is not None else None
            rows.append(
                {"name": name, "value": mine[name], "unit": unit, "peer": peer,
                 "peer_value": round(value, 3), "ratio": ratio, "budget": None, "ok": True}
            )  # fmt: skip
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure(options.quick)
    for name in ("posting", "terminalboard"):
        if name not in peers():
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
