"""State is a fold over events: dashboard, `sovdeck ps` and tests all use this one fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.contract.events import Event


@dataclass(frozen=True)
class StageState:
    """What one stage of a run has come to."""

    name: str
    state: str = "waiting"  # waiting | running | finished
    step: int = 0
    total: int = 0
    unit: str = "updates"
    epoch: int = 0
    epochs: int = 0
    updates: int = 0
    first_loss: float | None = None
    last_loss: float | None = None
    rate: float | None = None
    eta_s: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class LossPoint:
    """Losses at one optimiser update; `losses` may hold None where a value was not finite."""

    stage: str
    step: int
    t: int
    losses: Mapping[str, float | None]


@dataclass(frozen=True)
class RunState:
    """Everything the event stream says about one run.

    `status` is None until `run_finished` was read. `gaps` counts events that are missing by
    `seq`, `repeats` those that came twice: both stay 0 on a sound stream.
    """

    run: str = ""
    voice: str = ""
    attempt: int = 1
    seq: int = -1
    as_of: int = 0
    started: int | None = None
    device: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[StageState, ...] = ()
    current: str | None = None
    points: tuple[LossPoint, ...] = ()
    validations: tuple[Event, ...] = ()
    memory: Mapping[str, Any] = field(default_factory=dict)
    samples: tuple[Mapping[str, Any], ...] = ()
    exports: tuple[Mapping[str, Any], ...] = ()
    notices: tuple[Event, ...] = ()
    status: str | None = None
    exit_code: int | None = None
    gaps: int = 0
    repeats: int = 0

    def stage(self, name: str) -> StageState | None:
        return next((stage for stage in self.stages if stage.name == name), None)


def fold(state: RunState, events: Iterable[Event]) -> RunState:
    """Return `state` after `events`, in order."""
    points: list[LossPoint] = []
    for event in events:
        if event.seq <= state.seq:
            state = replace(state, repeats=state.repeats + 1)
            continue
        gap = event.seq - state.seq - 1
        state = replace(state, seq=event.seq, as_of=event.t, run=event.run, gaps=state.gaps + gap)
        point = _loss_point(event)
        if point is not None:
            points.append(point)
        step = _STEPS.get(event.type)
        if step is not None:
            state = step(state, event)
    if points:  # appended once: one tuple a batch, not one an event
        state = replace(state, points=state.points + tuple(points))
    return state


def _loss_point(event: Event) -> LossPoint | None:
    losses = _dict(event.payload.get("losses"))
    if event.type != "step" or not losses:
        return None
    numbers = {str(name): _number(value) for name, value in losses.items()}
    return LossPoint(event.stage or "", _int(event.payload["step"]), event.t, numbers)


def _run_started(state: RunState, event: Event) -> RunState:
    payload = event.payload
    kept = {stage.name: stage for stage in state.stages}
    names = [str(name) for name in _list(payload["stages"])]
    return replace(
        state,
        voice=str(payload["voice"]),
        attempt=event.attempt,
        started=state.started if state.started is not None else event.t,
        device=_dict(payload["device"]),
        stages=tuple(kept.get(name, StageState(name)) for name in names),
        # A new attempt re-opens a run that an earlier one had ended.
        status=None,
        exit_code=None,
    )


def _plan(state: RunState, event: Event) -> RunState:
    for item in map(_dict, _list(event.payload["stages"])):
        state = _with_stage(
            state, str(item.get("name")), total=_int(item.get("total")),
            unit=str(item.get("unit", "updates")), epochs=_int(item.get("epochs")),
        )  # fmt: skip
    return state


def _stage_started(state: RunState, event: Event) -> RunState:
    payload = event.payload
    state = replace(state, current=event.stage)
    return _with_stage(
        state, event.stage, state="running", total=_int(payload["total"]),
        unit=str(payload["unit"]), epochs=_int(payload.get("epochs", 0)),
    )  # fmt: skip


def _step(state: RunState, event: Event) -> RunState:
    payload = event.payload
    changes: dict[str, Any] = {
        "step": _int(payload["step"]), "total": _int(payload["total"]),
        "rate": _number(payload.get("rate")), "eta_s": _number(payload.get("eta_s")),
    }  # fmt: skip
    if "epoch" in payload:
        changes["epoch"] = _int(payload["epoch"])
    total = _number(_dict(payload["losses"]).get("total"))
    stage = state.stage(event.stage or "")
    if total is not None:
        changes["last_loss"] = total
        if stage is not None and stage.first_loss is None:
            changes["first_loss"] = total
    return _with_stage(state, event.stage, **changes)


def _epoch(state: RunState, event: Event) -> RunState:
    payload = event.payload
    return _with_stage(
        state, event.stage, epoch=_int(payload["epoch"]), epochs=_int(payload["epochs"])
    )


def _stage_finished(state: RunState, event: Event) -> RunState:
    payload = event.payload
    changes: dict[str, Any] = {
        "state": "finished", "updates": _int(payload["updates"]),
        "seconds": _number(payload["seconds"]), "eta_s": 0.0,
    }  # fmt: skip
    for name in ("first_loss", "last_loss"):
        if _number(payload.get(name)) is not None:
            changes[name] = _number(payload[name])
    return _with_stage(state, event.stage, **changes)


def _run_finished(state: RunState, event: Event) -> RunState:
    payload = event.payload
    return replace(
        state, status=str(payload["status"]), exit_code=_int(payload["exit_code"]), current=None
    )


def _memory(state: RunState, event: Event) -> RunState:
    return replace(state, memory=event.payload)


def _sample(state: RunState, event: Event) -> RunState:
    return replace(state, samples=(*state.samples, event.payload))


def _export(state: RunState, event: Event) -> RunState:
    return replace(state, exports=(*state.exports, event.payload))


def _validation(state: RunState, event: Event) -> RunState:
    return replace(state, validations=(*state.validations, event))


def _notice(state: RunState, event: Event) -> RunState:
    return replace(state, notices=(*state.notices, event))


_STEPS = {
    "run_started": _run_started,
    "plan": _plan,
    "stage_started": _stage_started,
    "step": _step,
    "epoch": _epoch,
    "stage_finished": _stage_finished,
    "run_finished": _run_finished,
    "memory": _memory,
    "sample": _sample,
    "export": _export,
    "validation": _validation,
    "warning": _notice,
    "error": _notice,
    "oom_recovered": _notice,
    "stall": _notice,
}


def _with_stage(run: RunState, name: str | None, /, **changes: Any) -> RunState:
    if name is None:
        return run
    stages = run.stages
    if run.stage(name) is None:
        stages = (*stages, StageState(name))
    return replace(
        run,
        stages=tuple(replace(s, **changes) if s.name == name else s for s in stages),
    )


def _number(value: Any) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < 1e300 else None  # also NaN and infinity


def _int(value: Any) -> int:
    number = _number(value)
    return int(number) if number is not None else 0


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
