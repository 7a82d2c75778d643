"""One parameter as a form row: title, input, and a note on its default or its problem."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from sovdeck.engine.contract.param import Param, format_value
from sovdeck.engine.contract.params import check_value
from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.text.i18n import translate, translate_text
from sovdeck.tui.text.param_values import (
    choice_labels,
    param_choices,
    range_text,
    unit_text,
    value_text,
)
from sovdeck.tui.widgets.form_input import FormInput
from sovdeck.tui.widgets.option_stepper import OptionStepper
from sovdeck.tui.widgets.steady_text import SteadyText


class ParamField(Horizontal):
    """Typed text is checked by the parameter table, so form and engine cannot disagree."""

    DEFAULT_CSS = """
    ParamField { height: 1; width: 1fr; }
    ParamField .title { width: 28; height: 1; }
    ParamField Input, ParamField OptionStepper { width: 18; height: 1; }
    ParamField .note { width: 1fr; height: 1; padding: 0 0 0 2; color: $faint; }
    ParamField:focus-within { background: $primary 12%; }
    ParamField:focus-within .title { text-style: bold; color: $primary; }
    """

    class Changed(Message):
        """The field holds another value, or none that is valid."""

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
        """Whether the value differs from the default."""
        return bool(self.value != self.param.default)

    def compose(self) -> ComposeResult:
        yield SteadyText(translate_text(self, self.param.title), classes="title")
        choices = param_choices(self.param)
        if choices:
            labels = choice_labels(self, self.param)
            yield OptionStepper(choices, format_value(self.value), labels=labels)
        else:
            yield FormInput(format_value(self.value), compact=True)
        yield SteadyText(self._note(), classes="note")

    def _note(self) -> Content:
        if self.problem is not None:
            allowed = range_text(self, self.param)
            return Content.styled(
                translate(self, "tui.train.allowed", range=allowed), "bold $error"
            )
        if self.changed and self.param.default != "":
            default = value_text(self, self.param, self.param.default)
            return Content.styled(
                translate(self, "tui.train.not_default", default=default), "$warning"
            )
        if self.value == "auto" and not param_choices(self.param):
            return Content(translate(self, "tui.choices.chosen_for_you"))
        return Content(unit_text(self, self.param))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._set_from_text(event.value)

    def on_option_stepper_changed(self, event: OptionStepper.Changed) -> None:
        event.stop()
        self._set_from_text(event.value)

    def _set_from_text(self, typed: str) -> None:
        before = (self.value, self.problem is None)
        try:
            self.value = check_value(self.param.name, typed.strip())
            self.problem = None
        except Problem as problem:
            self.problem = problem
        self.query_one(".note", SteadyText).update(self._note())
        if before != (self.value, self.problem is None):
            self.post_message(self.Changed(self))

    def reset(self) -> None:
        """Set the parameter's default."""
        self.set_value(self.param.default)

    def set_value(self, value: Any) -> None:
        """Show `value` as if it had been typed."""
        shown = format_value(value)
        if param_choices(self.param):
            self.query_one(OptionStepper).value = shown
        else:
            self.query_one(Input).value = shown


def param_field_of(widget: Widget | None) -> ParamField | None:
    """The form row that a widget belongs to."""
    if widget is None:
        return None
    return next((n for n in widget.ancestors_with_self if isinstance(n, ParamField)), None)
