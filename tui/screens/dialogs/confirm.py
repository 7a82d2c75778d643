"""A yes-or-no question before anything costly or final."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button

from sovdeck.tui.screens.base.prompt_modal import PromptModal
from sovdeck.tui.shell.actions import ACTIONS_BY_ID, bindings
from sovdeck.tui.text.i18n import translate, translate_hint
from sovdeck.tui.widgets.key_bar import keys_of
from sovdeck.tui.widgets.plain_button import PlainButton
from sovdeck.tui.widgets.steady_text import SteadyText


class ConfirmScreen(PromptModal[bool]):
    """True for yes, which has the focus: Enter does what is asked, and so does y.

    dangerous: yes must be given twice, and no has the focus.
    """

    CSS_PATH = "../../styles/modal.tcss"
    BINDINGS = bindings("confirm")

    AUTO_FOCUS = ""

    def __init__(self, text_key: str, facts: Mapping[str, Any], *, dangerous: bool = False) -> None:
        super().__init__()
        self.text_key = text_key
        self.facts = facts
        self.confirmations_left = 2 if dangerous else 1

    def on_mount(self) -> None:
        self.query_one("#no" if self.confirmations_left > 1 else "#yes").focus()

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield SteadyText(translate(self, self.text_key, **self.facts), classes="question")
            more = translate_hint(self, self.text_key, **self.facts)
            if more:
                yield SteadyText(more, classes="more")
            with Horizontal(classes="buttons"):
                yield PlainButton(self._label("no"), id="no", variant="default")
                yield PlainButton(self._label("yes"), id="yes", variant="warning")

    def _label(self, answer: str) -> str:
        action = ACTIONS_BY_ID["confirm.no" if answer == "no" else "confirm.yes"]
        key = keys_of(self.app, action)[0]
        return f"{key}  {translate(self, f'tui.chrome.{answer}')}"

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_answer(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Close with the answer; the first yes to something dangerous only asks again."""
        if yes and self.confirmations_left > 1:
            self.confirmations_left -= 1
            button = self.query_one("#yes", Button)
            button.label = self._label("yes_really")
            button.variant = "error"
        else:
            self.dismiss(yes)
