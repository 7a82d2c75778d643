"""Handles commands by calling services in background tasks, and applies their events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sovdeck.engine.contract.catalogue import hint, text
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.jobs.state import ENDED_STATES
from sovdeck.tui.dashboard.background_tasks import TaskFunction
from sovdeck.tui.dashboard.dataset_handlers import DATASET_COMMAND_HANDLERS
from sovdeck.tui.dashboard.rent_handlers import RENT_COMMAND_HANDLERS
from sovdeck.tui.dashboard.service_host import MessagePoster, ServiceHost, TaskPrompts
from sovdeck.tui.dashboard.speech_handlers import SPEECH_COMMAND_HANDLERS, speak_pending_takes
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.services.services import Services
from sovdeck.tui.state import commands
from sovdeck.tui.state.events import (
    AddServerFailed,
    NoticeRaised,
    PlanRefused,
    RunChosen,
    RunEvents,
    ServerChosen,
    StoreEvent,
    StreamReopened,
    TransferChanged,
    TransferEnded,
)
from sovdeck.tui.state.models import Transfer
from sovdeck.tui.state.server_models import Remark
from sovdeck.tui.state.state import Topics
from sovdeck.tui.state.store import Store

# A stream that broke is not opened again sooner: a refusal must not become a storm.
REOPEN_AFTER_MS = 10_000


class Controller(ServiceHost):
    """Handles commands, keeps one watch a server and a run, and applies emitted events."""

    def __init__(self, app: MessagePoster, services: Services, store: Store) -> None:
        super().__init__(app, services)
        self.store = store
        self.read_only = False
        self._stream_opened_at: dict[str, int] = {}

    def start(self) -> None:
        """Load the saved servers, and say what is rented and followed by nobody."""
        self.tasks.run("load", lambda emit, cancel: self.services.servers.load(emit))
        self.tasks.run("reminder", lambda emit, cancel: self.services.rentals.remind(emit))

    def drain(self) -> tuple[Topics, tuple[StoreEvent, ...]]:
        """Apply all waiting events; start the watches they call for."""
        events = self.pop_events()
        topics = self.store.apply(events)
        if "servers" in topics or "runs" in topics:
            self._update_watches()
        speak_pending_takes(self, self.store.state, events)
        return topics, events

    # Commands

    def handle(self, command: commands.Command) -> None:
        """Handle a command; one that changes something is refused while read-only."""
        if self.read_only and isinstance(command, commands.MUTATING_COMMANDS):
            message, advice = text("tui.notices.read_only"), hint("tui.notices.read_only")
            self.emit(NoticeRaised("warning", message, self.services.now(), advice))
            return
        COMMAND_HANDLERS[type(command)](self, command)

    def add_server(self, command: commands.AddServer) -> None:
        """Dial, ask for the host key, probe and save a server."""
        servers, draft = self.services.servers, command.draft

        def add(emit: Emit, cancel: Cancel) -> None:
            try:
                servers.add(draft, TaskPrompts(self, cancel), emit, cancel)
            except Problem as problem:
                remark = Remark("bad", problem.message, problem.hint)
                emit(AddServerFailed(draft.name, remark))

        self.tasks.run(f"add:{draft.name}", add)

    def start_practice(self, command: commands.StartPractice) -> None:
        """Start the practice server and train on it; no effect while one starts."""
        practice = self.services.practice
        assert practice is not None, "offered only where it can be done"
        if self.tasks.is_running("practice"):
            return

        self.tasks.run("practice", practice.start)

    def remove_server(self, command: commands.RemoveServer) -> None:
        """Take a server off the saved list."""
        self.tasks.cancel(f"watch:{command.server}")
        self.tasks.run(
            f"remove:{command.server}",
            lambda emit, cancel: self.services.servers.remove(command.server, emit),
        )

    def connect(self, command: commands.Connect) -> None:
        """Connect to a server anew."""
        self._watch_server(command.server)

    def choose_server(self, command: commands.ChooseServer) -> None:
        """Make a server the current one."""
        self.emit(ServerChosen(command.server))

    def choose_run(self, command: commands.ChooseRun) -> None:
        """Show a run and stream its events."""
        self.emit(RunChosen(command.server, command.run))
        self._watch_run(command.server, command.run)

    def read_run(self, command: commands.ReadRun) -> None:
        """Stream a run's events without showing it."""
        self._watch_run(command.server, command.run)

    def list_disk(self, command: commands.ListDisk) -> None:
        """List what lies on a server's disk; no effect while something is removed there."""
        if self.tasks.is_running(f"clean:{command.server}"):
            return
        self.tasks.run(
            f"disk:{command.server}",
            lambda emit, cancel: self.services.disks.list_items(command.server, emit, cancel),
        )

    def clean_disk(self, command: commands.CleanDisk) -> None:
        """Remove what was chosen from a server's disk; no effect while it does."""
        group = f"clean:{command.server}"
        if self.tasks.is_running(group):
            return
        disks = self.services.disks
        self.tasks.run(
            group,
            lambda emit, cancel: disks.remove(
                command.server, command.paths, command.named, emit, cancel
            ),
        )

    def plan_deploy(self, command: commands.PlanDeploy) -> None:
        """Plan what a deploy would do."""
        self.tasks.run(
            f"deploy:{command.server}",
            lambda emit, cancel: self.services.deploys.plan(command.server, emit, cancel),
        )

    def apply_deploy(self, command: commands.ApplyDeploy) -> None:
        """Deploy to a server."""
        self.tasks.run(
            f"deploy:{command.server}",
            lambda emit, cancel: self.services.deploys.apply(command.server, emit, cancel),
        )

    def push_dataset(self, command: commands.PushDataset) -> None:
        """Upload the dataset folder."""
        transfer = Transfer(f"push:{command.server}", "push", command.server, command.folder.name)
        datasets = self.services.datasets
        self._run_transfer(
            transfer,
            lambda emit, cancel: datasets.push(command.server, command.folder, emit, cancel),
        )

    def plan_training(self, command: commands.PlanTraining) -> None:
        """Estimate time, memory and cost of a training run; the form says why it cannot."""

        def plan(emit: Emit, cancel: Cancel) -> None:
            try:
                self.services.training.plan(command.draft, emit, cancel)
            except Problem as problem:
                emit(PlanRefused(Remark("note", problem.message, problem.hint)))

        self.tasks.run("plan", plan)

    def list_datasets(self, command: commands.ListDatasets) -> None:
        """List the datasets of a server."""
        training = self.services.training
        self.tasks.run(
            f"datasets:{command.server}",
            lambda emit, cancel: training.list_datasets(command.server, emit, cancel),
        )

    def read_weights(self, command: commands.ReadWeights) -> None:
        """Look which weights a preset lacks; no effect while they are being fetched."""
        if self.tasks.is_running(f"weights:{command.server}"):
            return
        deploys = self.services.deploys
        self.tasks.run(
            f"read-weights:{command.server}",
            lambda emit, cancel: deploys.read_weights(command.server, command.preset, emit, cancel),
        )

    def fetch_weights(self, command: commands.FetchWeights) -> None:
        """Let a server fetch what a preset lacks; no effect while it does."""
        group = f"weights:{command.server}"
        if self.tasks.is_running(group):
            return
        deploys = self.services.deploys
        self.tasks.run(
            group,
            lambda emit, cancel: deploys.fetch_weights(
                command.server, command.preset, emit, cancel
            ),
        )

    def start_training(self, command: commands.StartTraining) -> None:
        """Start a training run and show it."""

        def start(emit: Emit, cancel: Cancel) -> None:
            run = self.services.training.start(command.draft, emit, cancel)
            emit(RunChosen(command.draft.server, run))

        self.tasks.run(f"start:{command.draft.server}", start)

    def stop_run(self, command: commands.StopRun) -> None:
        """Ask a run to save and stop."""
        self.tasks.run(
            f"stop:{command.server}/{command.run}",
            lambda emit, cancel: self.services.training.stop(
                command.server, command.run, emit, cancel
            ),
        )

    def refresh_voices(self, command: commands.RefreshVoices) -> None:
        """List the voices of a server."""
        self.tasks.run(
            f"voices:{command.server}",
            lambda emit, cancel: self.services.voices.refresh(command.server, emit, cancel),
        )

    def pull_voice(self, command: commands.PullVoice) -> None:
        """Download a voice; no effect while it is downloading."""
        group = f"pull:{command.server}/{command.voice}"
        if self.tasks.is_running(group):  # pressing d twice must not start the download again
            return
        transfer = Transfer(group, "pull", command.server, command.voice)
        voices = self.services.voices
        self._run_transfer(
            transfer,
            lambda emit, cancel: voices.pull(
                command.server, command.voice, emit, cancel, community=command.community
            ),
        )

    def cancel_transfer(self, command: commands.CancelTransfer) -> None:
        """Stop a transfer; what has arrived is kept."""
        self.tasks.cancel(command.id)

    # Watches

    def _update_watches(self) -> None:
        """One watch a server and one a running run; none for what is no longer listed."""
        state = self.store.state
        for group in (*self.tasks.groups("watch:"), *self.tasks.groups("run:")):
            server = group.split(":", 1)[1].split("/", 1)[0]
            if server not in state.servers:
                self.tasks.forget(group)
        for name in state.servers:
            if f"watch:{name}" not in self.tasks:
                self._watch_server(name)
        for view in state.runs.values():
            if view.job is not None and view.job.state not in ENDED_STATES:
                self._watch_run(view.server, view.run)
        if state.run is not None:
            self._watch_run(*state.run)

    def _watch_server(self, server: str) -> None:
        servers = self.services.servers
        self.tasks.run(
            f"watch:{server}",
            lambda emit, cancel: servers.watch(server, TaskPrompts(self, cancel), emit, cancel),
        )

    def _watch_run(self, server: str, run: str) -> None:
        group = f"run:{server}/{run}"
        view = self.store.state.runs.get((server, run))
        reopened = group in self.tasks
        if self.tasks.is_running(group) or (reopened and view is not None and view.ended):
            return
        if self.services.now() - self._stream_opened_at.get(group, 0) < REOPEN_AFTER_MS:
            return
        self._stream_opened_at[group] = self.services.now()
        known_seq = view.state.seq if view is not None else -1
        if reopened:
            self.emit(StreamReopened(server, run))

        def watch(emit: Emit, cancel: Cancel) -> None:
            self.services.training.watch(
                server, run, lambda e: emit(_without_known_events(e, known_seq)), cancel
            )

        self.tasks.run(group, watch)

    # Threads

    def _run_transfer(self, transfer: Transfer, function: TaskFunction) -> None:
        """Run a transfer; a problem or a cancel also ends its row in the state."""

        def run_to_end(emit: Emit, cancel: Cancel) -> None:
            emit(TransferChanged(transfer))
            why = None
            try:
                function(emit, cancel)
            except Problem as problem:
                why = Remark("bad", problem.message, problem.hint)
                raise
            finally:  # no effect on a row that has come to its own end
                emit(TransferEnded(transfer.id, "cancelled" if cancel.is_set() else "failed", why))

        self.tasks.run(transfer.id, run_to_end)


