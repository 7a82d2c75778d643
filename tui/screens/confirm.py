"""Asks before anything costly or final. The sentence names the object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from tui.actions import BY_ID, bindings
from tui.language import say, say_hint
from tui.screens.question_modal import QuestionModal
from tui.widgets.key_bar import keys_of


class Confirm(QuestionModal[bool]):
    """True for yes. The safe answer has the focus; y and n answer at once."""

    CSS_PATH = "../styles/modal.tcss"
    BINDINGS = bindings("confirm")

    def __init__(self, words: str, facts: Mapping[str, Any]) -> None:
        super().__init__()
        self.words = words
        self.facts = facts

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(say(self, self.words, **self.facts), classes="question", markup=False)
            more = say_hint(self, self.words, **self.facts)
            if more:
                yield Static(more, classes="more", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(self._label("no"), id="no", variant="default")
                yield Button(self._label("yes"), id="yes", variant="warning")

    def _label(self, answer: str) -> str:
        key = keys_of(self.app, BY_ID[f"confirm.{answer}"])[0]
        return f"{key}  {say(self, f'tui.chrome.{answer}')}"

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
