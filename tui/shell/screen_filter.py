"""The last step before a terminal: no widget's text holds a character that the terminal obeys."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from sovdeck.remote.printable import strip_controls


class ControlCharacterFilter(LineFilter):
    """Drops control characters and bidirectional marks, which take no cell, from every line."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments with harmless text, the very list where nothing was found."""
        texts = [strip_controls(text) for text, _, _ in segments]
        if all(new is old or new == old for new, (old, _, _) in zip(texts, segments, strict=True)):
            return segments
        return [
            Segment(new, style, control)
            for new, (_, style, control) in zip(texts, segments, strict=True)
        ]