def _without_known_events(event: StoreEvent, known_seq: int) -> StoreEvent:
    """Drop the events of an earlier watch, so that reading again counts nothing twice."""
    if not isinstance(event, RunEvents):
        return event
    return replace(event, events=tuple(one for one in event.events if one.seq > known_seq))


COMMAND_HANDLERS: dict[type, Callable[[Controller, Any], None]] = {
    commands.AddServer: Controller.add_server,
    commands.StartPractice: Controller.start_practice,
    commands.RemoveServer: Controller.remove_server,
    commands.Connect: Controller.connect,
    commands.ChooseServer: Controller.choose_server,
    commands.ChooseRun: Controller.choose_run,
    commands.ReadRun: Controller.read_run,
    commands.ListDisk: Controller.list_disk,
    commands.CleanDisk: Controller.clean_disk,
    commands.PlanDeploy: Controller.plan_deploy,
    commands.ApplyDeploy: Controller.apply_deploy,
    commands.PushDataset: Controller.push_dataset,
    commands.PlanTraining: Controller.plan_training,
    commands.ListDatasets: Controller.list_datasets,
    commands.ReadWeights: Controller.read_weights,
    commands.FetchWeights: Controller.fetch_weights,
    commands.StartTraining: Controller.start_training,
    commands.StopRun: Controller.stop_run,
    commands.RefreshVoices: Controller.refresh_voices,
    commands.PullVoice: Controller.pull_voice,
    commands.CancelTransfer: Controller.cancel_transfer,
    **DATASET_COMMAND_HANDLERS,
    **RENT_COMMAND_HANDLERS,
    **SPEECH_COMMAND_HANDLERS,
}
