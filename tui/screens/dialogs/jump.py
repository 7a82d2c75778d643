"""Jump mode: a letter on every focusable widget; pressing the letter focuses it."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from sovdeck.tui.screens.base.composed_screen import Dialog
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.widgets.steady_text import SteadyText

JUMP_KEYS = "asdfghjklqwertyuiopzxcvbnm"


class JumpLabel(SteadyText):
    """The letter on one target."""

    def __init__(self, letter: str) -> None:
        super().__init__(f" {letter} ", classes="letter")
        self.letter = letter

    async def on_click(self) -> None:
        await self.run_action(f"screen.go('{self.letter}')")


class JumpScreen(Dialog[None]):
    """Targets are the focusable widgets of the screen below, in reading order."""

    CSS_PATH = "../../styles/jump.tcss"
    BINDINGS = bindings("jump")

    def __init__(self, target_screen: Screen[Any]) -> None:
        super().__init__()
        visible = [
            widget
            for widget in target_screen.focus_chain
            if widget.region.area and target_screen.region.contains_region(widget.region)
        ]
        self.targets: dict[str, Widget] = dict(zip(JUMP_KEYS, visible, strict=False))

    def compose(self) -> ComposeResult:
        for letter, target in self.targets.items():
            label = JumpLabel(letter)
            label.styles.offset = (max(0, target.region.x), target.region.y)
            yield label

    def on_key(self, event: events.Key) -> None:
        if event.character in self.targets:
            event.stop()
            self.action_go(event.character)

    def action_go(self, letter: str) -> None:
        self.dismiss()
        target = self.targets[letter]
        if target.is_attached:  # not since its screen was composed anew
            target.screen.set_focus(target)  # at once: the screen below is resumed next

    def action_leave(self) -> None:
        self.dismiss()
