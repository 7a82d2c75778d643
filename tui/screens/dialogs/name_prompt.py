"""A dialog that asks for one name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from sovdeck.tui.screens.base.composed_screen import Dialog
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.text.i18n import translate, translate_hint
from sovdeck.tui.widgets.steady_text import SteadyText


class NamePromptScreen(Dialog[str | None]):
    """`name_error` returns what is wrong with a name, or ""; the result is None when left.

    `facts` fill the question of `text_key` and its hint.
    """

    CSS_PATH = "../../styles/modal.tcss"
    BINDINGS = bindings("name")

    def __init__(
        self,
        text_key: str,
        name: str,
        name_error: Callable[[str], str],
        *,
        facts: Mapping[str, object] | None = None,
        max_length: int = 40,
    ) -> None:
        super().__init__()
        self.facts, self.max_length = dict(facts or {}), max_length
        self.text_key = text_key
        self.proposed = name
        self.name_error = name_error

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield SteadyText(translate(self, self.text_key, **self.facts), classes="question")
            yield Input(self.proposed, id="name", max_length=self.max_length)
            yield SteadyText(id="fault", classes="fault")
            yield SteadyText(translate_hint(self, self.text_key, **self.facts), classes="more")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        name = event.value.strip()
        error = self.name_error(name)
        if error or not name:
            self.query_one("#fault", SteadyText).update(error)
        else:
            self.dismiss(name)

    def action_leave(self) -> None:
        self.dismiss(None)
