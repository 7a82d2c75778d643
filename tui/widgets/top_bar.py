"""The first row of every screen: the tabs, and at the right the state of server and transfers."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content

from sovdeck.engine.contract.format import format_percent
from sovdeck.tui.shell.actions import ACTIONS_BY_ID
from sovdeck.tui.shell.tabs import TABS
from sovdeck.tui.state.freshness import server_freshness
from sovdeck.tui.state.state import State
from sovdeck.tui.text.i18n import translate, translate_text
from sovdeck.tui.widgets.click_row import ClickPart, ClickRow
from sovdeck.tui.widgets.key_bar import is_typing
from sovdeck.tui.widgets.status_labels import age_text, connection_pill
from sovdeck.tui.widgets.steady_text import SteadyText

_TAB_LAYOUTS = ((True, " ", 99), (False, " ", 99), (False, "", 99), (False, "", 4), (False, " ", 0))


# In narrower terminals the connection is a mark without its word.
_CONNECTION_TEXT_MIN_WIDTH = 112


class TopBar(Horizontal):
    """A click on a tab does what its number key does."""

    DEFAULT_CSS = """
    TopBar { height: 1; background: $panel; }
    TopBar #tabs { width: 1fr; height: 1; }
    TopBar #status { width: auto; height: 1; padding: 0 1; }
    """

    def __init__(self, active: str) -> None:
        super().__init__()
        self.active = active
        self._status_width = 0
        self._typing = False

    def compose(self) -> ComposeResult:
        yield ClickRow(id="tabs")
        yield SteadyText(id="status")

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self._follow_focus())

    def _follow_focus(self) -> None:
        """Promise the number keys only while they do not go into a text field."""
        typing = is_typing(self.screen)
        if typing != self._typing:
            self._typing = typing
            self.query_one(ClickRow).show_parts(self._fit_tabs())

    def on_resize(self) -> None:
        self.query_one(ClickRow).show_parts(self._fit_tabs())

    def _fit_tabs(self) -> list[ClickPart]:
        """The widest form of the tabs that leaves space for the right end."""
        width = self.app.size.width - self._status_width
        parts: list[ClickPart] = []
        for brand, gap, letters in _TAB_LAYOUTS:
            parts = self._make_tabs(brand, gap, letters)
            if sum(part.content.cell_length for part in parts) <= width:
                return parts
        return parts

    def _make_tabs(self, brand: bool, gap: str, letters: int) -> list[ClickPart]:
        parts = []
        if brand:
            parts.append(ClickPart(Content.styled(" sovdeck ", "bold $primary"), "app.show_help"))
        for name in TABS:
            action = ACTIONS_BY_ID[f"app.{name}"]
            title = translate_text(self, action.title)
            if name == self.active:
                content = Content.styled(f" {action.keys} {title} ", "bold $background on $primary")
            else:
                short = set_cell_size(title, min(letters, cell_len(title))).strip()
                number = (f"{gap}{'·' if self._typing else action.keys}", "$faint")
                between = " " if letters > 4 else ""
                content = Content.assemble(number, f"{between}{short} ")
            parts.append(ClickPart(content, f"app.go('{name}')", translate_text(self, action.help)))
        return parts

    def show(self, state: State, read_only: bool) -> None:
        """Draw the right end: read-only, an active transfer, the chosen server and its age."""
        parts: list[Content] = []
        if read_only:
            parts.append(Content.styled(translate(self, "tui.chrome.read_only"), "bold $warning"))
        running = [t for t in state.transfers.values() if t.state == "running"]
        if running:
            first = running[0]
            arrow = "↓" if first.kind == "pull" else "↑"
            share = first.done / first.total if first.total else None
            parts.append(Content.styled(f"{arrow} {format_percent(share)}", "$secondary"))
        server = state.chosen_server
        if server is not None:
            fresh = server_freshness(server, state.now)
            age = "" if fresh == "live" else age_text(self, server.heard_at, state.now)
            pill = connection_pill(self, server.connection, fresh)
            if self.app.size.width < _CONNECTION_TEXT_MIN_WIDTH:
                pill = pill[:1]
            parts.append(
                Content.assemble(
                    (f"{server.name} ", "bold"), pill, (f" {age}" if age else "", "$warning")
                )
            )
        status = Content("  ").join(parts)
        self.query_one("#status", SteadyText).update(status)
        width = status.cell_length + 2
        if width != self._status_width:
            self._status_width = width
            self.query_one(ClickRow).show_parts(self._fit_tabs())
