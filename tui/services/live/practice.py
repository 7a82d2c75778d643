"""The practice run: the demo's server, voice and training, in the dashboard that is open."""

from __future__ import annotations

from sovdeck.engine.contract.catalogue import hint, text
from sovdeck.tui.practice.local_server import (
    PRACTICE_PARAMS,
    PRACTICE_PRESET,
    PRACTICE_SERVER,
    PRACTICE_VOICE,
    PracticeEnvironment,
    check_installed,
)
from sovdeck.tui.services.connections import ConnectionRegistry, now_ms
from sovdeck.tui.services.live.datasets import LiveDatasets
from sovdeck.tui.services.live.deploys import LiveDeploys
from sovdeck.tui.services.live.training import LiveTraining
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import TrainDraft

STOP_GRACE_S = 3.0  # a practice run has nothing to save


class LivePractice:
    """Everything lies below one folder of ours; the person's servers stay as they are."""

    def __init__(
        self,
        connections: ConnectionRegistry,
        deploys: LiveDeploys,
        datasets: LiveDatasets,
        training: LiveTraining,
    ) -> None:
        self._connections = connections
        self._deploys = deploys
        self._datasets = datasets
        self._training = training
        self._environment: PracticeEnvironment | None = None
        self._run: str | None = None

    def start(self, emit: Emit, cancel: Cancel) -> None:
        """Start the server, make a dataset, deploy, push and train; emit each step."""
        check_installed()
        _emit_notice(emit, "tui.servers.trying")
        environment = PracticeEnvironment(self._connections.app_paths.data_folder / "practice")
        environment.__enter__()
        self._environment = environment
        _emit_notice(emit, "tui.demo.server_up", line=environment.ssh_line)
        environment.write_project()
        dataset = environment.make_dataset()
        _emit_notice(emit, "tui.demo.dataset", clips=dataset.clips, seconds=round(dataset.seconds))
        environment.add_server()
        self._connections.switch_project(environment.project, environment.app_paths)
        emit(ev.ServersLoaded(self._connections.saved_servers()))
        emit(ev.ServerChosen(PRACTICE_SERVER))
        folder = environment.folder / "dataset"
        self._datasets.check(folder, None, emit, cancel)
        self._deploys.apply(PRACTICE_SERVER, emit, cancel)
        self._datasets.push(PRACTICE_SERVER, folder, emit, cancel)
        draft = TrainDraft(PRACTICE_SERVER, PRACTICE_VOICE, PRACTICE_PRESET, PRACTICE_PARAMS)
        self._run = self._training.start(draft, emit, cancel)
        emit(ev.RunChosen(PRACTICE_SERVER, self._run))
        _emit_notice(emit, "tui.demo.started", run=self._run)

    def close(self) -> None:
        """End the run and the server: nothing of it stays running on this computer."""
        if self._environment is None:
            return
        try:
            if self._run is not None:
                session = self._connections.session(PRACTICE_SERVER)
                session.stop(self._run, STOP_GRACE_S)
        finally:
            self._environment.__exit__()


def _emit_notice(emit: Emit, key: str, **facts: object) -> None:
    emit(ev.NoticeRaised("note", text(key, **facts), now_ms(), hint(key, **facts)))
