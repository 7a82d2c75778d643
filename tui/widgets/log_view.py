"""A virtual list of log lines with search; it follows the newest line until scrolled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip


class LogView(ScrollView, can_focus=True):
    """Lines are a tuple owned by the store; the view holds a position and a search word."""

    DEFAULT_CSS = """
    LogView { height: 1fr; width: 1fr; scrollbar-size-vertical: 1;
        overflow-x: hidden; }
    LogView .log-view--bad { color: $error; }
    LogView .log-view--warning { color: $warning; }
    LogView .log-view--line { color: $foreground; }
    LogView .log-view--hit { background: $warning; color: $background; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log-view--line",
        "log-view--bad",
        "log-view--warning",
        "log-view--hit",
    }

    follow: reactive[bool] = reactive(True)

    class FollowChanged(Message):
        """Following was switched on or off by scrolling."""

        def __init__(self, view: LogView, follow: bool) -> None:
            super().__init__()
            self.view = view
            self.follow = follow

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: Sequence[str] = ()
        self.search_word = ""

    def show(self, lines: Sequence[str]) -> None:
        """Show `lines`; stay at the end while following, else at the scroll position."""
        if lines is self.lines:
            return
        self.lines = lines
        self._update_virtual_size()
        self.refresh()

    def on_resize(self) -> None:
        self._update_virtual_size()

    def _update_virtual_size(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.lines))
        # Textual tells the scrollbar at a later layout, which may not come while nothing moves.
        self.vertical_scrollbar.window_virtual_size = len(self.lines)
        if self.follow:
            # The scroll range is known only after the next layout.
            self.call_after_refresh(self._scroll_to_end)

    def _scroll_to_end(self, tries: int = 4) -> None:
        """Scroll to the last line; again after the next layout, while that is still to come."""
        if not self.follow:
            return
        # By force, since the scrollbar, without which there is no scrolling, may come later still.
        self.scroll_end(animate=False, immediate=True, force=True)
        # Textual moves only a scrollbar that is shown already.
        self.vertical_scrollbar.position = self.scroll_y
        if tries > 1 and self.scroll_offset.y + self.size.height < len(self.lines):
            self.call_after_refresh(self._scroll_to_end, tries - 1)

    def search(self, word: str) -> int:
        """Highlight `word`, ignoring case; returns how many lines contain it."""
        self.search_word = word.casefold()
        self.refresh()
        return len(self.hits())

    def hits(self) -> list[int]:
        """Indices of the lines that contain the search word."""
        if not self.search_word:
            return []
        return [i for i, line in enumerate(self.lines) if self.search_word in line.casefold()]

    def go_to_hit(self, by: int) -> bool:
        """Scroll to the next (1) or previous (-1) matching line; False when there is none."""
        hits = self.hits()
        if not hits:
            return False
        here = self.scroll_offset.y
        after = [i for i in hits if i > here] if by > 0 else [i for i in hits if i < here]
        wrapped = hits[0] if by > 0 else hits[-1]
        target = (after[0] if by > 0 else after[-1]) if after else wrapped
        self.follow = False
        self.scroll_to(y=target, animate=False, immediate=True)
        return True

    def _stop_following(self) -> None:
        """Stop following, since the person scrolled back."""
        if self.follow:
            self.follow = False
            self.post_message(self.FollowChanged(self, False))

    def action_scroll_up(self) -> None:
        self._stop_following()
        super().action_scroll_up()

    def action_page_up(self) -> None:
        self._stop_following()
        super().action_page_up()

    def action_scroll_home(self) -> None:
        self._stop_following()
        super().action_scroll_home()

    def on_mouse_scroll_up(self) -> None:
        self._stop_following()

    def watch_follow(self, follow: bool) -> None:
        if follow:
            self.scroll_end(animate=False, immediate=True, force=True)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        index = self.scroll_offset.y + y
        if index >= len(self.lines):
            return Strip.blank(width, self.rich_style)
        line = self.lines[index]
        style = self.get_component_rich_style(f"log-view--{_level(line)}")
        if self.search_word and self.search_word in line.casefold():
            segments = self._highlighted(line, style)
        else:
            segments = [Segment(line, style)]
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _highlighted(self, line: str, style: object) -> list[Segment]:
        from rich.style import Style

        assert isinstance(style, Style)
        hit = self.get_component_rich_style("log-view--hit")
        at = line.casefold().find(self.search_word)
        end = at + len(self.search_word)
        return [Segment(line[:at], style), Segment(line[at:end], hit), Segment(line[end:], style)]


def _level(line: str) -> str:
    head = line[:80].lower()
    if "error" in head or "traceback" in head:
        return "bad"
    return "warning" if "warn" in head else "line"
