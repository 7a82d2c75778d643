"""Speaking without a screen: outlines, windows, the grid, blind duels, the form, the store."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovdeck.engine.contract.audition import AuditionCell
from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.layout import weight_epoch
from sovdeck.engine.contract.params import PARAMS
from sovdeck.tui.charts.raster import GRIDS
from sovdeck.tui.charts.waveform_columns import (
    MAX_REFERENCE_S,
    MIN_REFERENCE_S,
    move_window,
    peak_columns,
    waveform_rows,
    window_columns,
)
from sovdeck.tui.services.fakes.services import make_world
from sovdeck.tui.services.fakes.voice_assets import ATRI, MIKA
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.audition_updates import engine_args
from sovdeck.tui.state.blind_test import (
    MAX_COMPARED_PAIRS,
    MAX_COMPARISONS,
    make_comparisons,
    tally,
)
from sovdeck.tui.state.pair_grid import (
    LEVELS,
    cells_of,
    comparison_cells,
    epoch_of,
    pair_grid,
    weight_label,
)
from sovdeck.tui.state.server_models import Remark
from sovdeck.tui.state.speak_form import FORM_FIELDS, SpeakForm
from sovdeck.tui.state.speech_models import (
    AuditionDraft,
    AuditionState,
    SpeakDraft,
    TakeRow,
    TakeSentence,
)
from sovdeck.tui.state.store import Store


@pytest.fixture
def audition() -> AuditionState:
    return make_world().auditions[MIKA.key]


# Outlines


def test_columns_keep_the_loudest_of_each_stretch() -> None:
    assert peak_columns([0.1, 0.9, 0.2, 0.3], 2) == [0.9, 0.3]
    assert peak_columns([0.0, 1.0], 3) == [0.0, 0.5, 1.0]
    assert peak_columns([], 5) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300), st.integers(1, 120))
def test_no_column_is_louder_than_the_recording(peaks: list[float], count: int) -> None:
    found = peak_columns(peaks, count)
    assert len(found) == count and max(found) <= max(peaks)
    if count <= len(peaks):
        assert max(found) == max(peaks)


@pytest.mark.parametrize("marker", ["braille", "block", "ascii"])
def test_a_wave_fills_its_place_and_silence_is_a_thin_line(marker: str) -> None:
    grid = GRIDS[marker]  # type: ignore[index]
    loud, silent = waveform_rows([1.0] * 10, 12, 4, grid), waveform_rows([0.0] * 10, 12, 4, grid)
    assert [len(row) for row in loud] == [12] * 4
    assert " " not in "".join(loud)
    assert "".join(silent).strip() and set(silent[0]) == {" "} == set(silent[3])


def test_the_kept_part_spans_its_cells() -> None:
    assert window_columns(None, 10.0, 100) == (0, 99)
    assert window_columns((2.0, 5.0), 10.0, 100) == (20, 49)


@given(
    st.floats(0.5, 40),
    st.lists(st.tuples(st.sampled_from(["start", "end", "both"]), st.floats(-50, 50)), max_size=8),
)
def test_a_window_stays_inside_and_of_a_length_that_is_allowed(
    seconds: float, moves: list[tuple[str, float]]
) -> None:
    seconds = round(seconds, 2)
    window = (0.0, min(seconds, MAX_REFERENCE_S))
    for edge, by in moves:
        window = move_window(window, edge, by, seconds)  # type: ignore[arg-type]
        start, end = window
        assert -0.01 <= start < end <= seconds + 0.01
        assert min(MIN_REFERENCE_S, seconds) - 0.02 <= end - start <= MAX_REFERENCE_S + 0.02


# The grid


def test_names_of_weights_are_read() -> None:
    assert epoch_of("Mika-e15.ckpt") == 15 and epoch_of("Mika_e16_s2240.pth") == 16
    assert weight_label("Mika_e16_s2240.pth") == "e16" and weight_label("s2Gv2.pth") == "s2Gv2"
    assert weight_label("v2Pro/Mika-e8.ckpt") == "v2Pro e8"


def test_the_grid_is_in_the_order_of_epochs(audition: AuditionState) -> None:
    grid = pair_grid(audition)
    assert [epoch_of(name) for name in grid.gpt] == [5, 10, 15]
    assert [epoch_of(name) for name in grid.sovits] == [4, 8, 12, 16]


def test_the_mean_of_a_pair_is_over_its_sentences_and_levels_follow_it(
    audition: AuditionState,
) -> None:
    grid = pair_grid(audition)
    pair = ("Mika-e10.ckpt", "Mika_e12_s1680.pth")
    mine = cells_of(audition, pair)
    assert [cell.sentence for cell in mine] == [0, 1]
    assert grid.means[pair] == pytest.approx(sum(cell.penalty for cell in mine) / 2)
    assert grid.level(pair) == LEVELS
    worst = max(grid.means, key=lambda one: grid.means[one])
    assert grid.level(worst) == 0
    assert grid.level(("Mika-e99.ckpt", "Mika_e12_s1680.pth")) is None
    assert (
        grid.pair_at(*(grid.position_of(pair) or (-1, -1))) == pair and grid.pair_at(9, 9) is None
    )


def test_one_pair_alone_is_not_the_worst() -> None:
    one = AuditionCell("c", "cell", 0, "a", "g-e1.ckpt", "s_e1_s1.pth", penalty=3.0)
    assert pair_grid(AuditionState("s", "v", (one,))).level((one.gpt, one.sovits)) == LEVELS


def test_recording_and_base_stand_beside_the_sentence(audition: AuditionState) -> None:
    assert [cell.kind for cell in comparison_cells(audition, 1)] == ["truth", "base"]
    assert {cell.sentence for cell in comparison_cells(audition, 1)} == {1}
    own = [
        AuditionCell("saved-e4", "saved", -1, "x"),
        AuditionCell("truth-r0", "truth", -1, "y"),
    ]
    more = replace(audition, cells=(*audition.cells, *own))
    assert [cell.name for cell in comparison_cells(more)] == ["truth-r0", "saved-e4"]
    assert comparison_cells(audition) == []


# Blind comparison


@pytest.mark.parametrize("seed", range(6))
def test_a_duel_is_the_same_words_by_two_of_the_best_pairs(
    audition: AuditionState, seed: int
) -> None:
    found = make_comparisons(audition, Random(seed))
    best = {(one.gpt, one.sovits) for one in audition.standings[:MAX_COMPARED_PAIRS]}
    assert len(found) == MAX_COMPARISONS
    assert len({frozenset((duel.a.name, duel.b.name)) for duel in found}) == MAX_COMPARISONS
    for duel in found:
        pairs = {(duel.a.gpt, duel.a.sovits), (duel.b.gpt, duel.b.sovits)}
        assert duel.a.text == duel.b.text and len(pairs) == 2 and pairs <= best
    heard = Counter((cell.gpt, cell.sovits) for duel in found for cell in (duel.a, duel.b))
    assert max(heard.values()) - min(heard.values()) <= 2


def test_which_one_is_heard_first_tells_nothing(audition: AuditionState) -> None:
    first = audition.standings[0]
    sides = Counter(
        (duel.a.gpt, duel.a.sovits) == (first.gpt, first.sovits)
        for seed in range(60)
        for duel in make_comparisons(audition, Random(seed))
        if (first.gpt, first.sovits) in ((duel.a.gpt, duel.a.sovits), (duel.b.gpt, duel.b.sovits))
    )
    assert 0.35 < sides[True] / sides.total() < 0.65


def test_what_is_not_here_cannot_be_heard(audition: AuditionState) -> None:
    silent = tuple(replace(cell, wav=None) for cell in audition.cells)
    assert make_comparisons(replace(audition, cells=silent), Random(1)) == []
    assert make_comparisons(AuditionState("s", "v"), Random(1)) == []


def test_the_tally_counts_each_side(audition: AuditionState) -> None:
    one, two = audition.standings[0], audition.standings[1]
    a = cells_of(audition, (one.gpt, one.sovits))[0]
    b = cells_of(audition, (two.gpt, two.sovits))[0]
    assert tally([(a, b), (a, b), (b, a)]) == [
        ((one.gpt, one.sovits), 2, 1),
        ((two.gpt, two.sovits), 1, 2),
    ]


# The form


def laid() -> SpeakForm:
    session = SpeakForm()
    assert session.set_voice(MIKA.key, None, None)
    assert not session.set_voice(MIKA.key, MIKA, None)
    return session


def test_the_newest_pair_and_the_best_reference_lie_ready() -> None:
    session = laid()
    session.text = " おはよう。 "
    clip = MIKA.references[0]
    assert session.params() == {
        "text": "おはよう。",
        "gpt_weight": "Mika-e15.ckpt",
        "sovits_weight": "Mika_e16_s2240.pth",
        "ref_audio": clip.path,
        "ref_text": clip.text,
        "ref_lang": "ja",
        "text_lang": "ja",
    }


def test_a_clip_that_is_too_long_or_too_short_is_not_preselected() -> None:
    first, second, *rest = MIKA.references
    long, short = replace(first, seconds=14.0), replace(second, seconds=1.2)
    usable = replace(second, path="wavs/usable.wav", seconds=5.0)
    session = laid()
    session.set_voice(MIKA.key, replace(MIKA, references=(long, short, usable)), None)
    assert session.clip == usable.path
    session.set_voice(MIKA.key, replace(MIKA, references=(long, short)), None)
    assert session.clip == "" and "ref_audio" not in session.params()
    session.select_reference(long)  # a person may still try it
    session.set_voice(MIKA.key, replace(MIKA, references=(usable, long)), None)
    assert session.clip == long.path


def test_the_tone_of_an_audition_reaches_the_engine() -> None:
    draft = AuditionDraft("lab-a100", "Mika", pitch=-2.5)
    assert "--pitch=-2.5" in engine_args(draft)
    assert not any(word.startswith("--pitch") for word in engine_args(replace(draft, pitch=0.0)))


def test_the_pair_an_audition_chose_lies_ready_unless_another_was_taken() -> None:
    chosen = AuditionState("lab-a100", "Mika", chosen=("Mika-e10.ckpt", "Mika_e12_s1680.pth"))
    session = laid()
    session.select_weight("gpt", "Mika-e5.ckpt")
    session.set_voice(MIKA.key, MIKA, chosen)
    assert (session.weight("gpt"), session.weight("sovits")) == (
        "Mika-e5.ckpt",
        "Mika_e12_s1680.pth",
    )


def test_a_language_the_person_set_is_not_taken_back_by_a_clip() -> None:
    session = laid()
    session.set_value("infer.text_lang", "en")
    session.select_reference(replace(MIKA.references[1], language="zh"))
    assert session.params()["text_lang"] == "en" and "ref_lang" not in session.params()


def test_another_voice_clears_weights_and_clip_but_keeps_text_and_settings() -> None:
    session = laid()
    session.text = "a"
    session.set_value("infer.speed", 1.2)
    assert session.set_voice(ATRI.key, ATRI, None)
    params = session.params()
    assert "gpt_weight" not in params and params["sovits_weight"] == "ATRI_e8_s1120.pth"
    assert params["ref_audio"] == ATRI.references[0].path and params["speed"] == 1.2


def test_the_reference_itself_is_no_extra_and_lost_clips_are_dropped() -> None:
    session = laid()
    first, second = MIKA.references[:2]
    session.toggle_aux_reference(first.path)
    session.toggle_aux_reference(second.path)
    assert session.aux_references == [second.path]
    session.select_reference(second)
    assert session.aux_references == []
    session.toggle_aux_reference(first.path)
    session.set_voice(MIKA.key, replace(MIKA, references=(second,)), None)
    assert session.aux_references == []


def test_a_uploaded_clip_is_taken_when_it_has_arrived() -> None:
    session = laid()
    session.expect_new_clip(MIKA)
    session.set_voice(MIKA.key, MIKA, None)
    uploaded = replace(MIKA.references[0], path="lent/own.wav", text="", score=None)
    session.set_voice(MIKA.key, replace(MIKA, references=(*MIKA.references, uploaded)), None)
    assert session.clip == "lent/own.wav"


def test_putting_a_take_back_gives_the_same_request_with_its_seed() -> None:
    session = laid()
    session.text = "もう一度。"
    session.set_value("infer.speed", 1.3)
    session.set_value("infer.top_k", 20)
    take = TakeRow("t", session.draft(), 0, "done", seed=77)
    session.text = "another"
    session.set_value("infer.speed", 0.8)
    session.set_value("infer.top_k", 15)
    session.restore_take(take)
    assert session.params() == {**take.draft.params, "seed": 77}
    assert (
        set(session.pop_changed_fields()) <= set(FORM_FIELDS) and session.pop_changed_fields() == []
    )


def test_rerendering_is_asked_for_once_and_not_remembered() -> None:
    session = laid()
    session.text = "a"
    again = session.draft(rerender=True)
    assert again.params["rerender_last"] is True and (again.server, again.voice) == (
        "lab-a100",
        "Mika",
    )
    assert "rerender_last" not in session.draft().params


def test_the_form_has_every_speaking_parameter_that_has_no_place_of_its_own() -> None:
    elsewhere = {"gpt_weight", "sovits_weight", "ref_audio", "aux_refs", "text", "rerender_last"}
    elsewhere.add("early")  # the screen plays a sentence when it is whole
    table = {name for name, param in PARAMS.items() if param.group == "infer"}
    assert set(FORM_FIELDS) == table - {f"infer.{name}" for name in elsewhere}


# The store


def test_takes_keep_their_order_and_a_problem_ends_only_what_has_not_ended() -> None:
    store = Store()
    draft = SpeakDraft("s", "v", {"text": "a"})
    done = TakeRow("t1", draft, 0, "done", (TakeSentence("a", 1.0),), wav="x.wav")
    open_ = TakeRow("t2", draft, 1, "speaking", (TakeSentence("a", 1.0),))
    why = Remark("bad", Text("Gone.", "没了。"))
    store.apply([ev.TakeChanged(done), ev.TakeChanged(open_)])
    topics = store.apply([ev.TakeEnded("t1", "failed", why), ev.TakeEnded("t2", "failed", why)])
    assert topics == {"takes"} and list(store.state.takes) == ["t1", "t2"]
    assert store.state.takes["t1"] == done
    assert store.state.takes["t2"] == replace(open_, state="failed", why=why)
    assert store.apply([ev.TakeEnded("unknown", "failed")]) == frozenset()


def test_an_audition_that_ended_is_not_running_and_keeps_its_cells(audition: AuditionState) -> None:
    store = Store()
    store.apply([ev.AuditionChanged(replace(audition, running=True))])
    store.apply([ev.AuditionEnded("lab-a100", "Mika")])
    assert store.state.auditions[MIKA.key] == replace(audition, running=False)


@pytest.mark.parametrize(
    ("name", "epoch"),
    [
        ("Anna-e15.ckpt", (15, None)),
        ("Anna_e16_s2240.pth", (16, 2240)),
        ("Anna-e5-e20.ckpt", (20, None)),
        ("v2Pro/Anna-e5_e8_s64.pth", (8, 64)),
        ("Anna-e5/notes.txt", None),
        ("Anna-e5.pth.json", None),
        ("base.ckpt", None),
    ],
)
def test_an_epoch_stands_at_the_end_of_a_name(name: str, epoch: tuple[int, int] | None) -> None:
    assert weight_epoch(name) == epoch
