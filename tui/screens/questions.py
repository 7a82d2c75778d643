"""Questions a service asks while it works: trust this host key? what is the password?"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from tui.actions import bindings
from tui.language import say, say_hint
from tui.screens.question_modal import QuestionModal
from tui.services.protocols import HostKeyQuestion, SecretQuestion


class HostKeyScreen(QuestionModal[bool]):
    """Shows the fingerprint; a changed key says so and does not offer a quick yes."""

    CSS_PATH = "../styles/modal.tcss"
    # No letter trusts a key: that takes two steps.
    BINDINGS = bindings("host_key")

    def __init__(self, question: HostKeyQuestion) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        question = self.question
        changed = question.known_since is not None
        words = "tui.ask.key_changed" if changed else "tui.ask.host_key"
        facts = {
            "name": question.server, "address": question.address,
            "since": question.known_since or "",
        }  # fmt: skip
        with Vertical(classes="box"):
            yield Static(say(self, words, **facts), classes="question", markup=False)
            yield Static(
                f"{question.key_type}\n{question.fingerprint}", classes="key", markup=False
            )
            yield Static(say_hint(self, words, **facts), classes="more", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(say(self, "tui.ask.refuse"), id="no")
                yield Button(
                    say(self, "tui.ask.trust"), id="yes",
                    variant="error" if changed else "success",
                )  # fmt: skip

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_refuse(self) -> None:
        self.dismiss(False)


class SecretScreen(QuestionModal[str]):
    """Asks for a password; what is typed is never shown, kept or logged here."""

    CSS_PATH = "../styles/modal.tcss"
    BINDINGS = bindings("secret")

    def __init__(self, question: SecretQuestion) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        facts = {"address": self.question.address}
        with Vertical(classes="box"):
            yield Static(say(self, "tui.ask.secret", **facts), classes="question", markup=False)
            yield Static(self.question.prompt, classes="label", markup=False)
            yield Input(password=True, id="secret")
            yield Static(say_hint(self, "tui.ask.secret", **facts), classes="more", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)
