"""A small set of choices in one row: ‹ value ›, changed by arrows, space or a click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import events
from textual.content import Content
from textual.message import Message

from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.widgets.steady_text import SteadyText


class OptionStepper(SteadyText, can_focus=True):
    """Much cheaper than a drop-down, and the value changes in place."""

    DEFAULT_CSS = """
    OptionStepper { width: 18; height: 1; background: $surface; padding: 0 1; }
    OptionStepper:focus { background: $primary 30%; text-style: bold; }
    """
    BINDINGS = bindings("choice")

    class Changed(Message):
        """Another value was chosen."""

        def __init__(self, stepper: OptionStepper, value: str) -> None:
            super().__init__()
            self.stepper = stepper
            self.value = value

    def __init__(
        self,
        choices: Sequence[str],
        value: str,
        *,
        labels: Mapping[str, str] | None = None,
        id: str | None = None,
    ) -> None:
        """`labels` are what a person reads; a choice without one shows itself."""
        super().__init__(id=id)
        self.choices = tuple(choices)
        self._labels = labels or {}
        self._value = value

    @property
    def value(self) -> str:
        """The chosen value; setting another one posts `Changed`."""
        return self._value

    @value.setter
    def value(self, value: str) -> None:
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {self.choices}")
        if value != self._value:
            self._value = value
            self.refresh()
            self.post_message(self.Changed(self, value))

    def set_choices(self, choices: Sequence[str], value: str, labels: Mapping[str, str]) -> None:
        """Replace the choices and the value without posting `Changed`."""
        self.choices, self._value, self._labels = tuple(choices), value, labels
        self.refresh()

    def render(self) -> Content:
        edge = "$primary" if self.has_focus else "$faint"
        shown = self._labels.get(self._value, self._value)
        return Content.assemble(("‹ ", edge), shown, (" ›", edge))

    def action_step(self, by: int) -> None:
        at = self.choices.index(self._value) if self._value in self.choices else -by
        self.value = self.choices[(at + by) % len(self.choices)]

    def on_click(self, event: events.Click) -> None:
        self.action_step(-1 if event.x < 3 else 1)
