"""The parameter table is complete, and its validation names what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovdeck.engine.contract.params import PARAMS, check_value
from sovdeck.engine.contract.problem import Problem

DATA = Path(__file__).resolve().parents[2] / "data"

# The fields of the user guide, each with its parameter here.
GUIDE = [
    "sovits.batch_size",
    "sovits.epochs",
    "sovits.keep_resume",
    "sovits.export_each_save",
    "sovits.text_lr_scale",
    "sovits.save_every_epochs",
    "train.gpus",
    "gpt.batch_size",
    "gpt.epochs",
    "gpt.keep_resume",
    "gpt.export_each_save",
    "gpt.save_every_epochs",
    "gpt.dpo",
    "infer.gpt_weight",
    "infer.sovits_weight",
    "infer.ref_audio",
    "infer.no_ref_text",
    "infer.ref_text",
    "infer.ref_lang",
    "infer.text",
    "infer.text_lang",
    "infer.slice",
    "infer.rerender_last",
    "infer.speed",
    "infer.pause_s",
    "infer.top_k",
    "infer.top_p",
    "infer.temperature",
]


@pytest.mark.parametrize("name", GUIDE)
def test_every_field_of_the_guide_is_there_and_explained(name: str) -> None:
    param = PARAMS[name]
    assert param.help.en and param.help.zh and param.title.en and param.title.zh


def test_defaults_are_legal_and_help_is_in_two_languages() -> None:
    for param in PARAMS.values():
        assert check_value(param.name, param.default) == param.default
        assert param.help.en.endswith(".") and param.help.zh.endswith("。"), param.name
        assert bool(param.advice.en) == bool(param.advice.zh)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sovits.batch_size", 0),
        ("sovits.batch_size", 129),
        ("sovits.batch_size", 2.5),
        ("gpt.epochs", 1),
        ("sovits.text_lr_scale", 0.61),
        ("train.gpus", "0,1"),
        ("train.gpus", "0-0"),
        ("train.gpus", ""),
        ("infer.top_p", 0),
        ("gpt.dpo", "maybe"),
        ("infer.temperature", float("nan")),
        ("infer.seed", -2),
        ("train.precision", "fp8"),
        ("gpt.batch_size", True),
        ("sovits.epochs", "auto"),
    ],
)
def test_values_outside_the_range_are_refused_with_the_range(name: str, value: object) -> None:
    with pytest.raises(Problem) as caught:
        check_value(name, value)
    assert name in caught.value.sentence()


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("sovits.epochs", "20", 20),
        ("gpt.dpo", "on", True),
        ("train.gpus", "0-1", "0-1"),
        ("infer.speed", "1.2", 1.2),
        ("sovits.batch_size", "auto", "auto"),
        ("infer.aux_refs", "a.wav", ("a.wav",)),
    ],
)
def test_what_a_person_types_is_understood(name: str, typed: str, value: object) -> None:
    assert check_value(name, typed) == value


@pytest.mark.parametrize("name", ["infer.colour", "colour", "infer." + "a" * 1_000_000])
def test_an_unknown_name_that_is_like_none_gets_no_guess(name: str) -> None:
    with pytest.raises(Problem) as caught:
        check_value(name, 1)
    assert caught.value.key == "engine.params.unknown_name"
    assert "sovdeck params" in caught.value.hint.en and len(caught.value.message.en) < 120


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(Problem, match="sovits.epoch") as caught:
        check_value("sovits.epoch", 1)
    assert 'Did you mean "sovits.epochs"?' in caught.value.sentence()


@given(st.sampled_from(sorted(PARAMS)), st.one_of(st.text(), st.floats(), st.integers(), st.none()))
def test_any_value_is_taken_or_refused_but_never_crashes(name: str, value: object) -> None:
    try:
        taken = check_value(name, value)
    except Problem:
        return
    assert check_value(name, taken) == taken


def test_the_table_holds_what_the_users_guide_names() -> None:
    names = (DATA / "guide_parameters.txt").read_text("utf-8").split()
    assert len(names) > 30 and set(names) - set(PARAMS) == set()
