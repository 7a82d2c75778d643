"""One parameter as a form row: title, input, and how it stands to its default."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from engine.contract.param import Param
from engine.contract.params import check
from engine.contract.problem import Problem
from tui.language import say, tell
from tui.widgets.choice import Choice


class ParamField(Horizontal):
    """Typed text is checked by the parameter table itself, so form and engine never disagree."""

    DEFAULT_CSS = """
    ParamField { height: 1; width: 1fr; }
    ParamField .title { width: 28; height: 1; }
    ParamField Input, ParamField Choice { width: 18; height: 1; }
    ParamField .note { width: 1fr; height: 1; padding: 0 0 0 2; color: $faint; }
    ParamField:focus-within { background: $primary 12%; }
    ParamField:focus-within .title { text-style: bold; color: $primary; }
    """

    class Changed(Message):
        """The field holds another value, or no legal one any more."""

        def __init__(self, field: ParamField) -> None:
            super().__init__()
            self.field = field

    def __init__(self, param: Param, value: Any = None) -> None:
        super().__init__(id="field-" + param.name.replace(".", "-"))
        self.param = param
        self.value: Any = param.default if value is None else value
        self.problem: Problem | None = None

    @property
    def changed(self) -> bool:
        return bool(self.value != self.param.default)

    def compose(self) -> ComposeResult:
        yield Static(tell(self, self.param.title), classes="title", markup=False)
        choices = self._choices()
        if choices:
            yield Choice(choices, _shown(self.value))
        else:
            yield Input(_shown(self.value), compact=True)
        yield Static(self._note(), classes="note")

    def _choices(self) -> tuple[str, ...]:
        if self.param.kind == "bool":
            return ("on", "off")
        return self.param.choices

    def _note(self) -> Content:
        if self.problem is not None:
            allowed = self.param.range_text() + (" | auto" if self.param.auto else "")
            return Content.styled(say(self, "tui.train.allowed", range=allowed), "bold $error")
        if self.changed and self.param.default != "":
            default = _shown(self.param.default)
            return Content.styled(say(self, "tui.train.not_default", default=default), "$warning")
        return Content(self.param.unit)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._take(event.value)

    def on_choice_changed(self, event: Choice.Changed) -> None:
        event.stop()
        self._take(event.value)

    def _take(self, typed: str) -> None:
        before = (self.value, self.problem is None)
        try:
            self.value = check(self.param.name, typed.strip())
            self.problem = None
        except Problem as problem:
            self.problem = problem
        self.query_one(".note", Static).update(self._note())
        if before != (self.value, self.problem is None):
            self.post_message(self.Changed(self))

    def reset(self) -> None:
        """Back to the table's default."""
        self.put(self.param.default)

    def put(self, value: Any) -> None:
        """Show `value` as if it had been typed."""
        shown = _shown(value)
        if self._choices():
            self.query_one(Choice).value = shown
        else:
            self.query_one(Input).value = shown


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
