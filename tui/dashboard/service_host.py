"""What command handlers work with: services, background tasks, and the event queue."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from itertools import count
from typing import Protocol, TypeVar

from textual.message import Message

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.dashboard.background_tasks import BackgroundTasks
from sovdeck.tui.dashboard.pending_takes import PendingTakes
from sovdeck.tui.dashboard.playback_queue import PlaybackQueue
from sovdeck.tui.services.protocols import Cancel
from sovdeck.tui.services.services import Services
from sovdeck.tui.shell.messages import EventsWaiting, PromptRequested, TaskCrashed
from sovdeck.tui.state.events import NoticeRaised, StoreEvent
from sovdeck.tui.state.prompts import HostKeyPrompt, OfferPrompt, SecretPrompt

Answer = TypeVar("Answer")


class MessagePoster(Protocol):
    """Where messages go: the app, whose `post_message` may be called from any thread."""

    def post_message(self, message: Message) -> bool:
        """Queue a message; thread-safe."""


class ServiceHost:
    """Queues the events of services, in order, until the controller applies them."""

    def __init__(self, app: MessagePoster, services: Services) -> None:
        self.app = app
        self.services = services
        self.tasks = BackgroundTasks(self.emit, self._raise_notice, self._post_crash)
        self.playback = PlaybackQueue(self.tasks, services.player, services.open_sound)
        self.pending_takes = PendingTakes()
        self._queue: deque[StoreEvent] = deque()
        self._drain_requested = threading.Event()
        self._take_numbers = count(1)

    def next_take_id(self) -> str:
        """An id that no take of this dashboard has had."""
        return f"take-{next(self._take_numbers)}"

    def emit(self, event: StoreEvent) -> None:
        """Take an event from any thread; one EventsWaiting stands for a whole burst."""
        self._queue.append(event)
        if not self._drain_requested.is_set():
            self._drain_requested.set()
            self.app.post_message(EventsWaiting())

    def pop_events(self) -> tuple[StoreEvent, ...]:
        """Remove and return all queued events."""
        self._drain_requested.clear()
        events = []
        while self._queue:
            events.append(self._queue.popleft())
        return tuple(events)

    @property
    def idle(self) -> bool:
        """Whether no event waits to be applied."""
        return not self._queue and not self._drain_requested.is_set()

    def close(self) -> None:
        """End all tasks and remove temporary files."""
        self.tasks.close()
        self.playback.close()

    def prompt(
        self,
        prompt: HostKeyPrompt | SecretPrompt | OfferPrompt,
        answer: Future[Answer],
        cancel: Cancel,
        default: Answer,
    ) -> Answer:
        """Show a prompt and wait for its answer.

        When the task is cancelled or the dashboard closes, the prompt is taken back and `default`
        returned.
        """
        self.app.post_message(PromptRequested(prompt, answer))  # type: ignore[arg-type]
        while not (cancel.is_set() or self.tasks.closing.is_set()):
            try:
                return answer.result(timeout=0.2)
            except TimeoutError:
                continue
        answer.cancel()
        return default

    def _raise_notice(self, problem: Problem) -> None:
        self.emit(NoticeRaised("bad", problem.message, self.services.now(), problem.hint))

    def _post_crash(self, group: str, summary: str, traceback: str) -> None:
        self.app.post_message(TaskCrashed(group, summary, traceback))


class TaskPrompts:
    """The `Prompts` of one background task."""

    def __init__(self, host: ServiceHost, cancel: Cancel) -> None:
        self._host = host
        self._cancel = cancel

    def confirm_host_key(self, prompt: HostKeyPrompt) -> bool:
        """Whether the person trusts the host key."""
        answer: Future[bool] = Future()
        return self._host.prompt(prompt, answer, self._cancel, False)

    def ask_secret(self, prompt: SecretPrompt) -> str | None:
        """The password or passphrase the person typed; None when refused."""
        answer: Future[str | None] = Future()
        return self._host.prompt(prompt, answer, self._cancel, None)

    def accept_offer(self, prompt: OfferPrompt) -> bool:
        """Whether the person accepts the offer."""
        answer: Future[bool] = Future()
        return self._host.prompt(prompt, answer, self._cancel, False)
