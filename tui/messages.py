"""Textual messages between controller, app and screens."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from textual.message import Message
from textual.screen import Screen

from tui.services.protocols import HostKeyQuestion, OfferQuestion, SecretQuestion
from tui.state.wishes import Wish


class Asked(Message):
    """A screen asks for something; the app hands it to the controller."""

    def __init__(self, wish: Wish) -> None:
        super().__init__()
        self.wish = wish


class EventsWaiting(Message, bubble=False):
    """Services have emitted events; one message stands for all that wait."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, EventsWaiting)


class Question(Message, bubble=False):
    """A service waits for the person's answer; `answer` wakes its thread.

    A cancelled `answer` means that nobody waits any more.
    """

    def __init__(
        self,
        question: HostKeyQuestion | SecretQuestion | OfferQuestion,
        answer: Future[bool] | Future[str | None],
    ) -> None:
        super().__init__()
        self.question = question
        self.answer = answer


class Withdrawn(Message, bubble=False):
    """Nobody waits for the answer to what `screen` asks any more."""

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self.screen = screen


class JobCrashed(Message, bubble=False):
    """A service raised what it should not; `trace` is for the person to copy."""

    def __init__(self, job: str, summary: str, trace: str) -> None:
        super().__init__()
        self.job = job
        self.summary = summary
        self.trace = trace
