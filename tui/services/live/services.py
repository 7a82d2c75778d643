"""The dashboard over real servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sovdeck.engine.contract.catalogue import Language
from sovdeck.remote.auth.keyring_store import SystemKeyring
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.speech.speech_session import SAMPLE_RATE
from sovdeck.tui.audio.player import ChildPlayer
from sovdeck.tui.audio.recorder import ChildRecorder
from sovdeck.tui.audio.stream_player import StreamPlayer
from sovdeck.tui.notify.run_notifier import RunNotifier
from sovdeck.tui.services.connections import ConnectionRegistry, now_ms
from sovdeck.tui.services.live.auditions import LiveAuditions
from sovdeck.tui.services.live.books import LiveBooks
from sovdeck.tui.services.live.datasets import LiveDatasets
from sovdeck.tui.services.live.deploys import LiveDeploys
from sovdeck.tui.services.live.disks import LiveDisks
from sovdeck.tui.services.live.practice import LivePractice
from sovdeck.tui.services.live.recordings import LiveRecordings
from sovdeck.tui.services.live.rentals import LiveRentals
from sovdeck.tui.services.live.servers import LiveServers
from sovdeck.tui.services.live.speech import LiveSpeech
from sovdeck.tui.services.live.training import LiveTraining
from sovdeck.tui.services.live.voices import LiveVoices
from sovdeck.tui.services.services import Services
from sovdeck.tui.state.models import RunEnd, TrainDraft


@contextmanager
def live_services(project: Path | None, app_paths: AppPaths) -> Iterator[Services]:
    """Services over the servers of deploy.toml and the saved list; closes them at exit."""
    connections = ConnectionRegistry(project, app_paths)
    deploys, datasets = LiveDeploys(connections), LiveDatasets(connections)
    voices = LiveVoices(connections)
    training = LiveTraining(connections, datasets, voices)
    practice = LivePractice(connections, deploys, datasets, training)
    player, train_config = ChildPlayer(), connections.config().train
    speech, recorder = LiveSpeech(connections), ChildRecorder()
    try:
        yield Services(
            LiveServers(connections),
            deploys,
            datasets,
            training,
            voices,
            now_ms,
            player,
            speech,
            LiveAuditions(connections),
            LiveRecordings(app_paths.data_folder / "references", recorder),
            LiveRentals(connections, deploys, datasets, training),
            LiveDisks(connections),
            LiveBooks(connections),
            practice,
            partial(notify_run_ended, connections),
            TrainDraft("", train_config.voice, train_config.preset, dict(train_config.params)),
            partial(StreamPlayer, SAMPLE_RATE),
        )
    finally:
        player.stop()
        recorder.stop()
        speech.close()
        try:
            practice.close()
        finally:
            connections.close()


def notify_run_ended(connections: ConnectionRegistry, end: RunEnd, language: Language) -> None:
    """Send the notifications of [notify] as deploy.toml is now; Problem for the first failure."""
    problems = RunNotifier(connections.config().notify, SystemKeyring(), language).notify(end)
    if problems:
        raise problems[0]
