"""All services in one value: what the dashboard is started with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sovdeck.engine.contract.catalogue import Language
from sovdeck.tui.services.protocols import (
    Auditions,
    Books,
    Datasets,
    Deploys,
    Disks,
    Player,
    Practice,
    Recordings,
    Rentals,
    Servers,
    SoundStream,
    Speech,
    Training,
    Voices,
)
from sovdeck.tui.state.models import RunEnd, TrainDraft

# Sends the notifications that a run has ended; Problem when one could not be sent.
NotifyRunEnded = Callable[[RunEnd, Language], None]


@dataclass(frozen=True)
class Services:
    """The whole outside world as the dashboard sees it; `now` gives Unix milliseconds.

    Without `practice` nothing can be tried here; without `open_sound` a take is heard once it is
    whole. `default_draft` is what deploy.toml asks of a run: the form of the Train screen begins
    with it.
    """

    servers: Servers
    deploys: Deploys
    datasets: Datasets
    training: Training
    voices: Voices
    now: Callable[[], int]
    player: Player
    speech: Speech
    auditions: Auditions
    recordings: Recordings
    rentals: Rentals
    disks: Disks
    books: Books
    practice: Practice | None = None
    notify_run_ended: NotifyRunEnded | None = None
    default_draft: TrainDraft | None = None
    open_sound: Callable[[], SoundStream] | None = None
