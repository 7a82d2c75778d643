"""The first screen of a first start: the ways in, each one key, one click or one paste away."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Center, Vertical
from textual.widgets import Button, Static

from tui.language import say, say_hint

_WAYS = {
    "paste": "tui.servers.paste_line",
    "try": "tui.servers.try_here",
    "own": "tui.servers.use_here",
}


class FirstRun(Vertical):
    """Buttons `paste`, `try` and `own`; the screen does what they ask for."""

    DEFAULT_CSS = """
    FirstRun { align: center middle; height: 1fr; }
    FirstRun .welcome { width: 100%; text-align: center; text-style: bold; color: $primary; }
    FirstRun .way { width: 100%; text-align: center; margin: 0 0 1 0; }
    FirstRun .more { width: 100%; text-align: center; color: $faint; }
    FirstRun Button { width: 54; max-width: 90%; margin: 0; }
    FirstRun.-tall .choice { margin: 1 0 0 0; }
    FirstRun .choice { height: auto; width: 100%; }
    FirstRun.-tight Button, FirstRun.-tight Button.-success {
        height: 1; border: none; line-pad: 1;
    }
    FirstRun.-tight .way { margin: 0; }
    """

    def compose(self) -> ComposeResult:
        yield Static(say(self, "tui.servers.welcome"), classes="welcome")
        yield Static(say_hint(self, "tui.servers.welcome"), classes="way")
        for id_, words in _WAYS.items():
            with Vertical(classes="choice", id=f"way-{id_}"):
                button = Button(say(self, words), id=id_)
                button.variant = "success" if id_ == "paste" else "default"
                yield Center(button)
                yield Static(say_hint(self, words), classes="more")

    def offer_own(self, offered: bool) -> None:
        """Whether this computer itself may be used as a server."""
        self.query_one("#way-own").display = offered

    def on_resize(self) -> None:
        self.set_class(self.app.size.height < 20, "-tight")
        self.set_class(self.app.size.height >= 28, "-tall")
