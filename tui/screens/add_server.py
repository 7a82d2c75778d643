"""Paste a line, read back what it means, connect."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from engine.contract.problem import Problem
from tui.actions import bindings
from tui.deck import deck_of
from tui.language import language_of, say, say_hint
from tui.messages import Asked
from tui.services.protocols import ParsedLine, ServerDraft
from tui.state.wishes import AddServer


class AddServerScreen(ModalScreen[None]):
    """Everything typed is judged at once; nothing is dialled before Connect."""

    CSS_PATH = "../styles/modal.tcss"
    BINDINGS = bindings("add")

    def __init__(self, line: str = "") -> None:
        super().__init__()
        self.line = line
        self.parsed: ParsedLine | None = None
        self.named = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(say(self, "tui.add.title"), classes="question")
            yield Static(say_hint(self, "tui.add.title"), classes="more")
            yield Input(self.line, placeholder="ssh -p 40022 root@gpu1.example.net", id="line")
            yield Static(id="reading", classes="reading", markup=False)
            yield Static(say(self, "tui.add.name"), classes="label")
            yield Input(id="name")
            yield Static(say(self, "tui.add.price"), classes="label")
            yield Input(placeholder="0.42 EUR", id="price")
            yield Static(id="fault", classes="fault", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(say(self, "tui.add.cancel"), id="cancel")
                yield Button(say(self, "tui.add.connect"), id="connect", variant="success")

    def on_mount(self) -> None:
        self._read(self.line)

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "name":
            self.named = self.named or self.focused is event.input
        if event.input.id == "line":
            self._read(event.value)

    def _read(self, line: str) -> None:
        self.parsed = None
        reading, fault = "", ""
        if line.strip():
            try:
                self.parsed = deck_of(self).read_line(line)
            except Problem as problem:
                fault = problem.sentence(language_of(self))
            else:
                reading = self._read_back(self.parsed)
                if not self.named:
                    self.query_one("#name", Input).value = self._free_name(self.parsed.name)
        self.query_one("#reading", Static).update(reading)
        self.query_one("#fault", Static).update(fault)

    def _read_back(self, parsed: ParsedLine) -> str:
        words = say(self, "tui.add.reading", user=parsed.user, host=parsed.host, port=parsed.port)
        if parsed.jump:
            words += " " + say(self, "tui.add.through", hosts=", ".join(parsed.jump))
        if parsed.profile:
            words += f"  ·  {parsed.profile}"
        return words

    def _free_name(self, name: str) -> str:
        taken = deck_of(self).state.servers
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
        fault = self.query_one("#fault", Static)
        name = self.query_one("#name", Input).value.strip()
        line = self.query_one("#line", Input).value.strip()
        price, currency, sound = _price(self.query_one("#price", Input).value)
        if self.parsed is None:
            if not line:
                fault.update(say(self, "tui.add.no_line"))
            return
        if not name or name in deck_of(self).state.servers:
            words = "tui.add.name_taken" if name else "tui.add.no_name"
            fault.update(say(self, words, name=name))
        elif not sound:
            fault.update(say(self, "tui.add.bad_price"))
        else:
            self.app.post_message(Asked(AddServer(ServerDraft(line, name, price, currency))))
            self.notify(say(self, "tui.add.dialling", address=self.parsed.address), timeout=4)
            self.dismiss()

    def action_leave(self) -> None:
        self.dismiss()


def _price(text: str) -> tuple[float | None, str, bool]:
    """`0.42 EUR` or `¥1.98`: amount, currency, and whether it could be read. Empty is fine."""
    bare = text.strip()
    if not bare:
        return None, "", True
    digits = "".join(c for c in bare if c.isdigit() or c in ".,").replace(",", ".")
    currency = "".join(c for c in bare if not (c.isdigit() or c in ".,")).strip()
    try:
        amount = float(digits)
    except ValueError:
        return None, "", False
    return amount, currency, True
