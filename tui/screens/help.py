"""F1: what the screen shows, its keys with their meaning, and their ids for the keymap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.actions import PARTS, Action, bindings, of_scope
from tui.language import say, tell
from tui.widgets.key_bar import keys_of

ABOUT = {
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
}


class HelpScreen(ModalScreen[None]):
    """Made from the action table, so it can neither lag behind nor lie."""

    CSS_PATH = "../styles/help.tcss"
    BINDINGS = bindings("help")

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self.about = about
        tab = getattr(about, "TAB", "servers")
        self.scope = "deploy" if type(about).__name__ == "DeployScreen" else tab
        self.with_ids = self.scope == "settings"  # there it is told how a key is changed

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="sheet"):
            yield Static(say(self, ABOUT[self.scope]), id="about", markup=False)
            here = of_scope(self.scope)
            if here:
                yield from self._keys(here)
            yield Static(say(self, "tui.help.everywhere"), classes="head")
            yield from self._keys(of_scope("app"))
            if self.with_ids:
                yield Static(say(self, "tui.help.parts"), classes="head")
                yield from self._keys(PARTS)
            yield Static(say(self, "tui.help.leave"), classes="head")

    def _keys(self, actions: tuple[Action, ...]) -> Iterator[Horizontal]:
        for action in actions:
            shown = " ".join(keys_of(self.app, action))
            meaning = Content.assemble(
                (tell(self, action.title), "bold"), f"  {tell(self, action.help)}"
            )
            if self.with_ids and self.app.size.width < 100:  # no room for a column of ids
                meaning = Content.assemble(meaning, (f"\n{action.id}", "$faint"))
            yield Horizontal(
                Static(Content.styled(shown, "bold $primary"), classes="keys"),
                Static(meaning, classes="meaning"),
                Static(action.id, classes="id"),
                classes="key-row",
            )

    def action_leave(self) -> None:
        self.dismiss()

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
