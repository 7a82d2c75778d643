"""A one-row text with clickable parts; a part's tooltip shows on hovering."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content

from sovdeck.tui.widgets.steady_text import SteadyText


@dataclass(frozen=True)
class ClickPart:
    """One clickable part: its text, the Textual action it runs, and its tooltip."""

    content: Content
    action: str = ""
    tooltip: str = ""


class ClickRow(SteadyText):
    """Finds the clicked part by column: Textual's own links would recolour the text."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._spans: list[tuple[int, ClickPart]] = []

    def show_parts(self, parts: list[ClickPart]) -> None:
        """Show these parts beside each other."""
        self._spans = []
        end = 0
        for part in parts:
            end += part.content.cell_length
            self._spans.append((end, part))
        self.update(Content("").join(part.content for part in parts))

    def part_at(self, column: int) -> ClickPart | None:
        """The part at a column; None right of the last one."""
        return next((part for end, part in self._spans if column < end), None)

    async def on_click(self, event: events.Click) -> None:
        part = self.part_at(event.x)
        if part is not None and part.action:
            event.stop()
            await self.run_action(part.action)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        part = self.part_at(event.x)
        self.tooltip = part.tooltip if part is not None and part.tooltip else None
