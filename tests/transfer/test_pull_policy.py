"""What comes home during a training, and when the server may go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract.events import Event
from engine.contract.fold import RunState, fold
from remote.transfer.policy import Save, When, safe_to_switch_off, scores, to_pull


def saved(epoch: int, score: float | None = None, kind: str = "sovits") -> Save:
    return Save(f"{kind}-e{epoch}", f"{kind}{epoch}", kind, score)


def got(*saves: Save) -> dict[str, str]:
    return {one.path: one.version for one in saves}


RUN = (saved(1, 3.0), saved(2, 2.0), saved(3, 2.5), saved(1, kind="gpt"), saved(2, kind="gpt"))
NOTE = Save("sovits-e1.json", "1")


def test_each_save_brings_everything_that_is_not_here() -> None:
    assert to_pull(When.EACH_SAVE, RUN, {}) == RUN
    assert to_pull(When.EACH_SAVE, RUN, got(*RUN[:3])) == RUN[3:]
    assert to_pull(When.EACH_SAVE, RUN, got(*RUN)) == ()
    assert to_pull(When.NEVER, RUN, {}) == ()


def test_best_brings_the_lowest_score_or_the_newest() -> None:
    assert to_pull(When.BEST, RUN, {}) == (RUN[1], RUN[4])
    assert to_pull(When.BEST, RUN[:1], {}) == RUN[:1]
    mixed = [saved(1), saved(2, 9.0), saved(3)]
    assert to_pull(When.BEST, mixed, {}) == (saved(2, 9.0),)


def test_what_has_no_kind_goes_with_everything() -> None:
    assert to_pull(When.BEST, (*RUN, NOTE), {}) == (RUN[1], RUN[4], NOTE)


def test_a_file_written_again_is_a_new_file() -> None:
    again = Save("sovits-e1", "other", "sovits")
    assert to_pull(When.EACH_SAVE, [again], got(saved(1))) == (again,)
    verdict = safe_to_switch_off([again], got(saved(1)), running=False)
    assert not verdict.safe and verdict.missing == ("sovits-e1",)


def test_safe_only_when_all_is_here_and_nothing_runs() -> None:
    assert safe_to_switch_off(RUN, got(*RUN), running=False).safe
    assert not safe_to_switch_off(RUN, got(*RUN), running=True).safe
    assert not safe_to_switch_off(RUN, got(*RUN[1:]), running=False).safe
    assert not safe_to_switch_off((), {}, running=False).safe  # nothing named proves nothing
    wrong = dict.fromkeys(got(*RUN), "0")
    assert safe_to_switch_off(RUN, wrong, running=False).missing == tuple(got(*RUN))


SAVES = st.lists(
    st.builds(Save, st.sampled_from("abc"), st.sampled_from("xyz"),
              st.sampled_from(["gpt", "sovits", ""]), st.none() | st.floats(0, 9)),
    max_size=8, unique_by=lambda save: save.path,
)  # fmt: skip


@given(SAVES, SAVES, st.sampled_from(When))
def test_once_pulled_nothing_is_left_and_then_it_is_safe(
    saves: list[Save], before: list[Save], when: When
) -> None:
    first = to_pull(when, saves, got(*before))
    here = got(*before) | got(*first)
    assert to_pull(when, saves, here) == ()
    if when is When.EACH_SAVE and saves:
        assert safe_to_switch_off(saves, here, running=False).safe


def run_of(*events: tuple[str, str, dict[str, Any]]) -> RunState:
    return fold(
        RunState(),
        [Event(n, 0, "r", kind, 1, stage, payload) for n, (kind, stage, payload) in
         enumerate(events)],
    )  # fmt: skip


def export(kind: Any, epoch: Any) -> tuple[str, str, dict[str, Any]]:
    path = f"{kind}-{epoch}"
    return "export", str(kind), {
        "path": path, "kind": kind, "bytes": 1, "sha256": "x", "epoch": epoch,
    }  # fmt: skip


def judged(stage: str, epoch: Any, metrics: Any) -> tuple[str, str, dict[str, Any]]:
    return "validation", stage, {"epoch": epoch, "metrics": metrics}


def test_a_score_is_what_validation_said_of_that_epoch() -> None:
    state = run_of(
        judged("sovits", 1, {"mel": 3.5}), export("sovits", 1), export("sovits", 2),
        judged("gpt", 1, {"cross_entropy": 2}), export("gpt", 1),
    )  # fmt: skip
    assert scores(state) == {"sovits-1": 3.5, "gpt-1": 2.0}


@pytest.mark.parametrize(
    ("epoch", "metrics"),
    [([1], {"mel": 1.0}), (1, "high"), (1, {}), (1, {"mel": None}), (1, {"mel": "low"})],
    ids=["odd-epoch", "text", "empty", "null", "word"],
)
def test_strange_figures_of_a_server_are_no_score(epoch: Any, metrics: Any) -> None:
    state = run_of(judged("gpt", epoch, metrics), export("gpt", epoch), export(["gpt"], 1))
    assert scores(state) == {}
