"""Named sets of training parameters: ours, and those a person has saved. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Params = Mapping[str, Any]

# Only what differs from the parameter table's defaults, which are the recipe "standard".
BUILT_IN: dict[str, Params] = {
    "standard": {},
    # user_guide_zh.md: 20 epochs of each stage for a first training, saves at 4 and 5.
    "beginner": {"sovits.epochs": 20, "gpt.epochs": 20},
    "quick": {
        "sovits.epochs": 4,
        "sovits.save_every_epochs": 2,
        "gpt.epochs": 6,
        "gpt.save_every_epochs": 3,
    },
    "careful": {
        "sovits.epochs": 12,
        "sovits.save_every_epochs": 2,
        "gpt.save_every_epochs": 3,
        "train.save_every_minutes": 5,
    },
}
OWN = "own"  # what the form is called when it follows none of them
RESERVED_NAMES = frozenset({*BUILT_IN, OWN})


def all_recipes(saved: Mapping[str, Params]) -> dict[str, Params]:
    """Ours first; a saved one cannot take the name of ours."""
    return {**BUILT_IN, **{name: saved[name] for name in saved if name not in RESERVED_NAMES}}


def recipe_of(values: Params, saved: Mapping[str, Params]) -> str:
    """The recipe whose parameters the form equals; OWN where there is none."""
    for name, params in all_recipes(saved).items():
        if dict(params) == dict(values):
            return name
    return OWN
