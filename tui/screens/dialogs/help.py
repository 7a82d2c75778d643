"""The help (F1): what a screen shows, its keys with their meaning, and their ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen

from sovdeck.tui.screens.base.composed_screen import Dialog
from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.shell.actions import WIDGET_ACTIONS, Action, actions_in_scope, bindings
from sovdeck.tui.text.i18n import translate, translate_text
from sovdeck.tui.widgets.key_bar import keys_of
from sovdeck.tui.widgets.steady_text import SteadyText

SCREEN_TEXT_KEYS = {
    "servers": "tui.help.servers",
    "monitor": "tui.help.monitor",
    "voices": "tui.help.voices",
    "train": "tui.help.train",
    "dataset": "tui.help.dataset",
    "speak": "tui.help.speak",
    "audition": "tui.help.audition",
    "logs": "tui.help.logs",
    "settings": "tui.help.settings",
    "deploy": "tui.help.deploy",
    "rent": "tui.help.rent",
    "disk": "tui.help.disk",
}


class HelpScreen(Dialog[None]):
    """The keys of one screen, made from the action table."""

    keeps_language = False
    CSS_PATH = "../../styles/help.tcss"
    BINDINGS = bindings("help")

    def __init__(self, target_screen: Screen[Any]) -> None:
        super().__init__()
        self.target_screen = target_screen
        self.scope = target_screen.scope if isinstance(target_screen, AppScreen) else "servers"
        self.show_ids = self.scope == "settings"  # that screen explains how to change keys

    def compose(self) -> ComposeResult:
        self.note_language()
        with VerticalScroll(classes="sheet"):
            yield SteadyText(translate(self, SCREEN_TEXT_KEYS[self.scope]), id="about")
            actions = actions_in_scope(self.scope)
            if actions:
                yield from self._keys(actions)
            yield SteadyText(translate(self, "tui.help.everywhere"), classes="head")
            yield from self._keys(actions_in_scope("app"))
            if self.show_ids:
                yield SteadyText(translate(self, "tui.help.parts"), classes="head")
                yield from self._keys(WIDGET_ACTIONS)
            yield SteadyText(translate(self, "tui.help.leave"), classes="head")

    def _keys(self, actions: tuple[Action, ...]) -> Iterator[Horizontal]:
        for action in actions:
            shown = " ".join(keys_of(self.app, action))
            meaning = Content.assemble(
                (translate_text(self, action.title), "bold"),
                f"  {translate_text(self, action.help)}",
            )
            if self.show_ids and self.app.size.width < 100:  # too narrow for a column of ids
                meaning = Content.assemble(meaning, (f"\n{action.id}", "$faint"))
            yield Horizontal(
                SteadyText(Content.styled(shown, "bold $primary"), classes="keys"),
                SteadyText(meaning, classes="meaning"),
                SteadyText(action.id, classes="id"),
                classes="key-row",
            )

    def action_leave(self) -> None:
        self.dismiss()

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
