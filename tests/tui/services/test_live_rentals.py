"""The dashboard's renting over simulated providers: what is told is what the cloud holds."""

from __future__ import annotations

import json
import math
import threading
import wave
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.rent.accounts import SIMULATED_KEY, SIMULATORS_VARIABLE
from sovdeck.remote.rent.journey import TrainingProgress
from sovdeck.remote.rent.leases import Lease, LeaseBook, new_lease
from sovdeck.remote.rent.provider import Offer
from sovdeck.remote.rent.rented_voice import RentedVoice
from sovdeck.remote.secret import Secret
from sovdeck.tui.cli.demo.cloud_server import serve_cloud
from sovdeck.tui.cli.demo.simulated_cloud import SimulatedCloud
from sovdeck.tui.services.connections import ConnectionRegistry
from sovdeck.tui.services.live import rent_steps
from sovdeck.tui.services.live.datasets import LiveDatasets
from sovdeck.tui.services.live.deploys import LiveDeploys
from sovdeck.tui.services.live.rentals import LiveRentals
from sovdeck.tui.services.live.training import LiveTraining
from sovdeck.tui.services.live.voices import LiveVoices
from sovdeck.tui.state import events as ev

ANNA = RentedVoice("Anna", Path("anna.list").absolute(), None, "v2", {})
T = TypeVar("T")


