"""An expected failure: one sentence of what and why, one of what to do next."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from sovdeck.engine.contract import catalogue
from sovdeck.engine.contract.catalogue import Language, Text

_SENTENCE_ENDS = tuple(".!?:;…。！？：；)）")
_FULL_STOPS: dict[Language, str] = {"en": ".", "zh": "。"}


class ExitCode(IntEnum):
    """How a sovdeck or engine process ends; the same numbers on laptop and server."""

    OK = 0
    INTERNAL = 1
    CONFIG = 2
    DATA = 3
    MEMORY = 4
    DISTRIBUTED = 5
    UNREACHABLE = 6
    REFUSED = 7
    NO_OP = 8
    PREEMPTED = 75
    INTERRUPTED = 130


class Problem(Exception):
    """An expected failure, with a catalogue key, facts and an exit code.

    `key` names the sentence in the catalogue (see `catalogue`). `facts` fill its placeholders
    and travel as data too, so that a screen or a script need not parse the sentence.
    Never put a secret into a fact.
    """

    def __init__(self, key: str, exit_code: ExitCode, **facts: Any) -> None:
        self.key = key
        self.exit_code = exit_code
        self.facts = facts
        self.message: Text = catalogue.text(key, **facts)
        self.hint: Text = catalogue.hint(key, **facts)
        super().__init__(self.message.en)

    def __reduce__(self) -> tuple[Any, ...]:
        # Problems cross process borders (data-loader workers, torchrun); keyword facts do not
        # survive the default exception pickling.
        return (_rebuild, (self.key, int(self.exit_code), self.facts))

    def sentence(self, language: Language = "en") -> str:
        """Message and hint as one line for a terminal; a listing keeps its lines."""
        message, hint = self.message.get(language), self.hint.get(language)
        if message.endswith("\n") or not hint:
            return f"{message}{hint}".strip()
        # What a message quotes at its end, of a server or a library, may lack its full stop.
        stop = "" if message.endswith(_SENTENCE_ENDS) else _FULL_STOPS[language]
        return f"{message}{stop} {hint}".strip()

    def as_json(self) -> dict[str, Any]:
        """The `code, message, hint` triple of error and warning events."""
        return {
            "code": self.key,
            "message": self.message.as_json(),
            "hint": self.hint.as_json(),
        }


def _rebuild(key: str, exit_code: int, facts: dict[str, Any]) -> Problem:
    return Problem(key, ExitCode(exit_code), **facts)
