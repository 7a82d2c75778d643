"""The dashboard over real servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from engine.contract.catalogue import Language
from remote.config.places import Places
from remote.keychain import SystemKeychain
from tui.herald import Herald
from tui.playback import ChildPlayer
from tui.services.live_auditions import LiveAuditions
from tui.services.live_datasets import LiveDatasets
from tui.services.live_deploys import LiveDeploys
from tui.services.live_practice import LivePractice
from tui.services.live_servers import LiveServers
from tui.services.live_speech import LiveSpeech
from tui.services.live_training import LiveTraining
from tui.services.live_voices import LiveVoices
from tui.services.services import Services
from tui.services.studios import Studios, now_ms
from tui.state.work import RunEnd, TrainDraft


@contextmanager
def live_services(project: Path | None, places: Places) -> Iterator[Services]:
    """Services over the servers of deploy.toml and the address book; ends all links at exit."""
    studios = Studios(project, places)
    deploys, datasets = LiveDeploys(studios), LiveDatasets(studios)
    voices = LiveVoices(studios)
    training = LiveTraining(studios, datasets, voices)
    practice = LivePractice(studios, deploys, datasets, training)
    player, asked = ChildPlayer(), studios.config().train
    speech = LiveSpeech(studios)
    try:
        yield Services(
            LiveServers(studios), deploys, datasets, training, voices, now_ms, player,
            speech, LiveAuditions(studios), practice, partial(spread, studios),
            TrainDraft("", asked.voice, asked.preset, dict(asked.params)),
        )  # fmt: skip
    finally:
        player.stop()
        speech.close()
        try:
            practice.close()
        finally:
            studios.close()


def spread(studios: Studios, end: RunEnd, language: Language) -> None:
    """Follow [notify] of deploy.toml as it is now; Problem for the first way that failed."""
    problems = Herald(studios.config().notify, SystemKeychain(), language).tell(end)
    if problems:
        raise problems[0]


def open_dashboard(
    project: Path | None,
    language: Language,
    *,
    places: Places | None = None,
    start: str = "",
) -> int:
    """Run the dashboard until it is left; a broken deploy.toml is said before it opens.

    start: the first room; empty is the last one seen, and the servers where none is saved.
    """
    from tui.app import SovdeckApp
    from tui.keymap import check_keymap
    from tui.settings import load

    found = places or Places.find()
    servers = Studios(project, found).config().servers.values()
    any_server = any(not server.embedded for server in servers)
    path = found.config / "settings.toml"
    with live_services(project, found) as services:
        settings = load(path)
        check_keymap(path, settings.keys)
        first = start or (settings.screen if any_server else "servers")
        app = SovdeckApp(services, settings=settings, settings_path=path, start=first)
        app.run()
    return app.return_code or 0
