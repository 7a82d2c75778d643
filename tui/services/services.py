"""All services in one value: what the dashboard is started with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.contract.catalogue import Language
from tui.services.protocols import (
    Datasets,
    Deploys,
    Player,
    Practice,
    Servers,
    Training,
    Voices,
)
from tui.services.speech import Auditions, Speech
from tui.state.work import RunEnd, TrainDraft

# Tells people elsewhere that a run ended; Problem when some of them were not reached.
Spread = Callable[[RunEnd, Language], None]


@dataclass(frozen=True)
class Services:
    """The whole outside world as the dashboard sees it; `now` gives Unix milliseconds.

    Without `practice` there is no way to try it here. `draft` is what deploy.toml asks of a
    run: the form of the Train room begins with it.
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
    practice: Practice | None = None
    spread: Spread | None = None
    draft: TrainDraft | None = None
