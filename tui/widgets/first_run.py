"""The first screen of a first start: two ways in, each one key, one click or one paste away."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Button, Static

from tui.language import say, say_hint


class FirstRun(Vertical):
    """Buttons `paste` and `try`; the screen does what they ask for."""

    DEFAULT_CSS = """
    FirstRun { align: center middle; height: 1fr; }
    FirstRun .welcome { width: 100%; text-align: center; text-style: bold; color: $primary; }
    FirstRun .way { width: 100%; text-align: center; margin: 0 0 1 0; }
    FirstRun .more { width: 100%; text-align: center; color: $faint; }
    FirstRun Button { width: 54; max-width: 90%; margin: 1 0 0 0; }
    FirstRun .row { align-horizontal: center; height: auto; width: 100%; }
    FirstRun.-tight Button, FirstRun.-tight Button.-success {
        height: 1; border: none; line-pad: 1;
    }
    FirstRun.-tight .way { margin: 0; }
    """

    def compose(self) -> ComposeResult:
        yield Static(say(self, "tui.servers.welcome"), classes="welcome")
        yield Static(say_hint(self, "tui.servers.welcome"), classes="way")
        for id_, words in (("paste", "tui.servers.paste_line"), ("try", "tui.servers.try_here")):
            with Vertical(classes="row"):
                variant = "success" if id_ == "paste" else "default"
                yield Button(say(self, words), id=id_, variant=variant)  # type: ignore[arg-type]
            yield Static(say_hint(self, words), classes="more")

    def on_resize(self) -> None:
        self.set_class(self.app.size.height < 20, "-tight")
