"""What an empty screen says: why it is empty and which key to press."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from tui.language import say, say_hint


class EmptyState(Static):
    """A centred sentence and, below it, the way out."""

    DEFAULT_CSS = """
    EmptyState {
        width: 1fr; height: 1fr; padding: 0 4;
        content-align: center middle; text-align: center;
    }
    """

    def __init__(self, words: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.words = words

    def on_mount(self) -> None:
        self.show(self.words)

    def show(self, words: str, **facts: object) -> None:
        self.update(
            Content.assemble(
                (say(self, words, **facts), "bold $primary"),
                "\n\n",
                (say_hint(self, words, **facts), "$faint"),
            )
        )
