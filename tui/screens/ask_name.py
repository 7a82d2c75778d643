"""Asks for one name; the sentence says what for."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.actions import bindings
from tui.language import say, say_hint


class AskName(ModalScreen[str | None]):
    """`fault` says what is wrong with a name, or nothing; None when the person leaves."""

    CSS_PATH = "../styles/modal.tcss"
    BINDINGS = bindings("name")

    def __init__(self, words: str, name: str, fault: Callable[[str], str]) -> None:
        super().__init__()
        self.words = words
        self.proposed = name
        self.fault = fault

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(say(self, self.words), classes="question", markup=False)
            yield Input(self.proposed, id="name", max_length=40)
            yield Static(id="fault", classes="fault", markup=False)
            yield Static(say_hint(self, self.words), classes="more", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        name = event.value.strip()
        fault = self.fault(name)
        if fault or not name:
            self.query_one("#fault", Static).update(fault)
        else:
            self.dismiss(name)

    def action_leave(self) -> None:
        self.dismiss(None)
