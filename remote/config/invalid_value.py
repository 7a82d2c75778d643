"""The error of a validator of deploy.toml: sentences in both languages, with their keys."""

from __future__ import annotations

from collections.abc import Sequence

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.problem import Problem


class InvalidValue(ValueError):
    """A value is refused; `issues` are (keys below the validated one, sentence)."""

    def __init__(self, issues: Sequence[tuple[tuple[str, ...], Text]]) -> None:
        self.issues = tuple(issues)
        super().__init__(" ".join(message.en for _, message in issues))


def invalid_value(key: str, **facts: object) -> InvalidValue:
    """Make the error for the validated value itself, from a key of the catalogue."""
    return InvalidValue([((), text(key, **facts))])


def problem_text(problem: Problem) -> Text:
    """Return a problem's sentence with its hint."""
    return Text(problem.sentence("en"), problem.sentence("zh"))
