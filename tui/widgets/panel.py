"""A text that is made to fit: made anew whenever the room it has changes."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.widgets import Static


class Panel(Static):
    """`draw` takes a function of width and height in cells, inside border and padding.

    A screen cannot know how wide its parts are before they were laid out; a panel can.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._make: Callable[[int, int], Content] | None = None

    def draw(self, make: Callable[[int, int], Content]) -> None:
        self._make = make
        self._redraw()

    def on_resize(self) -> None:
        self._redraw()

    def _redraw(self) -> None:
        width, height = self.content_size
        if self._make is not None and width > 0:
            self.update(self._make(width, height))
