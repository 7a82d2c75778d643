"""One parameter: its name, type, range, default and what it means to a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from engine.contract.catalogue import Text

Kind = Literal["int", "float", "bool", "choice", "text", "path", "paths", "gpus"]


@dataclass(frozen=True)
class Param:
    """One parameter. `auto` says that "auto" is allowed and resolved before the run."""

    name: str
    kind: Kind
    default: Any
    title: Text
    help: Text
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    auto: bool = False
    unit: str = ""
    recommended: Text = Text("", "")
    advice: Text = Text("", "")

    @property
    def group(self) -> str:
        return self.name.split(".", 1)[0]

    def range_text(self) -> str:
        """The range as a person writes it: `1-128`, `latest | all`."""
        if self.choices:
            return " | ".join(self.choices)
        if self.kind == "bool":
            return "on | off"
        if self.low is None and self.high is None:
            return ""
        if self.high is None:
            return f">= {_plain(self.low)}"
        return f"{_plain(self.low)}-{_plain(self.high)}"


def _plain(number: float | None) -> str:
    return "" if number is None else f"{number:g}"
