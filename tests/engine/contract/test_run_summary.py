"""A summary says what the whole event file says, in a few kB, and survives what a server sends."""

from __future__ import annotations

import json
import math
import random
from dataclasses import fields, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sovdeck.engine.contract import run_summary
from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.fold import RunState, StageState, fold
from sovdeck.engine.contract.run_summary import (
    LISTED,
    SUMMARY_POINTS,
    RunSummary,
    parse_summary,
)


def long_run(steps: int) -> list[Event]:
    """Steps of two losses with a spike and a dip among them, and saves with warnings between."""
    draw = random.Random(3)
    found: list[Event] = []

    def add(type_: str, stage: str | None = None, **payload: Any) -> None:
        found.append(Event(len(found), 1000 + len(found), "r1", type_, 1, stage, payload))

    add("run_started", voice="Mei", stages=["gpt", "pack"], device={"kind": "cpu"}, engine="0")
    add("stage_started", "gpt", total=steps, unit="updates", epochs=9)
    for step in range(1, steps + 1):
        total = {steps // 3: 99.0, steps // 2: 0.25}.get(step, draw.uniform(3, 5))
        add("step", "gpt", step=step, total=steps, losses={"total": total, "acc": None}, rate=2.0)
        if step % 50 == 0:
            add("validation", "gpt", epoch=step, metrics={"total": total}, step=step)
            add("export", "gpt", path=f"e{step}.ckpt", kind="gpt", bytes=3, sha256="x", epoch=step)
            add("warning", "gpt", code="c", message={"en": "m", "zh": "m"}, hint={})
    add("memory", source="psutil", process_rss=math.nan)
    add("run_finished", status="succeeded", exit_code=0, exports=[])
    return found


def summary_of(events: list[Event], batch: int = 700) -> RunSummary:
    summary = RunSummary()
    for start in range(0, len(events), batch):
        summary = summary.with_events(events[start : start + batch], start)
    return summary


def test_it_is_the_fold_whatever_the_batches() -> None:
    events = long_run(3000)
    whole = replace(fold(RunState(), events), points=())
    for batch in (1, 700, len(events)):
        assert summary_of(events, batch).state == whole


def test_it_reads_back_and_goes_on() -> None:
    events = long_run(3000)
    half = summary_of(events[:2000])
    back = parse_summary(half.to_json().encode(), SUMMARY_POINTS)
    assert back is not None and back.complete
    assert back.with_events(events[2000:], 9).state == replace(fold(RunState(), events), points=())
    assert back.recent == half.recent and len(back.recent) > 50
    assert back.saved_losses == half.saved_losses and back.offset == half.offset
    assert list(back.curves["gpt"]["total"].xs()) == list(half.curves["gpt"]["total"].xs())


def test_a_curve_is_thinned_and_keeps_its_extremes() -> None:
    summary = summary_of(long_run(20_000))
    curve = summary.curves["gpt"]["total"]
    assert SUMMARY_POINTS / 4 < len(curve) <= SUMMARY_POINTS
    assert (min(curve.ys()), max(curve.ys())) == (0.25, 99.0)
    assert (curve.xs()[0], curve.xs()[-1]) == (1.0, 20_000.0)


def test_the_first_line_is_short_and_holds_what_a_list_of_runs_shows() -> None:
    summary = summary_of(long_run(20_000))
    line = summary.first_line().encode()
    assert len(line) < 20_000 < len(summary.to_json()) / 5
    assert json.loads(summary.to_json())["history"]["curves"]["gpt"]
    first = parse_summary(line)
    assert first is not None and not first.complete
    assert first.state.exports == summary.state.exports[-LISTED:]

    def bare(state: RunState) -> RunState:
        return replace(state, exports=(), validations=(), notices=())

    told = replace(summary.state, memory={"source": "psutil", "process_rss": None})
    assert bare(first.state) == bare(told)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["v", "offset", "state", "history", "curves", "lists", "saved", "stages", "name", "gpt"]
            + ["by_path", "pending", "exports", "notices", "seq", "memory"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=12,
)


@given(JUNK, JUNK, JUNK)
def test_nothing_a_server_sends_raises(state: Any, history: Any, offset: Any) -> None:
    for raw in (state, {"v": 1, "offset": 3, "state": {}, "history": history}):
        parse_summary(json.dumps(raw).encode())
    parse_summary(json.dumps({"v": 1, "offset": offset, "state": state}).encode())
    parse_summary(b'{"v": 1, "offset": 1e999, "state": {}}')
    parse_summary(b"\xff{")


def test_every_field_of_a_stage_is_read_back() -> None:
    assert {str(one.type) for one in fields(StageState)} <= set(run_summary._CHECKS)
