"""Try it here: the demo's server, voice and training, shown in the dashboard that is open."""

from __future__ import annotations

from engine.contract.catalogue import text
from remote import job
from tui.demo.scene import PARAMS, SERVER, VOICE, Scene, check_installed
from tui.services.live_datasets import LiveDatasets
from tui.services.live_deploys import LiveDeploys
from tui.services.live_training import LiveTraining
from tui.services.protocols import Cancel, Emit
from tui.services.studios import Studios, now_ms
from tui.state import events as ev
from tui.state.work import TrainDraft

GRACE_S = 3.0  # a practice run has nothing to save


class LivePractice:
    """Everything lies below one folder of ours; the servers of the person stay as they are."""

    def __init__(
        self, studios: Studios, deploys: LiveDeploys, datasets: LiveDatasets, training: LiveTraining
    ) -> None:
        self._studios = studios
        self._deploys = deploys
        self._datasets = datasets
        self._training = training
        self._scene: Scene | None = None
        self._run: str | None = None

    def start(self, emit: Emit, cancel: Cancel) -> None:
        check_installed()
        scene = Scene(self._studios.places.data / "practice")
        scene.__enter__()
        self._scene = scene
        _tell(emit, "tui.demo.server_up", line=scene.ssh_line)
        scene.write_project()
        made = scene.make_dataset()
        _tell(emit, "tui.demo.dataset", clips=made.clips, seconds=round(made.seconds))
        scene.add_server()
        self._studios.move(scene.project, scene.places)
        emit(ev.ServersLoaded(self._studios.saved()))
        emit(ev.ServerChosen(SERVER))
        folder = scene.folder / "dataset"
        self._datasets.check(folder, emit, cancel)
        self._deploys.apply(SERVER, emit, cancel)
        self._datasets.push(SERVER, folder, emit, cancel)
        draft = TrainDraft(SERVER, VOICE, "tiny", PARAMS)
        self._run = self._training.start(draft, emit, cancel)
        emit(ev.RunChosen(SERVER, self._run))
        _tell(emit, "tui.demo.started", run=self._run)

    def close(self) -> None:
        """End the run and the server: nothing of a trial stays at work on this computer."""
        if self._scene is None:
            return
        try:
            if self._run is not None:
                studio = self._studios.get(SERVER)
                job.stop(studio.link(), studio.run(self._run), GRACE_S)
        finally:
            self._scene.__exit__()


def _tell(emit: Emit, key: str, **facts: object) -> None:
    emit(ev.NoticeRaised("note", text(key, **facts), now_ms()))
