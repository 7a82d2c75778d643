"""Marks measure what they say, and the ballot follows marks and votes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovdeck.engine.speaking.metrics import character_error_rate, edit_distance, measure_speech
from sovdeck.engine.speaking.ranking import standings

RATE = 32_000


def tone(seconds: float, level: float = 0.3) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * 220 * t)).astype(np.float32)


def test_silence_at_the_ends_is_no_speech_and_inside_is_a_gap() -> None:
    quiet = np.zeros(RATE, np.float32)
    marks = measure_speech(
        np.concatenate((quiet, tone(1.0), quiet[: RATE // 2], tone(0.5), quiet)),
        ended=True,
        expected_s=4.0,
    )
    assert marks.seconds == pytest.approx(2.0, abs=0.03)
    assert marks.length_ratio == pytest.approx(0.5, abs=0.01)
    assert marks.longest_silence_s == pytest.approx(0.5, abs=0.03)
    assert marks.loudness_db == pytest.approx(20 * np.log10(0.3 / np.sqrt(2)), abs=0.1)


def test_a_mute_rendering_has_the_worst_marks() -> None:
    mute = measure_speech(np.zeros(RATE, np.float32), ended=True, expected_s=1.0)
    assert mute.seconds == 0.0 and mute.loudness_db is None
    assert mute.penalty > measure_speech(tone(3.0), ended=False, expected_s=1.0).penalty
    assert measure_speech(np.zeros(0, np.float32), ended=True).loudness_db is None


def test_every_fault_costs() -> None:
    good = measure_speech(tone(1.0), ended=True, expected_s=1.0, cer=0.0, similarity=1.0)
    assert good.penalty == pytest.approx(0.0, abs=0.02)
    for worse in (
        measure_speech(tone(1.0), ended=False, expected_s=1.0, cer=0.0, similarity=1.0),
        measure_speech(tone(1.0), ended=True, expected_s=2.0, cer=0.0, similarity=1.0),
        measure_speech(tone(1.0), ended=True, expected_s=0.5, cer=0.0, similarity=1.0),
        measure_speech(tone(1.0), ended=True, expected_s=1.0, cer=0.1, similarity=1.0),
        measure_speech(tone(1.0), ended=True, expected_s=1.0, cer=0.0, similarity=0.8),
    ):
        assert worse.penalty > good.penalty + 0.3


def test_character_errors() -> None:
    assert character_error_rate("今日は、いい天気。", "今日はいい天気") == 0.0
    assert character_error_rate("Hello world", "HELLO") == 0.5
    assert character_error_rate("abcd", "abXd") == 0.25
    assert character_error_rate("ab", "ababab") == 2.0
    assert character_error_rate("", "") == 0.0 and character_error_rate("。", "a") == 1.0


@given(st.text("ab", max_size=8), st.text("ab", max_size=8))
def test_edit_distance_is_a_distance(a: str, b: str) -> None:
    d = edit_distance(a, b)
    assert d == edit_distance(b, a)
    assert (d == 0) == (a == b)
    assert abs(len(a) - len(b)) <= d <= max(len(a), len(b))


def row(cell: str, gpt: str, sovits: str, penalty: float, kind: str = "cell") -> dict[str, object]:
    return {"cell": cell, "gpt": gpt, "sovits": sovits, "penalty": penalty, "kind": kind}


ROWS = [
    row("a1", "g5", "s4", 0.2),
    row("a2", "g5", "s4", 0.4),
    row("b1", "g10", "s4", 0.5),
    row("b2", "g10", "s4", 0.5),
    row("c1", "g15", "s8", 3.0),
    row("truth-s0", "", "", 0.0, "truth"),
    row("base", "s1", "s2G", 0.0, "base"),
]


def test_marks_rank_when_nobody_voted() -> None:
    ranked = standings(ROWS)
    assert [(s.gpt, s.sovits) for s in ranked] == [("g5", "s4"), ("g10", "s4"), ("g15", "s8")]
    assert ranked[0].penalty == pytest.approx(0.3) and ranked[0].cells == 2


def test_votes_overrule_small_differences_but_not_gross_faults() -> None:
    votes = [{"better": "b1", "worse": "a1"}, {"better": "b2", "worse": "a2"}]
    assert standings(ROWS, votes)[0].gpt == "g10"
    assert standings(ROWS, votes)[0].won == 2
    one = [{"better": "c1", "worse": "a1"}]
    assert standings(ROWS, one)[0].gpt == "g10"  # neither the faulty one nor the one it beat


def test_a_vote_is_about_the_sound_that_was_heard() -> None:
    rows = [{**one, "sha256": f"sound of {one['cell']}"} for one in ROWS]
    vote = {"better": "b1", "better_sha256": "sound of b1"}
    vote |= {"worse": "a1", "worse_sha256": "sound of a1"}
    assert [(s.gpt, s.won) for s in standings(rows, [vote])][0] == ("g10", 1)
    for side in ("better_sha256", "worse_sha256"):
        other = {**vote, side: "of the same name, before it was trained again"}
        assert [(s.won, s.lost) for s in standings(rows, [other])] == [(0, 0)] * 3


def test_each_further_attempt_costs() -> None:
    speech = np.sin(np.arange(32_000)).astype(np.float32)
    once, thrice = (replace(measure_speech(speech, ended=True), attempts=n) for n in (1, 3))
    assert thrice.penalty == pytest.approx(once.penalty + 0.5)
    assert once.penalty == measure_speech(speech, ended=True).penalty


def test_votes_about_nothing_say_nothing() -> None:
    votes = [{"better": "zz", "worse": "a1"}, {"better": "a1", "worse": "a2"}, {}]
    assert [(s.won, s.lost) for s in standings(ROWS, votes)] == [(0, 0)] * 3
