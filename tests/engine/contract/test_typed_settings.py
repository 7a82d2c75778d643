"""The typed settings are the parameter table: the same names, types, choices and defaults."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.settings import (
    SPEAK_GROUP,
    TRAIN_GROUPS,
    SpeakSettings,
    TrainSettings,
    parse_train_options,
)
from sovdeck.engine.contract.spec import RunSpec

GROUPS: dict[str, type] = {**get_type_hints(TrainSettings), SPEAK_GROUP: SpeakSettings}
TYPES = {
    "int": int,
    "float": float,
    "bool": bool,
    "text": str,
    "path": str,
    "gpus": str,
    "paths": tuple[str, ...],
}


def test_nothing_is_a_parameter_that_nothing_reads() -> None:
    assert {param.group for param in PARAMS.values()} == set(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_the_fields_of_the_table(group: str) -> None:
    hints = get_type_hints(GROUPS[group])
    assert {f"{group}.{one.name}" for one in fields(GROUPS[group])} == {
        name for name, param in PARAMS.items() if param.group == group
    }
    for name, hint in hints.items():
        param = PARAMS[f"{group}.{name}"]
        if param.kind == "choice":
            # The languages and slicing methods are tables of their own, too long for a Literal.
            expected = param.choices if get_origin(hint) is Literal else ()
            assert get_args(hint) == expected and (expected or hint is str), name
        elif param.auto:
            assert set(get_args(hint)) == {TYPES[param.kind], Literal["auto"]}, name
        else:
            assert hint == TYPES[param.kind], name


def test_what_is_not_given_is_the_tables_default() -> None:
    train, speak = TrainSettings.from_params({}), SpeakSettings.from_params({})
    assert train.as_params() == {
        name: param.default for name, param in PARAMS.items() if param.group in TRAIN_GROUPS
    }
    assert {f"infer.{name}": value for name, value in vars(speak).items()} == {
        name: param.default for name, param in PARAMS.items() if param.group == SPEAK_GROUP
    }
    with pytest.raises(FrozenInstanceError):
        train.gpt.dpo = True  # type: ignore[misc]


@pytest.mark.parametrize("name", ["infer.speed", "infer.seed"])
def test_what_is_no_setting_of_training_is_refused(name: str) -> None:
    with pytest.raises(Problem, match=f"{name} is not a training parameter"):
        RunSpec("r", "v", params={name: PARAMS[name].default})


def test_an_option_without_an_equals_sign_is_one_sentence() -> None:
    assert parse_train_options([" gpt.epochs = 3 ", "gpt.dpo=off"]) == {
        "gpt.epochs": 3,
        "gpt.dpo": False,
    }
    with pytest.raises(Problem, match="is not NAME=VALUE"):
        parse_train_options(["gpt.dpo"])


@pytest.mark.parametrize(
    ("field", "value"),
    [("params", [1]), ("voice", 5), ("stages", "gpt"), ("stages", [1]), ("proof_text", None)],
)
def test_a_spec_of_the_wrong_types_is_one_sentence(field: str, value: Any) -> None:
    text = json.dumps({"version": 1, "run": "r", "voice": "v", field: value})
    with pytest.raises(Problem, match=f"wrong type: {field}"):
        RunSpec.from_json(text)


def test_a_spec_reads_back_equal_with_its_values_converted() -> None:
    spec = RunSpec("r", "v", params={"gpt.dpo": "off", "train.gpus": 0, "sovits.epochs": "9"})
    assert spec.params == {"gpt.dpo": False, "train.gpus": "0", "sovits.epochs": 9}
    assert RunSpec.from_json(spec.to_json()) == spec
