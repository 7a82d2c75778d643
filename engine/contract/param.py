"""One parameter: its name, type, range, default and what it means to a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sovdeck.engine.contract.catalogue import Text

ParamKind = Literal["int", "float", "bool", "choice", "text", "path", "paths", "gpus"]


@dataclass(frozen=True)
class Param:
    """One parameter. With `auto` the value "auto" is allowed and resolved before the run."""

    name: str
    kind: ParamKind
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
        """The part of the name before the first dot, such as `sovits`."""
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
            return f">= {_format_number(self.low)}"
        return f"{_format_number(self.low)}-{_format_number(self.high)}"


def format_value(value: Any) -> str:
    """A value as a person writes it: `on`, `0.4`, `0-1`."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _format_number(number: float | None) -> str:
    return "" if number is None else f"{number:g}"
