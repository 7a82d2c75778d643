"""What a run does as lines of a log: some updates, every epoch, stages and weights. Pure.

An engine's own output holds little until its end; these lines say how it goes meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable

from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.foreign_values import to_number
from sovdeck.engine.contract.format import format_short_duration

STEP_LINE_EVERY_MS = 10_000  # of the run's own clock
_MAX_LOSSES = 6


def run_lines(events: Iterable[Event], last_step_t: int = 0) -> tuple[tuple[str, ...], int]:
    """Return the lines of `events`, and the time of the last update that has one.

    last_step_t: that of the events before; Unix milliseconds.
    """
    lines = []
    for event in events:
        if event.type == "step":
            if event.t - last_step_t < STEP_LINE_EVERY_MS:
                continue
            last_step_t = event.t
        line = run_line(event)
        if line:
            lines.append(line)
    return tuple(lines), last_step_t


def run_line(event: Event) -> str:
    """One event as a line; empty for those that say nothing of how the run goes."""
    payload = event.payload
    if event.type == "stage_started":
        return f"> {event.stage}: {payload['total']} {payload['unit']}"
    if event.type == "step":
        eta = to_number(payload.get("eta_s"))
        left = "" if eta is None else f"  eta {format_short_duration(eta)}"
        losses = _figures(payload["losses"])
        return f"  {event.stage} {payload['step']}/{payload['total']}{losses}{left}"
    if event.type == "epoch":
        return f"= {event.stage}: {payload['epoch']}/{payload['epochs']}"
    if event.type == "validation":
        return f"= {event.stage}: {payload['epoch']}{_figures(payload['metrics'])}"
    if event.type == "stage_finished":
        return f"< {event.stage}: {format_short_duration(to_number(payload['seconds']))}"
    return f"+ {payload['path']}" if event.type == "export" else ""


def _figures(values: object) -> str:
    """`  mel 20.330  kl 1.320`: the first few, those that are numbers."""
    pairs = list(values.items())[:_MAX_LOSSES] if isinstance(values, dict) else []
    known = [(name, to_number(value)) for name, value in pairs]
    return "".join(f"  {name} {value:.3f}" for name, value in known if value is not None)
