"""Texts in the border of a widget: Textual would read a str as markup."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget


def set_border_title(widget: Widget, text: str) -> None:
    """Show `text` in the upper border, letter by letter."""
    widget.border_title = Content(text)


def set_border_subtitle(widget: Widget, text: str) -> None:
    """Show `text` in the lower border, letter by letter."""
    widget.border_subtitle = Content(text)
