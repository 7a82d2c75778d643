"""The dialog that adds a server: paste an ssh line, check what it means, connect."""

from __future__ import annotations

import math

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.screens.base.composed_screen import LiveDialog
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.shell.base_app import app_of
from sovdeck.tui.shell.messages import CommandPosted
from sovdeck.tui.state.commands import AddServer
from sovdeck.tui.state.events import AddServerFailed
from sovdeck.tui.state.server_models import ParsedSSHLine, ServerDraft
from sovdeck.tui.state.state import State
from sovdeck.tui.text.i18n import language_of, translate, translate_hint, translate_text
from sovdeck.tui.widgets.plain_button import PlainButton
from sovdeck.tui.widgets.steady_text import SteadyText


class AddServerScreen(LiveDialog[None]):
    """What is typed is parsed at once; nothing is dialled before Connect.

    It stays until the server is saved: what was typed can be mended and tried again.
    """

    CSS_PATH = "../../styles/modal.tcss"
    BINDINGS = bindings("add")

    def __init__(self, line: str = "") -> None:
        super().__init__()
        self.line = line
        self.parsed: ParsedSSHLine | None = None
        self.name_edited = False
        self.adding = ""  # the name that is being added
        self._failed_before: AddServerFailed | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield SteadyText(translate(self, "tui.add_server.title"), classes="question")
            yield SteadyText(translate_hint(self, "tui.add_server.title"), classes="more")
            yield Input(self.line, placeholder="ssh -p 40022 root@gpu1.example.net", id="line")
            yield SteadyText(id="reading", classes="reading")
            yield SteadyText(translate(self, "tui.add_server.name"), classes="label")
            yield Input(id="name")
            yield SteadyText(translate(self, "tui.add_server.price"), classes="label")
            yield Input(placeholder="0.42 EUR", id="price")
            yield SteadyText(id="fault", classes="fault")
            with Horizontal(classes="buttons"):
                yield PlainButton(translate(self, "tui.add_server.cancel"), id="cancel")
                yield PlainButton(
                    translate(self, "tui.add_server.connect"), id="connect", variant="success"
                )

    def on_mount(self) -> None:
        self._parse_line(self.line)

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "name":
            self.name_edited = self.name_edited or self.focused is event.input
        if event.input.id == "line":
            self._parse_line(event.value)

    def _parse_line(self, line: str) -> None:
        self.parsed = None
        reading, fault = "", ""
        if line.strip():
            try:
                self.parsed = app_of(self).parse_ssh_line(line)
            except Problem as problem:
                fault = problem.sentence(language_of(self))
            else:
                reading = self._parsed_text(self.parsed)
                if not self.name_edited:
                    self.query_one("#name", Input).value = self._free_name(self.parsed.name)
        self.query_one("#reading", SteadyText).update(reading)
        self.query_one("#fault", SteadyText).update(fault)

    def _parsed_text(self, parsed: ParsedSSHLine) -> str:
        text = translate(
            self, "tui.add_server.reading", user=parsed.user, host=parsed.host, port=parsed.port
        )
        if parsed.jump:
            text += " " + translate(self, "tui.add_server.through", hosts=", ".join(parsed.jump))
        if parsed.profile:
            text += f"  ·  {parsed.profile}"
        return text

    def _free_name(self, name: str) -> str:
        taken = app_of(self).state.servers
        names = [name, *(f"{name}-{count}" for count in range(2, 100))]
        return next((free for free in names if free not in taken), name)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._connect()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "connect":
            self._connect()
        else:
            self.dismiss()

    def _connect(self) -> None:
        fault = self.query_one("#fault", SteadyText)
        name = self.query_one("#name", Input).value.strip()
        line = self.query_one("#line", Input).value.strip()
        price, currency, valid = _parse_price(self.query_one("#price", Input).value)
        if self.adding:
            return
        if self.parsed is None:
            if not line:
                fault.update(translate(self, "tui.add_server.no_line"))
            return
        if not name or name in app_of(self).state.servers:
            key = "tui.add_server.name_taken" if name else "tui.add_server.no_name"
            fault.update(translate(self, key, name=name))
        elif not valid:
            fault.update(translate(self, "tui.add_server.bad_price"))
        else:
            self.app.post_message(
                CommandPosted(AddServer(ServerDraft(line, name, price, currency)))
            )
            self.adding, self._failed_before = name, app_of(self).state.add_failed
            self.query_one("#reading", SteadyText).update(
                translate(self, "tui.add_server.dialling", address=self.parsed.address)
            )
            fault.update("")

    def show(self, state: State) -> None:
        """Close once the server is saved, or say why it could not be."""
        if not self.adding:
            return
        failed = state.add_failed
        if self.adding in state.servers:
            self.dismiss()
        elif (
            failed is not None
            and failed is not self._failed_before
            and failed.server == self.adding
        ):
            self.adding = ""
            text = translate_text(self, failed.remark.text)
            advice = translate_text(self, failed.remark.hint)
            self.query_one("#reading", SteadyText).update("")
            self.query_one("#fault", SteadyText).update(f"{text} {advice}".strip())

    def action_leave(self) -> None:
        self.dismiss()


def _parse_price(text: str) -> tuple[float | None, str, bool]:
    """`0.42 EUR` or `¥1.98` as (amount, currency, valid); empty is valid."""
    stripped = text.strip()
    if not stripped:
        return None, "", True
    digits = "".join(c for c in stripped if c.isdigit() or c in ".,").replace(",", ".")
    currency = "".join(c for c in stripped if not (c.isdigit() or c in ".,")).strip()
    try:
        amount = float(digits)
    except ValueError:
        return None, "", False
    return (amount, currency, True) if math.isfinite(amount) else (None, "", False)
