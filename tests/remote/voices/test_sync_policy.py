"""What comes home during a training, and when the server may go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.fold import RunState, fold
from sovdeck.remote.voices.sync_policy import (
    Checkpoint,
    SyncPolicy,
    check_switch_off,
    select_new,
    validation_scores,
)


def saved(epoch: int, score: float | None = None, kind: str = "sovits") -> Checkpoint:
    return Checkpoint(f"{kind}-e{epoch}", f"{kind}{epoch}", kind, score)


def got(*saves: Checkpoint) -> dict[str, str]:
    return {one.path: one.version for one in saves}


RUN = (saved(1, 3.0), saved(2, 2.0), saved(3, 2.5), saved(1, kind="gpt"), saved(2, kind="gpt"))
NOTE = Checkpoint("sovits-e1.json", "1")


def test_each_save_brings_everything_that_is_not_here() -> None:
    assert select_new(SyncPolicy.EACH_CHECKPOINT, RUN, {}) == RUN
    assert select_new(SyncPolicy.EACH_CHECKPOINT, RUN, got(*RUN[:3])) == RUN[3:]
    assert select_new(SyncPolicy.EACH_CHECKPOINT, RUN, got(*RUN)) == ()
    assert select_new(SyncPolicy.NEVER, RUN, {}) == ()


def test_best_brings_the_lowest_score_or_the_newest() -> None:
    assert select_new(SyncPolicy.BEST, RUN, {}) == (RUN[1], RUN[4])
    assert select_new(SyncPolicy.BEST, RUN[:1], {}) == RUN[:1]
    mixed = [saved(1), saved(2, 9.0), saved(3)]
    assert select_new(SyncPolicy.BEST, mixed, {}) == (saved(2, 9.0),)


def test_what_has_no_kind_goes_with_everything() -> None:
    assert select_new(SyncPolicy.BEST, (*RUN, NOTE), {}) == (RUN[1], RUN[4], NOTE)


def test_a_file_written_again_is_a_new_file() -> None:
    again = Checkpoint("sovits-e1", "other", "sovits")
    assert select_new(SyncPolicy.EACH_CHECKPOINT, [again], got(saved(1))) == (again,)
    decision = check_switch_off([again], got(saved(1)), running=False)
    assert not decision.safe and decision.missing == ("sovits-e1",)


def test_safe_only_when_all_is_here_and_nothing_runs() -> None:
    assert check_switch_off(RUN, got(*RUN), running=False).safe
    assert not check_switch_off(RUN, got(*RUN), running=True).safe
    assert not check_switch_off(RUN, got(*RUN[1:]), running=False).safe
    assert not check_switch_off((), {}, running=False).safe  # nothing named proves nothing
    wrong = dict.fromkeys(got(*RUN), "0")
    assert check_switch_off(RUN, wrong, running=False).missing == tuple(got(*RUN))


SAVES = st.lists(
    st.builds(
        Checkpoint,
        st.sampled_from("abc"),
        st.sampled_from("xyz"),
        st.sampled_from(["gpt", "sovits", ""]),
        st.none() | st.floats(0, 9),
    ),
    max_size=8,
    unique_by=lambda save: save.path,
)


@given(SAVES, SAVES, st.sampled_from(SyncPolicy))
def test_once_pulled_nothing_is_left_and_then_it_is_safe(
    saves: list[Checkpoint], before: list[Checkpoint], when: SyncPolicy
) -> None:
    first = select_new(when, saves, got(*before))
    here = got(*before) | got(*first)
    assert select_new(when, saves, here) == ()
    if when is SyncPolicy.EACH_CHECKPOINT and saves:
        assert check_switch_off(saves, here, running=False).safe


def run_of(*events: tuple[str, str, dict[str, Any]]) -> RunState:
    return fold(
        RunState(),
        [
            Event(n, 0, "r", kind, 1, stage, payload)
            for n, (kind, stage, payload) in enumerate(events)
        ],
    )


def export(kind: Any, epoch: Any) -> tuple[str, str, dict[str, Any]]:
    path = f"{kind}-{epoch}"
    return (
        "export",
        str(kind),
        {
            "path": path,
            "kind": kind,
            "bytes": 1,
            "sha256": "x",
            "epoch": epoch,
        },
    )


def judged(stage: str, epoch: Any, metrics: Any) -> tuple[str, str, dict[str, Any]]:
    return "validation", stage, {"epoch": epoch, "metrics": metrics}


def test_a_score_is_what_validation_said_of_that_epoch() -> None:
    state = run_of(
        judged("sovits", 1, {"mel": 3.5}),
        export("sovits", 1),
        export("sovits", 2),
        judged("gpt", 1, {"cross_entropy": 2}),
        export("gpt", 1),
    )
    assert validation_scores(state) == {"sovits-1": 3.5, "gpt-1": 2.0}


@pytest.mark.parametrize(
    ("epoch", "metrics"),
    [([1], {"mel": 1.0}), (1, "high"), (1, {}), (1, {"mel": None}), (1, {"mel": "low"})],
    ids=["odd-epoch", "text", "empty", "null", "word"],
)
def test_strange_figures_of_a_server_are_no_score(epoch: Any, metrics: Any) -> None:
    state = run_of(judged("gpt", epoch, metrics), export("gpt", epoch), export(["gpt"], 1))
    assert validation_scores(state) == {}
