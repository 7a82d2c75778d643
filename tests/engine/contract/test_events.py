"""The stream: written lines read back, foreign lines never crash, state is a fold."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sovdeck.engine.contract.curves import with_points
from sovdeck.engine.contract.events import (
    KEPT_TYPES,
    LONGEST_KEPT,
    MOST_KEPT,
    MOST_NAMES,
    REQUIRED_FIELDS,
    Event,
    check_event,
    parse_event,
)
from sovdeck.engine.contract.fold import RunState, fold
from sovdeck.engine.contract.foreign_values import LATEST_MS
from sovdeck.engine.contract.saved_losses import SavedLosses, with_saved_losses

VALIDATION = {"v": 1, "seq": 0, "t": 1, "run": "r", "type": "validation", "epoch": 1}
VALIDATION |= {"metrics": {"loss": 1.0}}


def event(seq: int, type_: str, stage: str | None = None, **payload: Any) -> Event:
    check_event(type_, payload)
    return Event(seq, 1_000 + seq, "r1", type_, 1, stage, payload)


def small_run() -> list[Event]:
    return [
        event(0, "run_started", voice="A", stages=["sovits", "gpt"], device={}, engine="0"),
        event(1, "stage_started", "sovits", total=4, unit="updates", epochs=2),
        event(2, "step", "sovits", step=1, total=4, losses={"total": 9.0, "mel": 5.0}, epoch=1),
        event(3, "memory", source="psutil", process_rss=10),
        event(4, "step", "sovits", step=2, total=4, losses={"total": 7.0}, eta_s=3.5),
        event(5, "export", path="a.pth", kind="sovits", bytes=3, sha256="x"),
        event(6, "stage_finished", "sovits", updates=4, seconds=2.0),
        event(7, "run_finished", status="succeeded", exit_code=0, exports=[]),
    ]


def test_a_line_reads_back() -> None:
    for one in small_run():
        assert parse_event(one.to_json()) == one


def test_values_json_cannot_hold_become_null() -> None:
    line = event(0, "step", "gpt", step=1, total=2, losses={"total": float("nan")}).to_json()
    assert json.loads(line)["losses"] == {"total": None}


def test_writers_must_give_every_field() -> None:
    with pytest.raises(ValueError, match="lacks losses"):
        check_event("step", {"step": 1, "total": 2})
    with pytest.raises(ValueError, match="unknown event type"):
        check_event("stepp", {})


FLAT = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
JUNK = (
    FLAT
    | st.lists(FLAT, max_size=2)
    | st.dictionaries(st.sampled_from(["total", "name", "x"]), FLAT, max_size=2)
    | st.lists(st.dictionaries(st.sampled_from(["name", "total"]), FLAT), max_size=2)
)


@given(st.binary() | st.text() | JUNK.map(json.dumps))
def test_no_line_of_a_server_crashes_the_reader(line: str | bytes) -> None:
    parse_event(line)


@pytest.mark.parametrize("type_", sorted(REQUIRED_FIELDS))
@settings(max_examples=40)
@given(data=st.data())
def test_no_payload_of_a_server_crashes_the_fold(type_: str, data: st.DataObject) -> None:
    optional = ("epoch", "eta_s", "rate", "first_loss", "epochs", "seconds")
    payload = {name: data.draw(JUNK) for name in (*REQUIRED_FIELDS[type_], *optional)}
    raw = {"v": 1, "seq": 0, "t": 0, "run": "r", "type": type_, "stage": "gpt", **payload}
    one = parse_event(json.dumps(raw))
    assert one is not None
    fold(RunState(), [one])


@pytest.mark.parametrize(
    "change",
    [{"t": 32_503_680_000_000}, {"t": -1}, {"seq": 10**400}],
    ids=["after the year 3000", "before 1970", "seq"],
)
def test_an_event_out_of_time_is_none(change: dict[str, object]) -> None:
    assert parse_event(json.dumps({**VALIDATION, **change})) is None


@pytest.mark.parametrize(
    ("loss", "read"), [(10**299, 1e299), (10**400, math.inf), (-(10**301), -1e301)]
)
def test_no_number_of_a_server_is_beyond_arithmetic(loss: int, read: float) -> None:
    found = parse_event(json.dumps({**VALIDATION, "metrics": {"loss": loss}}))
    assert found is not None and found.payload["metrics"]["loss"] * 1.0 == read


def _many(kind: str, number: int) -> Event:
    """Event `number` of a server that has a new name in each of its events."""
    loss = {f"loss{number}": 1.0, "total": 1.0}
    payloads: dict[str, dict[str, Any]] = {
        "run_started": {"voice": "v", "stages": [f"s{i}" for i in range(999)], "device": {}},
        "plan": {"stages": [{"name": f"p{number}-{one}"} for one in range(99)]},
        "step": {"step": number, "total": 9, "losses": loss},
        "export": {"path": f"p{number}", "kind": f"s{number}", "bytes": 1, "sha256": "0"},
    }
    payload = payloads.get(kind, dict.fromkeys(REQUIRED_FIELDS[kind], number))
    stage = f"s{number}" if number % 2 else "gpt"
    return Event(number, number, "r", kind, 1, stage, {"engine": "1", **payload})


@pytest.mark.parametrize("kind", sorted(REQUIRED_FIELDS))
def test_what_is_kept_of_a_run_has_an_end(kind: str) -> None:
    events = [_many(kind, number) for number in range(3 * MOST_KEPT)]
    state = fold(RunState(), events)
    kept = (state.samples, state.exports, state.validations, state.notices)
    assert max(map(len, kept)) <= MOST_KEPT and len(state.stages) <= MOST_NAMES
    curves = with_points({}, state.points)
    assert len(curves) <= MOST_NAMES and all(len(one) <= MOST_NAMES for one in curves.values())
    saved = with_saved_losses(SavedLosses(), events)
    assert len(saved.by_path) <= MOST_KEPT and len(saved.pending) <= MOST_NAMES
    if kind in KEPT_TYPES:
        newest = (kept[0] or kept[1] or kept[2] or kept[3])[-1]
        assert newest in (events[-1], events[-1].payload)


@pytest.mark.parametrize("kind", sorted(KEPT_TYPES))
def test_an_event_that_is_kept_is_no_long_line(kind: str) -> None:
    fields = dict.fromkeys(REQUIRED_FIELDS[kind], 1)
    line = {"v": 1, "seq": 0, "t": 1, "run": "r", "type": kind, **fields}
    assert parse_event(json.dumps(line)) is not None
    assert parse_event(json.dumps({**line, "more": "x" * LONGEST_KEPT})) is None


def test_state_is_the_same_however_the_stream_is_cut() -> None:
    events = small_run()
    whole = fold(RunState(), events)
    for cut in range(len(events)):
        assert fold(fold(RunState(), events[:cut]), events[cut:]) == whole
    assert whole.status == "succeeded" and whole.gaps == whole.repeats == 0
    stage = whole.stage("sovits")
    assert stage is not None
    assert (stage.first_loss, stage.last_loss, stage.updates) == (9.0, 7.0, 4)
    assert [p.step for p in whole.points] == [1, 2]


def test_lost_and_doubled_events_are_counted() -> None:
    events = small_run()
    assert fold(RunState(), [*events[:2], *events[3:]]).gaps == 1
    assert fold(RunState(), [*events[:3], *events[2:]]).repeats == 1


@pytest.mark.parametrize("t", [-1, LATEST_MS, 10**30])
def test_a_time_that_no_clock_can_show_is_no_event(t: int) -> None:
    """Windows refuses those before 1970 and after 3000, Linux those of endless years."""
    line = {"v": 1, "seq": 0, "t": t, "run": "r", "type": "stall", "seconds": 1}
    assert parse_event(json.dumps(line)) is None
    assert parse_event(json.dumps({**line, "t": LATEST_MS - 1})) is not None
    time.localtime((LATEST_MS - 1) / 1000)


def test_an_event_of_a_newer_engine_is_read_over() -> None:
    newer = parse_event('{"v": 1, "seq": 3, "t": 1, "run": "r1", "type": "cooled", "degrees": 4}')
    assert newer is not None
    events = small_run()
    state = fold(RunState(), [*events[:3], newer, *events[4:]])
    assert state.gaps == state.repeats == 0 and state.status == "succeeded"


def test_a_stage_that_has_no_estimate_yet_shows_the_planned_time() -> None:
    stages = [{"name": "proof", "total": 1, "unit": "sentences", "seconds": 20.5}]
    began = [event(0, "plan", stages=stages), event(1, "stage_started", "proof", total=1, unit="s")]
    proof = fold(RunState(), began).stage("proof")
    assert proof is not None and (proof.planned_s, proof.eta_s) == (20.5, 20.5)
    done = fold(
        fold(RunState(), began), [event(2, "stage_finished", "proof", updates=0, seconds=9)]
    )
    proof = done.stage("proof")
    assert proof is not None and proof.eta_s is None, "nothing is left, and nothing says zero"
