"""Prompts of a connection: trust a host key, enter a password."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input

from sovdeck.tui.screens.base.prompt_modal import PromptModal
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state.prompts import HostKeyPrompt, SecretPrompt
from sovdeck.tui.text.i18n import translate, translate_hint
from sovdeck.tui.widgets.plain_button import PlainButton
from sovdeck.tui.widgets.steady_text import SteadyText


class HostKeyScreen(PromptModal[bool]):
    """Shows the fingerprint; for a changed key it says so, and "yes" is marked as dangerous."""

    CSS_PATH = "../../styles/modal.tcss"
    # No single key trusts a host key: that takes two steps.
    BINDINGS = bindings("host_key")

    def __init__(self, question: HostKeyPrompt) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        question = self.question
        changed = question.known_since is not None
        key = "tui.ssh_prompts.key_changed" if changed else "tui.ssh_prompts.host_key"
        facts = {
            "name": question.server,
            "address": question.address,
            "since": question.known_since or "",
        }
        with Vertical(classes="box"):
            yield SteadyText(translate(self, key, **facts), classes="question")
            yield SteadyText(f"{question.key_type}\n{question.fingerprint}", classes="key")
            yield SteadyText(translate_hint(self, key, **facts), classes="more")
            with Horizontal(classes="buttons"):
                yield PlainButton(translate(self, "tui.ssh_prompts.refuse"), id="no")
                yield PlainButton(
                    translate(self, "tui.ssh_prompts.trust"),
                    id="yes",
                    variant="error" if changed else "success",
                )

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_refuse(self) -> None:
        self.dismiss(False)


class SecretScreen(PromptModal[str]):
    """Asks for a password; what is typed is never shown, kept or logged here."""

    CSS_PATH = "../../styles/modal.tcss"
    BINDINGS = bindings("secret")

    def __init__(self, question: SecretPrompt) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        facts = {"address": self.question.address}
        with Vertical(classes="box"):
            yield SteadyText(translate(self, "tui.ssh_prompts.secret", **facts), classes="question")
            if self.question.again:
                refused = translate(self, "tui.ssh_prompts.secret_refused")
                yield SteadyText(refused, classes="fault")
            yield SteadyText(self.question.prompt, classes="label")
            yield Input(password=True, id="secret")
            yield SteadyText(
                translate_hint(self, "tui.ssh_prompts.secret", **facts),
                classes="more",
            )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)
