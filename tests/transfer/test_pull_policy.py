"""What comes home during a training, and when the server may go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remote.transfer.policy import Export, Here, When, safe_to_switch_off, to_pull


def saved(epoch: int, score: float | None = None, kind: str = "sovits") -> Export:
    return Export(f"{kind}-e{epoch}", kind, 10, f"{kind}{epoch}", score)


def got(*exports: Export) -> list[Here]:
    return [Here(one.path, one.sha256) for one in exports]


RUN = (saved(1, 3.0), saved(2, 2.0), saved(3, 2.5), saved(1, kind="gpt"), saved(2, kind="gpt"))


def test_each_save_brings_everything_that_is_not_here() -> None:
    assert to_pull(When.EACH_SAVE, RUN, [], finished=False) == RUN
    assert to_pull(When.EACH_SAVE, RUN, got(*RUN[:3]), finished=False) == RUN[3:]
    assert to_pull(When.EACH_SAVE, RUN, got(*RUN), finished=True) == ()


def test_best_brings_the_lowest_score_or_the_newest() -> None:
    assert to_pull(When.BEST, RUN, [], finished=False) == (RUN[1], RUN[4])
    assert to_pull(When.BEST, RUN[:1], [], finished=False) == RUN[:1]
    assert to_pull(When.BEST, [saved(1), saved(2, 9.0), saved(3)], [], finished=False) == (
        saved(2, 9.0),
    )
    assert to_pull(When.BEST, RUN, got(RUN[1], RUN[4]), finished=True) == (RUN[0], RUN[2], RUN[3])


def test_end_waits_and_never_never_pulls() -> None:
    assert to_pull(When.END, RUN, [], finished=False) == ()
    assert to_pull(When.END, RUN, [], finished=True) == RUN
    assert to_pull(When.NEVER, RUN, [], finished=True) == ()


def test_a_file_written_again_is_a_new_file() -> None:
    again = Export("sovits-e1", "sovits", 10, "other")
    assert to_pull(When.EACH_SAVE, [saved(1), again], got(saved(1)), finished=False) == (again,)
    verdict = safe_to_switch_off([saved(1), again], got(saved(1)), running=False)
    assert not verdict.safe and verdict.missing == ("sovits-e1",)


def test_safe_only_when_all_is_here_and_nothing_runs() -> None:
    assert safe_to_switch_off(RUN, got(*RUN), running=False).safe
    assert not safe_to_switch_off(RUN, got(*RUN), running=True).safe
    assert not safe_to_switch_off(RUN, got(*RUN[1:]), running=False).safe
    assert not safe_to_switch_off((), [], running=False).safe  # nothing named proves nothing
    wrong = [Here(one.path, "0") for one in RUN]
    assert safe_to_switch_off(RUN, wrong, running=False).missing == tuple(e.path for e in RUN)


EXPORTS = st.lists(
    st.builds(Export, st.sampled_from("abc"), st.sampled_from(["gpt", "sovits"]), st.just(1),
              st.sampled_from("xyz"), st.none() | st.floats(0, 9)), max_size=8,
)  # fmt: skip


@given(EXPORTS, EXPORTS, st.sampled_from(When), st.booleans())
def test_once_pulled_nothing_is_left_and_then_it_is_safe(
    exports: list[Export], before: list[Export], when: When, finished: bool
) -> None:
    here = got(*before)
    first = to_pull(when, exports, here, finished=finished)
    assert to_pull(when, exports, here + got(*first), finished=finished) == ()
    if finished and when is not When.NEVER and exports:
        assert safe_to_switch_off(exports, here + got(*first), running=False).safe


@pytest.mark.parametrize(
    "payload",
    [{}, {"path": 1}, {"path": "a", "kind": "k", "bytes": True, "sha256": "x"},
     {"path": "a", "kind": "k", "bytes": "5", "sha256": "x"}],
)  # fmt: skip
def test_strange_exports_are_none(payload: dict[str, Any]) -> None:
    assert Export.from_payload(payload) is None


def test_an_export_event_is_read() -> None:
    payload = {"path": "a", "kind": "k", "bytes": 5, "sha256": "x", "score": "high"}
    assert Export.from_payload(payload) == Export("a", "k", 5, "x")
    assert Export.from_payload({**payload, "score": 2}) == Export("a", "k", 5, "x", 2.0)
