"""The only place that starts threads: grants wishes by calling services, drains their events.

Every job runs in a daemon thread of its own (a server's watch lives as long as the dashboard,
so a pool would run dry) and has a cancel event. A new job of the same group cancels the old.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from textual.message import Message

from engine.contract.catalogue import Text, hint, text
from engine.contract.problem import Problem
from tui.messages import EventsWaiting, JobCrashed, Question
from tui.services.protocols import Cancel, Emit, HostKeyQuestion, SecretQuestion, Services
from tui.state import wishes
from tui.state.events import (
    NoticeRaised,
    RunChosen,
    ServerChosen,
    StoreEvent,
    TransferChanged,
    TransferEnded,
)
from tui.state.facts import Remark
from tui.state.store import Store, Topics
from tui.state.work import ENDED, Transfer

JOIN_S = 2.0
Answer = TypeVar("Answer")


class Post(Protocol):
    """Where messages go: the app, whose `post_message` may be called from any thread."""

    def post_message(self, message: Message) -> bool: ...


@dataclass(frozen=True)
class Job:
    thread: threading.Thread
    cancel: Cancel


class Controller:
    """Grants wishes, keeps the watches, and turns emitted events into changed topics."""

    def __init__(self, post: Post, services: Services, store: Store) -> None:
        self.post = post
        self.services = services
        self.store = store
        self.read_only = False
        self._jobs: dict[str, Job] = {}
        self._queue: deque[StoreEvent] = deque()
        self._announced = threading.Event()
        self._closing = threading.Event()

    # Events in

    def emit(self, event: StoreEvent) -> None:
        """Take an event from any thread; one EventsWaiting stands for a whole burst."""
        self._queue.append(event)
        if not self._announced.is_set():
            self._announced.set()
            self.post.post_message(EventsWaiting())

    def drain(self) -> tuple[Topics, tuple[StoreEvent, ...]]:
        """Apply all waiting events; start the watches they call for."""
        self._announced.clear()
        events = []
        while self._queue:
            events.append(self._queue.popleft())
        topics = self.store.apply(events)
        if "servers" in topics or "runs" in topics:
            self._keep_watches()
        return topics, tuple(events)

    # Life

    def start(self) -> None:
        self._run("load", lambda emit, cancel: self.services.servers.load(emit))

    def close(self) -> None:
        """Cancel every job and wait a moment; threads that do not heed are daemons."""
        self._closing.set()
        jobs = list(self._jobs.values())
        for job in jobs:
            job.cancel.set()
        end = time.monotonic() + JOIN_S
        for job in jobs:
            job.thread.join(max(0.0, end - time.monotonic()))

    def busy(self, group: str) -> bool:
        job = self._jobs.get(group)
        return job is not None and job.thread.is_alive()

    # Wishes

    def grant(self, wish: wishes.Wish) -> None:
        if self.read_only and isinstance(wish, wishes.CHANGING):
            self._notice("warning", text("tui.notices.read_only"), hint("tui.notices.read_only"))
            return
        _GRANTS[type(wish)](self, wish)

    def add_server(self, wish: wishes.AddServer) -> None:
        servers, draft = self.services.servers, wish.draft
        self._run(
            f"add:{draft.name}",
            lambda emit, cancel: servers.add(draft, _Asks(self, cancel), emit, cancel),
        )

    def remove_server(self, wish: wishes.RemoveServer) -> None:
        self._cancel(f"watch:{wish.server}")
        self._run(
            f"remove:{wish.server}",
            lambda emit, cancel: self.services.servers.remove(wish.server, emit),
        )

    def connect(self, wish: wishes.Connect) -> None:
        self._watch_server(wish.server)

    def choose_server(self, wish: wishes.ChooseServer) -> None:
        self.emit(ServerChosen(wish.server))

    def choose_run(self, wish: wishes.ChooseRun) -> None:
        self.emit(RunChosen(wish.server, wish.run))
        self._watch_run(wish.server, wish.run)

    def plan_deploy(self, wish: wishes.PlanDeploy) -> None:
        self._run(
            f"deploy:{wish.server}",
            lambda emit, cancel: self.services.deploys.plan(wish.server, emit, cancel),
        )

    def apply_deploy(self, wish: wishes.ApplyDeploy) -> None:
        self._run(
            f"deploy:{wish.server}",
            lambda emit, cancel: self.services.deploys.apply(wish.server, emit, cancel),
        )

    def check_dataset(self, wish: wishes.CheckDataset) -> None:
        self._run(
            "dataset", lambda emit, cancel: self.services.datasets.check(wish.folder, emit, cancel)
        )

    def push_dataset(self, wish: wishes.PushDataset) -> None:
        first = Transfer(f"push:{wish.server}", "push", wish.server, wish.folder.name)
        datasets = self.services.datasets
        self._carry(
            first, lambda emit, cancel: datasets.push(wish.server, wish.folder, emit, cancel)
        )

    def plan_training(self, wish: wishes.PlanTraining) -> None:
        self._run(
            "plan", lambda emit, cancel: self.services.training.plan(wish.draft, emit, cancel)
        )

    def start_training(self, wish: wishes.StartTraining) -> None:
        def start(emit: Emit, cancel: Cancel) -> None:
            run = self.services.training.start(wish.draft, emit, cancel)
            emit(RunChosen(wish.draft.server, run))

        self._run(f"start:{wish.draft.server}", start)

    def stop_run(self, wish: wishes.StopRun) -> None:
        self._run(
            f"stop:{wish.server}/{wish.run}",
            lambda emit, cancel: self.services.training.stop(wish.server, wish.run, emit, cancel),
        )

    def refresh_voices(self, wish: wishes.RefreshVoices) -> None:
        self._run(
            f"voices:{wish.server}",
            lambda emit, cancel: self.services.voices.refresh(wish.server, emit, cancel),
        )

    def pull_voice(self, wish: wishes.PullVoice) -> None:
        group = f"pull:{wish.server}/{wish.voice}"
        if self.busy(group):  # pressing d twice must not start the download again
            return
        first = Transfer(group, "pull", wish.server, wish.voice)
        voices = self.services.voices
        self._carry(first, lambda emit, cancel: voices.pull(wish.server, wish.voice, emit, cancel))

    def cancel_transfer(self, wish: wishes.CancelTransfer) -> None:
        self._cancel(wish.id)

    # Watches

    def _keep_watches(self) -> None:
        state = self.store.state
        for name in state.servers:
            if f"watch:{name}" not in self._jobs:
                self._watch_server(name)
        for name in [group[6:] for group in self._jobs if group.startswith("watch:")]:
            if name not in state.servers:
                self._cancel(f"watch:{name}")
                del self._jobs[f"watch:{name}"]
        for view in state.runs.values():
            at_work = view.job is not None and view.job.state not in ENDED
            if at_work and f"run:{view.server}/{view.run}" not in self._jobs:
                self._watch_run(view.server, view.run)
        if state.run is not None:
            self._watch_run(*state.run)

    def _watch_server(self, server: str) -> None:
        servers = self.services.servers
        self._run(
            f"watch:{server}",
            lambda emit, cancel: servers.watch(server, _Asks(self, cancel), emit, cancel),
        )

    def _watch_run(self, server: str, run: str) -> None:
        # A stream resumes by offset and is whole: one watch a run is enough for good.
        if f"run:{server}/{run}" in self._jobs:
            return
        self._run(
            f"run:{server}/{run}",
            lambda emit, cancel: self.services.training.watch(server, run, emit, cancel),
        )

    # Threads

    def _run(self, group: str, work: Callable[[Emit, Cancel], Any]) -> None:
        self._cancel(group)
        cancel = threading.Event()
        if self._closing.is_set():
            return
        thread = threading.Thread(
            target=self._guarded, args=(group, work, cancel), name=group, daemon=True
        )
        self._jobs[group] = Job(thread, cancel)
        thread.start()

    def _carry(self, first: Transfer, work: Callable[[Emit, Cancel], Any]) -> None:
        """Run a transfer; a problem or a cancel also ends its row, whatever the service said."""

        def carry(emit: Emit, cancel: Cancel) -> None:
            emit(TransferChanged(first))
            try:
                work(emit, cancel)
            except Problem as problem:
                why = Remark("bad", problem.message, problem.hint)
                emit(TransferEnded(first.id, "failed", why))
                raise
            if cancel.is_set():
                emit(TransferEnded(first.id, "cancelled"))

        self._run(first.id, carry)

    def _guarded(self, group: str, work: Callable[[Emit, Cancel], Any], cancel: Cancel) -> None:
        def emit(event: StoreEvent) -> None:
            if not cancel.is_set() or isinstance(event, TransferEnded):
                self.emit(event)

        try:
            work(emit, cancel)
        except Problem as problem:
            if not cancel.is_set():
                self._notice("bad", problem.message, problem.hint)
        except Exception as error:  # noqa: BLE001  a fault of ours is shown, never swallowed
            if not self._closing.is_set():
                summary = f"{type(error).__name__}: {error}"
                self.post.post_message(JobCrashed(group, summary, traceback.format_exc()))

    def _cancel(self, group: str) -> None:
        job = self._jobs.get(group)
        if job is not None:
            job.cancel.set()

    def _notice(self, level: Any, words: Text, more: Text) -> None:
        self.emit(NoticeRaised(level, words, self.services.now(), more))

    def ask(
        self,
        question: HostKeyQuestion | SecretQuestion,
        answer: Future[Answer],
        cancel: Cancel,
        none: Answer,
    ) -> Answer:
        """Show the question and wait; cancelled or closing counts as `none`."""
        self.post.post_message(Question(question, answer))  # type: ignore[arg-type]
        while not (cancel.is_set() or self._closing.is_set()):
            try:
                return answer.result(timeout=0.2)
            except TimeoutError:
                continue
        return none


class _Asks:
    """The questions of one job."""

    def __init__(self, controller: Controller, cancel: Cancel) -> None:
        self._controller = controller
        self._cancel = cancel

    def host_key(self, question: HostKeyQuestion) -> bool:
        answer: Future[bool] = Future()
        return self._controller.ask(question, answer, self._cancel, False)

    def secret(self, question: SecretQuestion) -> str | None:
        answer: Future[str | None] = Future()
        return self._controller.ask(question, answer, self._cancel, None)


_GRANTS: dict[type, Callable[[Controller, Any], None]] = {
    wishes.AddServer: Controller.add_server,
    wishes.RemoveServer: Controller.remove_server,
    wishes.Connect: Controller.connect,
    wishes.ChooseServer: Controller.choose_server,
    wishes.ChooseRun: Controller.choose_run,
    wishes.PlanDeploy: Controller.plan_deploy,
    wishes.ApplyDeploy: Controller.apply_deploy,
    wishes.CheckDataset: Controller.check_dataset,
    wishes.PushDataset: Controller.push_dataset,
    wishes.PlanTraining: Controller.plan_training,
    wishes.StartTraining: Controller.start_training,
    wishes.StopRun: Controller.stop_run,
    wishes.RefreshVoices: Controller.refresh_voices,
    wishes.PullVoice: Controller.pull_voice,
    wishes.CancelTransfer: Controller.cancel_transfer,
}
