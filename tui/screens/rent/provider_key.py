"""The dialog that takes the key of an account at a provider; what is typed is never shown."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input

from sovdeck.tui.screens.base.composed_screen import LiveDialog
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.shell.base_app import app_of
from sovdeck.tui.shell.messages import CommandPosted
from sovdeck.tui.state.commands import KeepProviderKey
from sovdeck.tui.state.rent_models import PROVIDERS, KeyAnswer
from sovdeck.tui.state.state import State
from sovdeck.tui.text.i18n import translate, translate_hint, translate_text
from sovdeck.tui.widgets.option_stepper import OptionStepper
from sovdeck.tui.widgets.plain_button import PlainButton
from sovdeck.tui.widgets.steady_text import SteadyText


class ProviderKeyScreen(LiveDialog[None]):
    """It stays until the provider has taken the key, so that a wrong one can be mended."""

    CSS_PATH = "../../styles/modal.tcss"
    BINDINGS = bindings("provider_key")

    def __init__(self) -> None:
        super().__init__()
        self.trying = ""  # the provider that is being asked
        self._answered_before: KeyAnswer | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield SteadyText(translate(self, "tui.rent.key_title"), classes="question")
            yield SteadyText(translate_hint(self, "tui.rent.key_title"), classes="more")
            yield SteadyText(translate(self, "tui.rent.key_provider"), classes="label")
            yield OptionStepper(PROVIDERS, PROVIDERS[0], id="provider")
            yield SteadyText(id="narrowest", classes="reading")
            yield SteadyText(translate(self, "tui.rent.key_itself"), classes="label")
            yield Input(password=True, id="key")
            yield SteadyText(id="fault", classes="fault")
            with Horizontal(classes="buttons"):
                yield PlainButton(translate(self, "tui.add_server.cancel"), id="cancel")
                yield PlainButton(
                    translate(self, "tui.rent.key_keep"), id="keep", variant="success"
                )

    def on_mount(self) -> None:
        self._show_narrowest()
        self.query_one("#key", Input).focus()

    def on_option_stepper_changed(self, event: OptionStepper.Changed) -> None:
        self._show_narrowest()

    def _show_narrowest(self) -> None:
        provider = self.query_one(OptionStepper).value
        line = translate(self, f"tui.rent.narrowest_{provider}")
        self.query_one("#narrowest", SteadyText).update(line)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._keep()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "keep":
            self._keep()
        else:
            self.dismiss()

    def _keep(self) -> None:
        if self.trying:
            return
        provider = self.query_one(OptionStepper).value
        key = self.query_one("#key", Input).value
        self.trying, self._answered_before = provider, app_of(self).state.key_answer
        self.app.post_message(CommandPosted(KeepProviderKey(provider, key)))
        waiting = translate(self, "tui.rent.key_trying", provider=provider)
        self.query_one("#fault", SteadyText).update(waiting)

    def show(self, state: State) -> None:
        """Close once the key is kept, or say why it is not."""
        answer = state.key_answer
        if not self.trying or answer is None or answer is self._answered_before:
            return
        self.trying = ""
        if answer.why is None:
            self.dismiss()
            return
        said = translate_text(self, answer.why.text), translate_text(self, answer.why.hint)
        self.query_one("#fault", SteadyText).update(" ".join(said).strip())

    def action_leave(self) -> None:
        self.dismiss()