class Ring:
    """A keyring in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Secret] = {}

    def get_password(self, account: str) -> Secret | None:
        return self.kept.get(account)

    def set_password(self, account: str, secret: Secret) -> None:
        self.kept[account] = secret

    def delete_password(self, account: str) -> bool:
        return self.kept.pop(account, None) is not None


class Nobody:
    """No person is there."""

    def confirm_host_key(self, prompt: object) -> bool:
        return False

    def ask_secret(self, prompt: object) -> str | None:
        return None

    def accept_offer(self, prompt: object) -> bool:
        return False


class World:
    """Live rentals over one simulated provider, and what they told."""

    def __init__(self, folder: Path, cloud: SimulatedCloud) -> None:
        (folder / "deploy.toml").write_text('version = 1\n[train]\npreset = "v2"\n')
        self.folder, self.cloud, self.ring = folder, cloud, Ring()
        self.cancel = threading.Event()
        self.app_paths = AppPaths.below(folder / "home")
        self.told: list[Any] = []
        connections = ConnectionRegistry(folder / "deploy.toml", self.app_paths)
        deploys, datasets = LiveDeploys(connections), LiveDatasets(connections)
        training = LiveTraining(connections, datasets, LiveVoices(connections))
        self.rentals = LiveRentals(connections, deploys, datasets, training, lambda: self.ring)

    @property
    def book(self) -> LeaseBook:
        return LeaseBook(self.app_paths.leases_file)

    def last(self, kind: type[T]) -> T:
        return [event for event in self.told if isinstance(event, kind)][-1]

    def list_offers(self, voice: str = "", folder: str = "") -> ev.OffersView:
        self.rentals.list_offers(voice, folder, self.told.append, self.cancel)
        return self.last(ev.OffersSeen).view

    def list_leases(self) -> tuple[ev.LeaseRow, ...]:
        self.rentals.list_leases(self.told.append, self.cancel)
        return self.last(ev.LeasesSeen).leases

    def end(self, name: str, action: Any, *, confirmed: bool = False) -> None:
        self.rentals.end(name, action, self.told.append, self.cancel, confirmed=confirmed)

    def lease(self, *, hours: float = 12, home: bool = False) -> Lease:
        """A lease as the journey writes it, with its server in the cloud."""
        offer = Offer("vast", "RTX 4090", 24, 0.38, "USD")
        lease = new_lease(offer, ANNA, self.cloud.now, hours, "stop")
        self.book.add(lease)
        instance = self.cloud.create(lease.name, 0.38)
        instance.listed_at = self.cloud.now
        changes = {"home_at": self.cloud.now} if home else {}
        return self.book.change(lease.name, instance=instance.id, server="vast-Anna", **changes)


@pytest.fixture
def cloud() -> SimulatedCloud:
    return SimulatedCloud(start_s=0.0)


@pytest.fixture
def world(
    tmp_path: Path, cloud: SimulatedCloud, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setenv("SOVDECK_HOME", str(tmp_path / "home"))
    with serve_cloud("vast", cloud) as base:
        monkeypatch.setenv(SIMULATORS_VARIABLE, f"vast={base}")
        yield World(tmp_path, cloud)


@pytest.fixture
def record(tmp_path: Path) -> Callable[[str], Path]:
    """Make a folder with a list of two clips of three seconds; return it."""
    tone = array("h", (int(9000 * math.sin(n / 9)) for n in range(3 * 32000)))

    def make(voice: str) -> Path:
        folder = tmp_path / f"{voice}-recordings"
        folder.mkdir()
        for name in ("one.wav", "two.wav"):
            with wave.open(str(folder / name), "wb") as wav:
                wav.setnchannels(1)
                wav.setsampwidth(2)
                wav.setframerate(32000)
                wav.writeframes(tone.tobytes())
        lines = "".join(f"{name}.wav|a|en|Hello.\n" for name in ("one", "two"))
        (folder / f"{voice}.list").write_text(lines)
        return folder

    return make


def test_offers_are_for_the_voices_whose_recordings_are_known(
    world: World, record: Callable[[str], Path]
) -> None:
    nothing = world.list_offers()
    assert nothing.why is not None and "No voice is known" in nothing.why.text.en
    anna, mika = record("Anna"), record("Mika")
    (world.folder / "deploy.toml").write_text(
        'version = 1\n[train]\nvoice = "Anna"\npreset = "v2"\n'
        f"[dataset]\nlist = {json.dumps((anna / 'Anna.list').as_posix())}\n"
        f"wavs = {json.dumps(anna.as_posix())}\n"
    )
    view = world.list_offers(folder=str(mika))
    assert (view.voice, view.voices) == ("Anna", ("Anna", "Mika")) and view.simulated
    assert [one.gpu for one in view.offers] == ["RTX 3090", "RTX 4090"] and not view.why
    assert all(0 < (one.least or 0) < (one.most or 0) for one in view.offers) and view.at > 0
    assert world.list_offers("Mika", str(mika)).voice == "Mika"
    assert world.list_offers("Mika").voice == "Anna"  # whose folder is not known any more


def test_without_a_key_it_says_so(
    world: World, record: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SIMULATORS_VARIABLE)
    for name in ("RUNPOD_API_KEY", "VAST_API_KEY", "LAMBDA_API_KEY", "AUTODL_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    view = world.list_offers(folder=str(record("Anna")))
    assert view.needs_key and not view.offers and not view.simulated
    assert world.list_leases() == ()


def test_a_key_is_kept_once_the_provider_took_it(world: World) -> None:
    world.rentals.keep_key("vast", "planted-wrong", world.told.append)
    answer = world.last(ev.ProviderKeyAnswered).answer
    assert answer.why is not None and "planted" not in repr(world.told) and not world.ring.kept
    world.rentals.keep_key("vast", f" {SIMULATED_KEY} ", world.told.append)
    assert world.last(ev.ProviderKeyAnswered).answer.why is None
    assert list(world.ring.kept) == ["rent:vast"]


def test_a_server_is_stopped_and_destroyed_by_its_name(world: World) -> None:
    lease = world.lease()
    (row,) = world.list_leases()
    assert (row.shown_name, row.state, row.is_home, row.unasked) == (
        *("vast-Anna", "running", False),
        False,
    )
    world.end(lease.name, "stop")
    assert world.cloud.billing() == [] and world.last(ev.LeasesSeen).leases[0].state == "stopped"
    with pytest.raises(Problem, match="not everything of the voice Anna"):
        world.end(lease.name, "destroy")
    assert world.cloud.destroyed == []
    world.end(lease.name, "destroy", confirmed=True)
    assert world.cloud.destroyed == [lease.name] and world.last(ev.LeasesSeen).leases == ()
    assert "vast-Anna is gone; vast confirmed it" in world.last(ev.NoticeRaised).text.en


def test_what_is_home_needs_no_name(world: World) -> None:
    lease = world.lease(home=True)
    world.end(lease.name, "destroy")
    assert world.cloud.destroyed == [lease.name]


def test_a_server_of_another_computer_is_found_and_ended(world: World) -> None:
    world.cloud.virtual_now = 1_000_000.0  # long ago: its time is over
    lease = world.lease(hours=1)
    world.app_paths.leases_file.unlink()
    (row,) = world.list_leases()
    assert row.name == lease.name and row.unasked and row.voice == "-"
    world.end(lease.name, "stop")
    assert world.cloud.billing() == []


def test_a_server_that_never_runs_is_ended_and_said(
    tmp_path: Path, record: Callable[[str], Path], world: World, cloud: SimulatedCloud
) -> None:
    cloud.death_rate = 1.0
    offer = world.list_offers(folder=str(record("Anna"))).offers[0]
    world.rentals.rent(offer.id, "stop", Nobody(), world.told.append, world.cancel)
    view = world.last(ev.JourneyChanged).view
    assert view.ended == "failed" and view.station == "end" and view.remark is not None
    assert "did not start" in view.remark.text.en
    assert len(cloud.creations) == len(cloud.destroyed) == 1 and cloud.billing() == []
    assert world.last(ev.LeasesSeen).leases == ()


def test_an_offer_that_somebody_else_took_costs_nothing(
    record: Callable[[str], Path], world: World, cloud: SimulatedCloud
) -> None:
    cloud.gone_offers = True
    offer = world.list_offers(folder=str(record("Anna"))).offers[0]
    with pytest.raises(Problem, match="refused"):
        world.rentals.rent(offer.id, "stop", Nobody(), world.told.append, world.cancel)
    view = world.last(ev.JourneyChanged).view
    assert view.ended == "failed" and view.station == "create"
    assert [one.is_open for one in world.book.read()] == [False] and cloud.creations == []


def test_a_journey_that_nobody_follows_leaves_its_server(
    record: Callable[[str], Path], world: World, cloud: SimulatedCloud
) -> None:
    cloud.start_s = 1e9
    offer = world.list_offers(folder=str(record("Anna"))).offers[0]

    def tell(event: object) -> None:
        world.told.append(event)
        if isinstance(event, ev.JourneyChanged) and event.view.station == "start":
            world.cancel.set()

    world.rentals.rent(offer.id, "stop", Nobody(), tell, world.cancel)
    assert len(cloud.billing()) == 1 and cloud.destroyed == []
    assert [one.is_open for one in world.book.read()] == [True]


def test_an_offer_of_an_earlier_listing_is_not_rented(world: World) -> None:
    with pytest.raises(Problem, match="earlier question"):
        world.rentals.rent("1", "stop", Nobody(), world.told.append, world.cancel)
    assert world.cloud.creations == []


@pytest.mark.parametrize(
    ("todo", "done"),
    [
        ("start", ("train", "")),
        ("continue", ("train", "r1")),
        ("follow", ("follow", "r1")),
        ("done", ("follow", "r1")),
    ],
)
def test_only_what_broke_off_is_trained_again(
    world: World, monkeypatch: pytest.MonkeyPatch, todo: Any, done: tuple[str, str]
) -> None:
    """A run that ended, failed or was stopped is brought home as it is."""
    training = TrainingProgress("" if todo == "start" else "r1", todo)
    monkeypatch.setattr(rent_steps, "find_training", lambda *given: training)
    told: list[tuple[str, str]] = []
    steps = rent_steps.DashboardSteps(
        *(mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock(), ANNA, world.lease(), True),
        *(mock.Mock(), world.told.append, world.cancel),
    )
    for name in ("train", "follow"):
        monkeypatch.setattr(
            steps, f"_{name}", lambda server, run, pull, name=name: told.append((name, run))
        )
    steps.resume_training("vast-Anna", pull_each_save=False)
    assert told == [done]
