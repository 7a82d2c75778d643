"""The first row of every screen: tabs, and at the right what is going on elsewhere."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from tui.actions import BY_ID
from tui.figures import percent
from tui.language import say, tell
from tui.state.ages import server_freshness
from tui.state.store import State
from tui.widgets.states import age_words, link_pill

TABS = ("servers", "monitor", "voices", "train", "dataset", "logs", "settings")


class TopBar(Horizontal):
    """Tabs are links: a click does what the number key does."""

    DEFAULT_CSS = """
    TopBar { height: 1; background: $panel; }
    TopBar #tabs { width: 1fr; height: 1; link-style: none; link-color: $foreground;
        link-style-hover: bold; link-background-hover: $primary 30%; }
    TopBar #elsewhere { width: auto; height: 1; padding: 0 1; color: $text-muted; }
    """

    def __init__(self, active: str) -> None:
        super().__init__()
        self.active = active

    def compose(self) -> ComposeResult:
        yield Static(id="tabs")
        yield Static(id="elsewhere")

    def on_mount(self) -> None:
        self.query_one("#tabs", Static).update(self._tabs())

    def on_resize(self) -> None:
        self.query_one("#tabs", Static).update(self._tabs())

    def _tabs(self) -> Content:
        brand = Content.styled(" sovdeck ", "bold $primary")
        narrow = self.app.size.width < 100
        parts = [brand] if self.app.size.width >= 80 else []
        for name in TABS:
            action = BY_ID[f"app.{name}"]
            title = tell(self, action.title)
            link = f"@click=app.go('{name}')"
            if name == self.active:
                look = f"[bold $background on $primary {link}] {action.keys} {title} [/]"
            elif narrow:
                look = f"[$text-muted {link}] {action.keys}[/][{link}]{title[:3]} [/]"
            else:
                look = f"[$text-muted {link}] {action.keys}[/][{link}] {title} [/]"
            parts.append(Content.from_markup(look))
        return Content("").join(parts)

    def show(self, state: State, read_only: bool) -> None:
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
            parts.append(
                Content.assemble(
                    (f"{server.name} ", "bold"),
                    link_pill(self, server.link, fresh),
                    (f" {age}" if age else "", "$warning"),
                )
            )
        self.query_one("#elsewhere", Static).update(Content("  ").join(parts))
