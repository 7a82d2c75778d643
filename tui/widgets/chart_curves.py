"""Which curves of a run a chart shows."""

from __future__ import annotations

from collections.abc import Sequence

from textual.message_pump import MessagePump

from tui.language import say
from tui.state.runs import RunView
from tui.state.series import Series
from tui.widgets.chart_frame import COLOURS
from tui.widgets.line_chart import Curve

_FIRST_COLOUR = {"sovits": 0, "gpt": 1}
_HELD_OUT = 2


def stage_curves(node: MessagePump, run: RunView, stage: str, parts: bool) -> list[Curve]:
    """The total with its validation, or the parts of the loss, at most one a colour."""
    losses = run.curves.get(stage, {})
    first = _FIRST_COLOUR.get(stage, 0)
    if parts:
        names = [name for name in losses if name != "total"][:COLOURS]
        return [Curve(name, losses[name], index) for index, name in enumerate(names)]
    if not losses:
        return []
    name = "total" if "total" in losses else next(iter(losses))
    curves = [Curve(say(node, "tui.monitor.total"), losses[name], first)]
    checked = validation_series(run, stage, name)
    if len(checked):
        curves.append(Curve(say(node, "tui.monitor.validation"), checked, _HELD_OUT))
    return curves


def other_curves(others: Sequence[RunView], stage: str) -> list[Curve]:
    """The totals of other runs, in the colours the run on show does not take."""
    taken = (_FIRST_COLOUR.get(stage, 0), _HELD_OUT)
    free = [colour for colour in reversed(range(COLOURS)) if colour not in taken]
    curves = []
    for other, colour in zip(others, free, strict=False):
        losses = other.curves.get(stage, {})
        if "total" in losses:
            curves.append(Curve(_run_name(other), losses["total"], colour, beneath=True))
    return curves


def _run_name(run: RunView) -> str:
    """Most ids of runs end with the voice already."""
    known = run.run.casefold().endswith(run.voice.casefold())
    return run.run if known else f"{run.voice} {run.run}"


def has_parts(run: RunView) -> bool:
    return any(set(losses) - {"total"} for losses in run.curves.values())


def validation_series(run: RunView, stage: str, name: str) -> Series:
    """Validation values at the update they were taken; empty where the stream gives no update."""
    points = []
    for event in run.state.validations:
        metrics = event.payload.get("metrics")
        step = event.payload.get("step")
        if event.stage != stage or not isinstance(metrics, dict):
            continue
        value = metrics.get(name)
        if isinstance(step, int) and isinstance(value, (int, float)):
            points.append((float(step), float(value)))
    return Series().extended(points)


def validation_marks(run: RunView, stage: str) -> list[float]:
    """The updates at which the held-out clips were measured."""
    return [
        float(event.payload["step"])
        for event in run.state.validations
        if event.stage == stage and isinstance(event.payload.get("step"), int)
    ]
