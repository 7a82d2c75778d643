"""What a validator of deploy.toml finds wrong, in both languages and with the keys below it."""

from __future__ import annotations

from collections.abc import Sequence

from engine.contract.catalogue import Text, text
from engine.contract.problem import Problem


class Unfit(ValueError):
    """Values that do not fit; `faults` are (keys below the validated one, sentence)."""

    def __init__(self, faults: Sequence[tuple[tuple[str, ...], Text]]) -> None:
        self.faults = tuple(faults)
        super().__init__(" ".join(what.en for _, what in faults))


def unfit(key: str, **facts: object) -> Unfit:
    """One fault of the validated value itself, as a sentence of the catalogue."""
    return Unfit([((), text(key, **facts))])


def said(problem: Problem) -> Text:
    """A problem's sentence with its hint."""
    return Text(problem.sentence("en"), problem.sentence("zh"))
