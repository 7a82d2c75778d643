"""Jump mode: a letter on every place that can be gone to; pressing it goes there."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from tui.actions import bindings

LETTERS = "asdfghjklqwertyuiopzxcvbnm"


class Letter(Static):
    def __init__(self, letter: str) -> None:
        super().__init__(f" {letter} ", classes="letter")
        self.letter = letter

    async def on_click(self) -> None:
        await self.run_action(f"screen.go('{self.letter}')")


class JumpScreen(ModalScreen[None]):
    """Targets are the focusable widgets on screen, in reading order."""

    CSS_PATH = "../styles/jump.tcss"
    BINDINGS = bindings("jump")

    def __init__(self, below: Screen[Any]) -> None:
        super().__init__()
        visible = [
            widget
            for widget in below.focus_chain
            if widget.region.area and below.region.contains_region(widget.region)
        ]
        self.targets: dict[str, Widget] = dict(zip(LETTERS, visible, strict=False))

    def compose(self) -> ComposeResult:
        for letter, target in self.targets.items():
            label = Letter(letter)
            label.styles.offset = (max(0, target.region.x), target.region.y)
            yield label

    def on_key(self, event: events.Key) -> None:
        if event.character in self.targets:
            event.stop()
            self.action_go(event.character)

    def action_go(self, letter: str) -> None:
        self.dismiss()
        self.targets[letter].focus()

    def action_leave(self) -> None:
        self.dismiss()
