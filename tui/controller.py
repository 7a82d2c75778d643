"""Grants wishes by calling services in jobs, keeps the watches, and drains what they tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.contract.catalogue import hint, text
from engine.contract.problem import Problem
from tui.desk import Asking, Desk, Post
from tui.grants_dataset import DATASET_GRANTS
from tui.grants_speech import SPEECH_GRANTS, speak_listed
from tui.jobs import Work
from tui.services.protocols import Cancel, Emit
from tui.services.services import Services
from tui.state import wishes
from tui.state.events import (
    NoticeRaised,
    RunChosen,
    RunEvents,
    ServerChosen,
    StoreEvent,
    StreamReopened,
    TransferChanged,
    TransferEnded,
)
from tui.state.facts import Remark
from tui.state.state import Topics
from tui.state.store import Store
from tui.state.work import ENDED, Transfer

# A stream that broke is not opened again sooner: a refusal must not become a storm.
REOPEN_AFTER_MS = 10_000


class Controller(Desk):
    """Grants wishes, keeps the watches, and turns emitted events into changed topics."""

    def __init__(self, post: Post, services: Services, store: Store) -> None:
        super().__init__(post, services)
        self.store = store
        self.read_only = False
        self._opened: dict[str, int] = {}

    def start(self) -> None:
        self.jobs.run("load", lambda emit, cancel: self.services.servers.load(emit))

    def drain(self) -> tuple[Topics, tuple[StoreEvent, ...]]:
        """Apply all waiting events; start the watches they call for."""
        events = self.told()
        topics = self.store.apply(events)
        if "servers" in topics or "runs" in topics:
            self._keep_watches()
        speak_listed(self, self.store.state, events)
        return topics, events

    # Wishes

    def grant(self, wish: wishes.Wish) -> None:
        if self.read_only and isinstance(wish, wishes.CHANGING):
            words, more = text("tui.notices.read_only"), hint("tui.notices.read_only")
            self.emit(NoticeRaised("warning", words, self.services.now(), more))
            return
        _GRANTS[type(wish)](self, wish)

    def add_server(self, wish: wishes.AddServer) -> None:
        servers, draft = self.services.servers, wish.draft
        self.jobs.run(
            f"add:{draft.name}",
            lambda emit, cancel: servers.add(draft, Asking(self, cancel), emit, cancel),
        )

    def try_here(self, wish: wishes.TryHere) -> None:
        practice = self.services.practice
        assert practice is not None, "offered only where it can be done"
        if self.jobs.busy("practice"):
            return

        self.jobs.run("practice", practice.start)

    def remove_server(self, wish: wishes.RemoveServer) -> None:
        self.jobs.cancel(f"watch:{wish.server}")
        self.jobs.run(
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

    def read_run(self, wish: wishes.ReadRun) -> None:
        self._watch_run(wish.server, wish.run)

    def plan_deploy(self, wish: wishes.PlanDeploy) -> None:
        self.jobs.run(
            f"deploy:{wish.server}",
            lambda emit, cancel: self.services.deploys.plan(wish.server, emit, cancel),
        )

    def apply_deploy(self, wish: wishes.ApplyDeploy) -> None:
        self.jobs.run(
            f"deploy:{wish.server}",
            lambda emit, cancel: self.services.deploys.apply(wish.server, emit, cancel),
        )

    def push_dataset(self, wish: wishes.PushDataset) -> None:
        first = Transfer(f"push:{wish.server}", "push", wish.server, wish.folder.name)
        datasets = self.services.datasets
        self._carry(
            first, lambda emit, cancel: datasets.push(wish.server, wish.folder, emit, cancel)
        )

    def plan_training(self, wish: wishes.PlanTraining) -> None:
        self.jobs.run(
            "plan", lambda emit, cancel: self.services.training.plan(wish.draft, emit, cancel)
        )

    def start_training(self, wish: wishes.StartTraining) -> None:
        def start(emit: Emit, cancel: Cancel) -> None:
            run = self.services.training.start(wish.draft, emit, cancel)
            emit(RunChosen(wish.draft.server, run))

        self.jobs.run(f"start:{wish.draft.server}", start)

    def stop_run(self, wish: wishes.StopRun) -> None:
        self.jobs.run(
            f"stop:{wish.server}/{wish.run}",
            lambda emit, cancel: self.services.training.stop(wish.server, wish.run, emit, cancel),
        )

    def refresh_voices(self, wish: wishes.RefreshVoices) -> None:
        self.jobs.run(
            f"voices:{wish.server}",
            lambda emit, cancel: self.services.voices.refresh(wish.server, emit, cancel),
        )

    def pull_voice(self, wish: wishes.PullVoice) -> None:
        group = f"pull:{wish.server}/{wish.voice}"
        if self.jobs.busy(group):  # pressing d twice must not start the download again
            return
        first = Transfer(group, "pull", wish.server, wish.voice)
        voices = self.services.voices
        self._carry(first, lambda emit, cancel: voices.pull(wish.server, wish.voice, emit, cancel))

    def cancel_transfer(self, wish: wishes.CancelTransfer) -> None:
        self.jobs.cancel(wish.id)

    # Watches

    def _keep_watches(self) -> None:
        """One watch a server and one a run at work; none for what is no longer listed."""
        state = self.store.state
        for group in (*self.jobs.groups("watch:"), *self.jobs.groups("run:")):
            server = group.split(":", 1)[1].split("/", 1)[0]
            if server not in state.servers:
                self.jobs.forget(group)
        for name in state.servers:
            if f"watch:{name}" not in self.jobs:
                self._watch_server(name)
        for view in state.runs.values():
            if view.job is not None and view.job.state not in ENDED:
                self._watch_run(view.server, view.run)
        if state.run is not None:
            self._watch_run(*state.run)

    def _watch_server(self, server: str) -> None:
        servers = self.services.servers
        self.jobs.run(
            f"watch:{server}",
            lambda emit, cancel: servers.watch(server, Asking(self, cancel), emit, cancel),
        )

    def _watch_run(self, server: str, run: str) -> None:
        group = f"run:{server}/{run}"
        view = self.store.state.runs.get((server, run))
        reopened = group in self.jobs
        if self.jobs.busy(group) or (reopened and view is not None and view.ended):
            return
        if self.services.now() - self._opened.get(group, 0) < REOPEN_AFTER_MS:
            return
        self._opened[group] = self.services.now()
        known = view.state.seq if view is not None else -1
        if reopened:
            self.emit(StreamReopened(server, run))

        def watch(emit: Emit, cancel: Cancel) -> None:
            self.services.training.watch(server, run, lambda e: emit(_unknown(e, known)), cancel)

        self.jobs.run(group, watch)

    # Threads

    def _carry(self, first: Transfer, work: Work) -> None:
        """Run a transfer; a problem or a cancel also ends its row, whatever the service said."""

        def carry(emit: Emit, cancel: Cancel) -> None:
            emit(TransferChanged(first))
            why = None
            try:
                work(emit, cancel)
            except Problem as problem:
                why = Remark("bad", problem.message, problem.hint)
                raise
            finally:  # no effect on a row that has come to its own end
                emit(TransferEnded(first.id, "cancelled" if cancel.is_set() else "failed", why))

        self.jobs.run(first.id, carry)


def _unknown(event: StoreEvent, known: int) -> StoreEvent:
    """Leave out what an earlier watch has told, so that a re-read does not count as doubled."""
    if not isinstance(event, RunEvents):
        return event
    return replace(event, events=tuple(one for one in event.events if one.seq > known))


_GRANTS: dict[type, Callable[[Controller, Any], None]] = {
    wishes.AddServer: Controller.add_server,
    wishes.TryHere: Controller.try_here,
    wishes.RemoveServer: Controller.remove_server,
    wishes.Connect: Controller.connect,
    wishes.ChooseServer: Controller.choose_server,
    wishes.ChooseRun: Controller.choose_run,
    wishes.ReadRun: Controller.read_run,
    wishes.PlanDeploy: Controller.plan_deploy,
    wishes.ApplyDeploy: Controller.apply_deploy,
    wishes.PushDataset: Controller.push_dataset,
    wishes.PlanTraining: Controller.plan_training,
    wishes.StartTraining: Controller.start_training,
    wishes.StopRun: Controller.stop_run,
    wishes.RefreshVoices: Controller.refresh_voices,
    wishes.PullVoice: Controller.pull_voice,
    wishes.CancelTransfer: Controller.cancel_transfer,
    **DATASET_GRANTS,
    **SPEECH_GRANTS,
}
