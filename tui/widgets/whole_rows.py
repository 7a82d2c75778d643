"""A text in a box that may be too low for it: its first rows whole, none of them cut short."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.visual import VisualType

from sovdeck.tui.widgets.steady_text import SteadyText


class WholeRows(SteadyText):
    """Shows as many of its first rows as fit whole, at least one; a row may take several lines.

    Its height comes from the style sheet, not from the text.
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._rows = [Content("")]

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Show `content`, a text or a Content; what counts most stands first."""
        text = content if isinstance(content, Content) else Content(str(content))
        self._rows = text.split("\n")
        self._show_fitting(layout)

    def on_resize(self) -> None:
        """Show what fits now."""
        self._show_fitting(True)

    def _show_fitting(self, layout: bool) -> None:
        width, height = self.content_size
        shown = fitting_rows(self._rows, width, height) if width else self._rows
        super().update(Content("\n").join(shown), layout=layout)


def fitting_rows(rows: Sequence[Content], width: int, height: int) -> list[Content]:
    """The first of the rows that fit whole into so many columns and lines, at least one."""
    shown: list[Content] = []
    for row in rows:
        height -= row.get_height({}, width)
        if shown and height < 0:
            break
        shown.append(row)
    return shown
