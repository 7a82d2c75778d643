"""Textual messages between controller, app and screens."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from textual.message import Message
from textual.screen import Screen

from sovdeck.tui.state.commands import Command
from sovdeck.tui.state.prompts import HostKeyPrompt, OfferPrompt, SecretPrompt


class CommandPosted(Message):
    """A screen posts a command; the app hands it to the controller."""

    def __init__(self, command: Command) -> None:
        super().__init__()
        self.command = command


class EventsWaiting(Message, bubble=False):
    """Services have emitted events; one message stands for all that wait."""

    def can_replace(self, message: Message) -> bool:
        """One such message in the queue is enough."""
        return isinstance(message, EventsWaiting)


class PromptRequested(Message, bubble=False):
    """A service asks the person something; setting `answer` wakes its thread.

    A cancelled `answer` means that the service waits no more.
    """

    def __init__(
        self,
        prompt: HostKeyPrompt | SecretPrompt | OfferPrompt,
        answer: Future[bool] | Future[str | None],
    ) -> None:
        super().__init__()
        self.prompt = prompt
        self.answer = answer


class PromptCancelled(Message, bubble=False):
    """The service waits no more for the answer to what `screen` asks."""

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self.screen = screen


class TaskCrashed(Message, bubble=False):
    """A background task raised an unexpected error; `traceback` is for the person to copy."""

    def __init__(self, task_name: str, summary: str, traceback: str) -> None:
        super().__init__()
        self.task_name = task_name
        self.summary = summary
        self.traceback = traceback
