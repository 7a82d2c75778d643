"""What a wish is granted with: the services, the jobs they run in, and where they tell."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from itertools import count
from typing import Protocol, TypeVar

from textual.message import Message

from engine.contract.problem import Problem
from tui.jobs import Jobs
from tui.messages import EventsWaiting, JobCrashed, Question
from tui.services.protocols import Cancel, HostKeyQuestion, OfferQuestion, SecretQuestion
from tui.services.services import Services
from tui.sounding import Sounding
from tui.state.events import NoticeRaised, StoreEvent
from tui.unlisted import Unlisted

Answer = TypeVar("Answer")


class Post(Protocol):
    """Where messages go: the app, whose `post_message` may be called from any thread."""

    def post_message(self, message: Message) -> bool: ...


class Desk:
    """Everything told here waits, in order, until the controller drains it."""

    def __init__(self, post: Post, services: Services) -> None:
        self.post = post
        self.services = services
        self.jobs = Jobs(self.emit, self._refused, self._crashed)
        self.sound = Sounding(self.jobs, services.player)
        self.unlisted = Unlisted()
        self._queue: deque[StoreEvent] = deque()
        self._announced = threading.Event()
        self._takes = count(1)

    def next_take(self) -> str:
        """An id no take of this dashboard has had."""
        return f"take-{next(self._takes)}"

    def emit(self, event: StoreEvent) -> None:
        """Take an event from any thread; one EventsWaiting stands for a whole burst."""
        self._queue.append(event)
        if not self._announced.is_set():
            self._announced.set()
            self.post.post_message(EventsWaiting())

    def told(self) -> tuple[StoreEvent, ...]:
        """Take out all that waits."""
        self._announced.clear()
        events = []
        while self._queue:
            events.append(self._queue.popleft())
        return tuple(events)

    @property
    def idle(self) -> bool:
        """Nothing told waits to be applied."""
        return not self._queue and not self._announced.is_set()

    def close(self) -> None:
        self.jobs.close()
        self.sound.close()

    def ask(
        self,
        question: HostKeyQuestion | SecretQuestion | OfferQuestion,
        answer: Future[Answer],
        cancel: Cancel,
        none: Answer,
    ) -> Answer:
        """Show the question and wait; cancelled or closing counts as `none` and withdraws it."""
        self.post.post_message(Question(question, answer))  # type: ignore[arg-type]
        while not (cancel.is_set() or self.jobs.closing.is_set()):
            try:
                return answer.result(timeout=0.2)
            except TimeoutError:
                continue
        answer.cancel()
        return none

    def _refused(self, problem: Problem) -> None:
        self.emit(NoticeRaised("bad", problem.message, self.services.now(), problem.hint))

    def _crashed(self, group: str, summary: str, trace: str) -> None:
        self.post.post_message(JobCrashed(group, summary, trace))


class Asking:
    """The questions of one job."""

    def __init__(self, desk: Desk, cancel: Cancel) -> None:
        self._bench = desk
        self._cancel = cancel

    def host_key(self, question: HostKeyQuestion) -> bool:
        answer: Future[bool] = Future()
        return self._bench.ask(question, answer, self._cancel, False)

    def secret(self, question: SecretQuestion) -> str | None:
        answer: Future[str | None] = Future()
        return self._bench.ask(question, answer, self._cancel, None)

    def agrees(self, question: OfferQuestion) -> bool:
        answer: Future[bool] = Future()
        return self._bench.ask(question, answer, self._cancel, False)
