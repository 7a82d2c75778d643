"""State is a fold over events: dashboard, `sovdeck ps` and tests all use this one fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sovdeck.engine.contract.events import MOST_KEPT, MOST_NAMES, Event
from sovdeck.engine.contract.foreign_values import to_number

Kept = TypeVar("Kept")


@dataclass(frozen=True)
class StageState:
    """Progress of one stage of a run; `rate` in units a second."""

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
    planned_s: float | None = None


@dataclass(frozen=True)
class LossPoint:
    """Losses at one optimiser update; `losses` may hold None where a value was not finite."""

    stage: str
    step: int
    t: int
    losses: Mapping[str, float | None]


@dataclass(frozen=True)
class RunState:
    """All that is known of one run from its event stream.

    `status` is None until `run_finished` was read. `gaps` counts events that are missing by
    `seq`, `repeats` those that came twice: both stay 0 on an intact stream.
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
        """The state of the stage `name`; None when the run has no such stage yet."""
        return next((stage for stage in self.stages if stage.name == name), None)


def fold(state: RunState, events: Iterable[Event]) -> RunState:
    """Return `state` after `events`, in order."""
    points: list[LossPoint] = []
    steps: dict[str, dict[str, Any]] = {}  # by stage: what its steps of this batch come to
    seq, gaps, repeats, as_of, run = state.seq, state.gaps, state.repeats, state.as_of, state.run
    for event in events:
        if event.seq <= seq:
            repeats += 1
            continue
        gaps += event.seq - seq - 1
        seq, as_of, run = event.seq, event.t, event.run
        if event.type == "step":
            # Nearly all events are steps: they are counted together, one new state a batch.
            _add_step(steps, event, points)
            continue
        if event.type in _STAGE_EVENTS and steps:
            state = _with_steps(state, steps)
            steps = {}
        reducer = _REDUCERS.get(event.type)
        if reducer is not None:
            state = reducer(state, event)
    return replace(
        _with_steps(state, steps),
        seq=seq,
        gaps=gaps,
        repeats=repeats,
        as_of=as_of,
        run=run,
        points=(*state.points, *points) if points else state.points,
    )


def _add_step(steps: dict[str, dict[str, Any]], event: Event, points: list[LossPoint]) -> None:
    payload = event.payload
    changes = steps.setdefault(event.stage or "", {})
    changes["step"] = _to_int(payload["step"])
    changes["total"] = _to_int(payload["total"])
    changes["rate"] = to_number(payload.get("rate"))
    changes["eta_s"] = to_number(payload.get("eta_s"))
    if "epoch" in payload:
        changes["epoch"] = _to_int(payload["epoch"])
    losses = _to_dict(payload["losses"])
    if not losses:
        return
    numbers = {str(name): to_number(value) for name, value in losses.items()}
    points.append(LossPoint(event.stage or "", changes["step"], event.t, numbers))
    total = numbers.get("total")
    if total is not None:
        changes["last_loss"] = total
        changes.setdefault("first_loss", total)


def _with_steps(state: RunState, steps: Mapping[str, dict[str, Any]]) -> RunState:
    for name, changes in steps.items():
        before = state.stage(name)
        if before is not None and before.first_loss is not None:
            changes.pop("first_loss", None)
        state = _update_stage(state, name or None, **changes)
    return state


def _run_started(state: RunState, event: Event) -> RunState:
    payload = event.payload
    kept = {stage.name: stage for stage in state.stages}
    names = [str(name) for name in _to_list(payload["stages"])[:MOST_NAMES]]
    return replace(
        state,
        voice=str(payload["voice"]),
        attempt=event.attempt,
        started=state.started if state.started is not None else event.t,
        device=_to_dict(payload["device"]),
        stages=tuple(kept.get(name, StageState(name)) for name in names),
        # A new attempt re-opens a run that an earlier one had ended.
        status=None,
        exit_code=None,
    )


def _plan(state: RunState, event: Event) -> RunState:
    for item in map(_to_dict, _to_list(event.payload["stages"])[:MOST_NAMES]):
        state = _update_stage(
            state,
            str(item.get("name")),
            total=_to_int(item.get("total")),
            unit=str(item.get("unit", "updates")),
            epochs=_to_int(item.get("epochs")),
            planned_s=to_number(item.get("seconds")),
        )
    return state


def _stage_started(state: RunState, event: Event) -> RunState:
    payload = event.payload
    state = replace(state, current=event.stage)
    stage = state.stage(event.stage or "")
    return _update_stage(
        state,
        event.stage,
        state="running",
        eta_s=stage.planned_s if stage is not None else None,  # until its own first estimate
        total=_to_int(payload["total"]),
        unit=str(payload["unit"]),
        epochs=_to_int(payload.get("epochs", 0)),
    )


def _epoch(state: RunState, event: Event) -> RunState:
    payload = event.payload
    return _update_stage(
        state, event.stage, epoch=_to_int(payload["epoch"]), epochs=_to_int(payload["epochs"])
    )


def _stage_finished(state: RunState, event: Event) -> RunState:
    payload = event.payload
    changes: dict[str, Any] = {
        "state": "finished",
        "updates": _to_int(payload["updates"]),
        "seconds": to_number(payload["seconds"]),
        "eta_s": None,
    }
    for name in ("first_loss", "last_loss"):
        if to_number(payload.get(name)) is not None:
            changes[name] = to_number(payload[name])
    return _update_stage(state, event.stage, **changes)


def _run_finished(state: RunState, event: Event) -> RunState:
    payload = event.payload
    return replace(
        state, status=str(payload["status"]), exit_code=_to_int(payload["exit_code"]), current=None
    )


def _memory(state: RunState, event: Event) -> RunState:
    return replace(state, memory=event.payload)


def _newest(kept: tuple[Kept, ...], fresh: Kept) -> tuple[Kept, ...]:
    return (*kept, fresh)[-MOST_KEPT:]


def _sample(state: RunState, event: Event) -> RunState:
    return replace(state, samples=_newest(state.samples, event.payload))


def _export(state: RunState, event: Event) -> RunState:
    return replace(state, exports=_newest(state.exports, event.payload))


def _validation(state: RunState, event: Event) -> RunState:
    return replace(state, validations=_newest(state.validations, event))


def _notice(state: RunState, event: Event) -> RunState:
    return replace(state, notices=_newest(state.notices, event))


# Those that change what steps change too.
_STAGE_EVENTS = frozenset({"run_started", "plan", "stage_started", "epoch", "stage_finished"})

_REDUCERS = {
    "run_started": _run_started,
    "plan": _plan,
    "stage_started": _stage_started,
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


def _update_stage(run: RunState, name: str | None, /, **changes: Any) -> RunState:
    if name is None:
        return run
    stages = run.stages
    if run.stage(name) is None:
        if len(stages) >= MOST_NAMES:
            return run
        stages = (*stages, StageState(name))
    return replace(
        run,
        stages=tuple(replace(s, **changes) if s.name == name else s for s in stages),
    )


def _to_int(value: Any) -> int:
    number = to_number(value)
    return int(number) if number is not None else 0


def _to_dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _to_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
