"""`summary.json` beside a run's events: what they come to, so that nobody reads all of them again.

One JSON object in two lines. The first line is all that a list of runs shows, a few kB whatever the
length of the run; the second adds the whole lists and the loss curves, thinned to SUMMARY_POINTS
points each with their lowest and highest kept. `offset` is the byte of `events.jsonl` up to which
they were read: the events after it complete the summary, and their `seq` proves that none is
missing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeGuard

from sovdeck.engine.contract.curves import Curves, with_points
from sovdeck.engine.contract.events import Event, to_event, without_nan
from sovdeck.engine.contract.fold import RunState, StageState, fold
from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.saved_losses import SavedLosses, with_saved_losses
from sovdeck.engine.contract.series import LIMIT, Series

SUMMARY_VERSION = 1
SUMMARY_POINTS = 2000
RECENT_EVENTS = 200  # that a log shows: the newest
_TOLD_STEP_MS = 10_000  # steps among them are at least so far apart
_TOLD_TYPES = frozenset({"stage_started", "epoch", "validation", "stage_finished", "export"})
LISTED = 20  # of each list in the first line: the newest
_LISTS = ("validations", "samples", "exports", "notices")
_EVENT_LISTS = ("validations", "notices")
_LARGEST = 1e300
_SIGNIFICANT = 7  # digits of a value in a curve: more than a chart can show


@dataclass(frozen=True)
class RunSummary:
    """A run's events up to byte `offset`, folded; `state.points` is empty, see `curves`.

    recent: the newest RECENT_EVENTS that a log tells, few of the steps. complete: False when only
    the first line was read; the lists of `state` then hold their newest LISTED entries, and there
    are neither curves nor recent events.
    """

    state: RunState = field(default_factory=RunState)
    offset: int = 0
    curves: Curves = field(default_factory=dict)
    saved_losses: SavedLosses = field(default_factory=SavedLosses)
    recent: tuple[Event, ...] = ()
    complete: bool = True

    def with_events(self, events: Iterable[Event], offset: int) -> RunSummary:
        """The summary after more events, in order; `offset` is where they end, in bytes."""
        events = tuple(events)
        state = fold(self.state, events)
        fresh = [event for event in events if event.seq > self.state.seq]
        return replace(
            self,
            state=replace(state, points=()),
            offset=offset,
            curves=with_points(self.curves, state.points, SUMMARY_POINTS),
            saved_losses=with_saved_losses(self.saved_losses, fresh),
            recent=_with_recent(self.recent, fresh),
        )

    def without_history(self) -> RunSummary:
        """What the first line holds, which is all that a list of runs needs to keep."""
        newest = {name: getattr(self.state, name)[-LISTED:] for name in _LISTS}
        return RunSummary(replace(self.state, **newest), self.offset, complete=False)

    def first_line(self) -> str:
        """The first line without its newline; closed by "}" it is a JSON object of its own."""
        state = self.without_history().state
        head = {"v": SUMMARY_VERSION, "offset": self.offset, "state": _state_facts(state)}
        return json.dumps(without_nan(head), ensure_ascii=False)[:-1] + ","

    def to_json(self) -> str:
        """The whole file."""
        history = {
            "recent": [event.as_json() for event in self.recent],
            "lists": {name: _list_facts(self.state, name) for name in _LISTS},
            "saved": {
                "by_path": self.saved_losses.by_path,
                "pending": self.saved_losses.pending,
            },
            "curves": {
                stage: {name: _series_facts(series) for name, series in losses.items()}
                for stage, losses in self.curves.items()
            },
        }
        second = json.dumps(without_nan(history), ensure_ascii=False)
        return f'{self.first_line()}\n"history": {second}}}\n'


def parse_summary(data: bytes, limit: int = LIMIT) -> RunSummary | None:
    """Read the file, or its first line alone; None for anything that is no summary of ours.

    It comes from a server: what does not fit its type is left out, never raised. limit: how many
    points each curve may grow to.
    """
    whole = data.strip()
    if whole.endswith(b","):
        whole = whole[:-1] + b"}"
    try:
        raw = parse_json(whole)
    except ValueError:
        return None
    if not isinstance(raw, dict) or raw.get("v") != SUMMARY_VERSION:
        return None
    offset, state = raw.get("offset"), raw.get("state")
    if not _is_int(offset) or offset < 0 or not isinstance(state, dict):
        return None
    summary = RunSummary(_parse_state(state), offset, complete=False)
    history = raw.get("history")
    if not isinstance(history, dict):
        return summary
    lists = _dict(history.get("lists"))
    return replace(
        summary,
        state=replace(summary.state, **_parse_lists(lists)),
        curves=_parse_curves(_dict(history.get("curves")), limit),
        saved_losses=_parse_saved(_dict(history.get("saved"))),
        recent=_parse_events(history.get("recent")),
        complete=True,
    )


def _state_facts(state: RunState) -> dict[str, Any]:
    facts = {
        one.name: getattr(state, one.name)
        for one in fields(state)
        if one.name not in ("points", "stages", *_LISTS)
    }
    stages = [
        {one.name: getattr(stage, one.name) for one in fields(stage)} for stage in state.stages
    ]
    return {**facts, "stages": stages, **{name: _list_facts(state, name) for name in _LISTS}}


def _list_facts(state: RunState, name: str) -> list[Any]:
    entries = getattr(state, name)
    return [one.as_json() for one in entries] if name in _EVENT_LISTS else list(entries)


def _parse_state(raw: Mapping[str, Any]) -> RunState:
    known = _known_fields(RunState, raw)
    stages = raw.get("stages")
    known["stages"] = tuple(
        stage
        for one in (stages if isinstance(stages, list) else [])
        if (stage := _parse_stage(one)) is not None
    )
    return RunState(**known, **_parse_lists(raw))


def _parse_stage(raw: object) -> StageState | None:
    facts = _dict(raw)
    if not isinstance(facts.get("name"), str):
        return None
    return StageState(**_known_fields(StageState, facts))


def _parse_lists(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _parse_list(raw, name) for name in _LISTS}


def _parse_list(raw: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    entries = raw.get(name)
    if not isinstance(entries, list):
        return ()
    if name in _EVENT_LISTS:
        return _parse_events(entries)
    return tuple(one for one in entries if isinstance(one, dict))


def _parse_events(entries: object) -> tuple[Event, ...]:
    found = map(to_event, entries if isinstance(entries, list) else [])
    return tuple(event for event in found if event is not None)


def _with_recent(known: tuple[Event, ...], events: Iterable[Event]) -> tuple[Event, ...]:
    told_at = max((event.t for event in known if event.type == "step"), default=0)
    told = []
    for event in events:
        if event.type == "step" and event.t - told_at >= _TOLD_STEP_MS:
            told_at = event.t
            told.append(event)
        elif event.type in _TOLD_TYPES:
            told.append(event)
    return (*known, *told)[-RECENT_EVENTS:] if told else known


def _series_facts(series: Series) -> list[list[float | None]]:
    ys = [float(f"{y:.{_SIGNIFICANT}g}") if math.isfinite(y) else None for y in series.ys()]
    return [[int(x) if x.is_integer() else x for x in series.xs()], ys]


def _parse_curves(raw: Mapping[str, Any], limit: int) -> Curves:
    return {
        stage: {name: _parse_series(pair, limit) for name, pair in _dict(losses).items()}
        for stage, losses in raw.items()
    }


def _parse_series(pair: object, limit: int) -> Series:
    xs, ys = pair if isinstance(pair, list) and len(pair) == 2 else ([], [])
    if not isinstance(xs, list) or not isinstance(ys, list):
        return Series(limit)
    points = zip(xs, ys, strict=False)
    return Series(limit).extended(
        (x, y if _is_number(y) else None) for x, y in points if _is_number(x)
    )


def _parse_saved(raw: Mapping[str, Any]) -> SavedLosses:
    by_path = {path: loss for path, loss in _dict(raw.get("by_path")).items() if _is_number(loss)}
    pending = {
        stage: (float(pair[0]), int(pair[1]))
        for stage, pair in _dict(raw.get("pending")).items()
        if isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair))
    }
    return SavedLosses(by_path, pending)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _is_number(value: object) -> TypeGuard[float]:
    # Neither NaN nor an infinity, which Python reads from JSON though JSON has none.
    return _is_int(value) or (isinstance(value, float) and abs(value) < _LARGEST)


def _is_number_or_none(value: object) -> bool:
    return value is None or _is_number(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_int_or_none(value: object) -> bool:
    return value is None or _is_int(value)


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)


# By the annotation of a field, so that a field that is added is read back without a word here.
_CHECKS: dict[str, Callable[[object], bool]] = {
    "str": _is_text,
    "str | None": _is_text_or_none,
    "int": _is_int,
    "int | None": _is_int_or_none,
    "float | None": _is_number_or_none,
    "Mapping[str, Any]": _is_dict,
}


def _known_fields(
    kind: type[RunState] | type[StageState], raw: Mapping[str, Any]
) -> dict[str, Any]:
    """The plain fields of `kind` that `raw` has with a value of their type."""
    return {
        one.name: raw[one.name]
        for one in fields(kind)
        if one.name in raw and (check := _CHECKS.get(str(one.type))) and check(raw[one.name])
    }
