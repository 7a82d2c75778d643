"""The first row of every screen: tabs, and at the right what is going on elsewhere."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from tui.actions import BY_ID
from tui.figures import percent
from tui.language import say, tell
from tui.state.ages import server_freshness
from tui.state.state import State
from tui.tabs import TABS
from tui.widgets.click_row import ClickRow, Part
from tui.widgets.states import age_words, link_pill

_FORMS = ((True, " ", 99), (False, " ", 99), (False, "", 99), (False, "", 4), (False, " ", 0))


_WORDS_FROM = 112  # narrower, the room names are worth more than the word beside the link's mark


class TopBar(Horizontal):
    """A click on a tab does what the number key does."""

    DEFAULT_CSS = """
    TopBar { height: 1; background: $panel; }
    TopBar #tabs { width: 1fr; height: 1; }
    TopBar #elsewhere { width: auto; height: 1; padding: 0 1; }
    """

    def __init__(self, active: str) -> None:
        super().__init__()
        self.active = active
        self._elsewhere = 0

    def compose(self) -> ComposeResult:
        yield ClickRow(id="tabs")
        yield Static(id="elsewhere")

    def on_resize(self) -> None:
        self.query_one(ClickRow).show_parts(self._tabs())

    def _tabs(self) -> list[Part]:
        """The roomiest form of the tabs that leaves place for the right end."""
        room = self.app.size.width - self._elsewhere
        parts: list[Part] = []
        for brand, gap, letters in _FORMS:
            parts = self._form(brand, gap, letters)
            if sum(part.content.cell_length for part in parts) <= room:
                return parts
        return parts

    def _form(self, brand: bool, gap: str, letters: int) -> list[Part]:
        parts = []
        if brand:
            parts.append(Part(Content.styled(" sovdeck ", "bold $primary"), "app.show_help"))
        for name in TABS:
            action = BY_ID[f"app.{name}"]
            title = tell(self, action.title)
            if name == self.active:
                content = Content.styled(f" {action.keys} {title} ", "bold $background on $primary")
            else:
                short = set_cell_size(title, min(letters, cell_len(title))).strip()
                number = (f"{gap}{action.keys}", "$faint")
                between = " " if letters > 4 else ""
                content = Content.assemble(number, f"{between}{short} ")
            parts.append(Part(content, f"app.go('{name}')", tell(self, action.help)))
        return parts

    def show(self, state: State, read_only: bool) -> None:
        """The right end: read-only, a transfer under way, the chosen server and its age."""
        parts: list[Content] = []
        if read_only:
            parts.append(Content.styled(say(self, "tui.chrome.read_only"), "bold $warning"))
        running = [t for t in state.transfers.values() if t.state == "running"]
        if running:
            first = running[0]
            arrow = "↓" if first.kind == "pull" else "↑"
            share = first.done / first.total if first.total else None
            parts.append(Content.styled(f"{arrow} {percent(share)}", "$secondary"))
        server = state.chosen_server
        if server is not None:
            fresh = server_freshness(server, state.now)
            age = "" if fresh == "live" else age_words(self, server.heard_at, state.now)
            pill = link_pill(self, server.link, fresh)
            if self.app.size.width < _WORDS_FROM:
                pill = pill[:1]
            parts.append(
                Content.assemble(
                    (f"{server.name} ", "bold"), pill, (f" {age}" if age else "", "$warning")
                )
            )
        elsewhere = Content("  ").join(parts)
        self.query_one("#elsewhere", Static).update(elsewhere)
        width = elsewhere.cell_length + 2
        if width != self._elsewhere:
            self._elsewhere = width
            self.query_one(ClickRow).show_parts(self._tabs())
