"""A text that is made to fit: made anew when the panel's size changes."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content

from sovdeck.tui.widgets.steady_text import SteadyText


class Panel(SteadyText):
    """A text that depends on the width and height of its panel.

    A screen does not know the sizes of its widgets before their layout; a panel does.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._draw_text: Callable[[int, int], Content] | None = None

    def draw(self, draw_text: Callable[[int, int], Content]) -> None:
        """Draw with a function of width and height in cells, inside border and padding."""
        self._draw_text = draw_text
        self._redraw()

    def on_resize(self) -> None:
        self._redraw()

    def _redraw(self) -> None:
        width, height = self.content_size
        if self._draw_text is not None and width > 0:
            self.update(self._draw_text(width, height))
