"""The first screen of a first start: paste a line, rent, try it here, or use this computer."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Center, Vertical

from sovdeck.tui.text.i18n import translate, translate_hint
from sovdeck.tui.widgets.plain_button import PlainButton
from sovdeck.tui.widgets.steady_text import SteadyText

_OPTIONS = {
    "paste": "tui.servers.paste_line",
    "rent": "tui.servers.rent_one",
    "try": "tui.servers.try_here",
    "own": "tui.servers.use_here",
}


class FirstRun(Vertical):
    """Buttons `paste`, `rent`, `try` and `own`; the screen handles them."""

    DEFAULT_CSS = """
    FirstRun { align: center middle; height: 1fr; }
    FirstRun .heading { width: 100%; text-align: center; text-style: bold; color: $primary; }
    FirstRun .intro { width: 100%; text-align: center; margin: 0 0 1 0; }
    FirstRun .more { width: 100%; text-align: center; color: $faint; }
    FirstRun Button { width: 54; max-width: 90%; margin: 0; }
    FirstRun.-tall .choice { margin: 1 0 0 0; }
    FirstRun .choice { height: auto; width: 100%; }
    FirstRun.-tight Button, FirstRun.-tight Button.-success {
        height: 1; border: none; line-pad: 1;
    }
    FirstRun.-tight .intro { margin: 0; }
    """

    def compose(self) -> ComposeResult:
        yield SteadyText(translate(self, "tui.servers.first_run"), classes="heading")
        yield SteadyText(translate_hint(self, "tui.servers.first_run"), classes="intro")
        for id_, key in _OPTIONS.items():
            with Vertical(classes="choice", id=f"option-{id_}"):
                button = PlainButton(translate(self, key), id=id_)
                button.variant = "success" if id_ == "paste" else "default"
                yield Center(button)
                yield SteadyText(translate_hint(self, key), classes="more")

    def show_own_option(self, shown: bool) -> None:
        """Show or hide the option to use this computer as a server."""
        self.query_one("#option-own").display = shown

    def on_resize(self) -> None:
        self.set_class(self.app.size.height < 20, "-tight")
        self.set_class(self.app.size.height >= 28, "-tall")
