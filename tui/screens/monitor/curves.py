"""Which curves of a run a chart shows."""

from __future__ import annotations

from collections.abc import Sequence

from textual.message_pump import MessagePump

from sovdeck.engine.contract.series import Series
from sovdeck.tui.charts.frame import COLOUR_COUNT
from sovdeck.tui.charts.line_chart import Curve
from sovdeck.tui.state.runs import RunView
from sovdeck.tui.text.i18n import translate

_FIRST_COLOUR = {"sovits": 0, "gpt": 1}
_VALIDATION_COLOUR = 2


def stage_curves(node: MessagePump, run: RunView, stage: str, show_parts: bool) -> list[Curve]:
    """The total loss with its validation, or the parts of the loss, one a colour."""
    losses = run.curves.get(stage, {})
    first = _FIRST_COLOUR.get(stage, 0)
    if show_parts:
        names = [name for name in losses if name != "total"][:COLOUR_COUNT]
        return [Curve(name, losses[name], index) for index, name in enumerate(names)]
    if not losses:
        return []
    name = "total" if "total" in losses else next(iter(losses))
    curves = [Curve(translate(node, "tui.monitor.total"), losses[name], first)]
    validation = validation_series(run, stage, name)
    if len(validation):
        curves.append(
            Curve(translate(node, "tui.monitor.validation"), validation, _VALIDATION_COLOUR)
        )
    return curves


def other_curves(others: Sequence[RunView], stage: str) -> list[Curve]:
    """The total losses of other runs, in colours that the shown run does not use."""
    taken = (_FIRST_COLOUR.get(stage, 0), _VALIDATION_COLOUR)
    free = [colour for colour in reversed(range(COLOUR_COUNT)) if colour not in taken]
    curves = []
    for other, colour in zip(others, free, strict=False):
        losses = other.curves.get(stage, {})
        if "total" in losses:
            curves.append(Curve(_run_name(other), losses["total"], colour, other_run=True))
    return curves


def _run_name(run: RunView) -> str:
    """The run's id, with the voice in front unless the id ends with it."""
    known = run.run.casefold().endswith(run.voice.casefold())
    return run.run if known else f"{run.voice} {run.run}"


def has_loss_parts(run: RunView) -> bool:
    """Whether any stage of the run reports parts of its loss."""
    return any(set(losses) - {"total"} for losses in run.curves.values())


def validation_series(run: RunView, stage: str, name: str) -> Series:
    """Validation losses by update; empty where the events name no update."""
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


def validation_steps(run: RunView, stage: str) -> list[float]:
    """The updates at which validation was measured."""
    return [
        float(event.payload["step"])
        for event in run.state.validations
        if event.stage == stage and isinstance(event.payload.get("step"), int)
    ]
