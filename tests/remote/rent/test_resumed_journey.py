"""A journey that was left goes on from where it was: once, to the same end, not on nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.jobs.state import JobState
from sovdeck.remote.rent import journey as journey_module
from sovdeck.remote.rent.journey import (
    JourneyLeft,
    RentalJourney,
    StepFailed,
    TrainingProgress,
    TrainingTodo,
    find_training,
)
from sovdeck.remote.rent.leases import Lease, LeaseBook, new_lease
from sovdeck.remote.rent.provider import (
    EndAction,
    Instance,
    InstanceAddress,
    Provider,
    Requirements,
    Station,
)
from sovdeck.remote.rent.rental import Clock
from sovdeck.remote.rent.rented_voice import RentedVoice
from sovdeck.tui.cli.demo.simulated_cloud import SimulatedCloud

ANNA = RentedVoice("Anna", Path("anna.list").absolute(), None, "v2", {})
ON_THE_SERVER = ["deploy", "weights", "push", "autostop"]
ProviderOver = Callable[[str, SimulatedCloud], Provider]


class RecordingSteps:
    """Notes what was done; is left at a station, or fails at one."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.leave_at = self.fail_at = ""
        self.problems: list[str] = []
        self.is_home = True
        self.lines_lost = 0

    def enter(self, station: Station, lease: Lease) -> None:
        if station == self.leave_at:
            self.leave_at = ""
            raise JourneyLeft

    def report_waiting(self, lease: Lease, instance: Instance | None, seconds: float) -> None:
        pass

    def new_server_prompts(self, address: InstanceAddress) -> Any:
        return None

    def server_ready(self, lease: Lease, address: InstanceAddress) -> None:
        pass

    def deploy(self, server: str) -> None:
        self._note("deploy")

    def fetch_weights(self, server: str) -> None:
        self._note("weights")

    def push(self, server: str) -> None:
        self._note("push")

    def arm_autostop(self, server: str, minutes: int) -> None:
        assert minutes >= 60
        self._note("autostop")

    def train(self, server: str, *, pull_each_save: bool) -> None:
        self._note("train")

    def resume_training(self, server: str, *, pull_each_save: bool) -> None:
        self._note("resume_training")

    def bring_home(self, server: str) -> bool:
        self._note("home")
        if self.lines_lost:
            self.lines_lost -= 1
            raise Problem("remote.config.no_runs", ExitCode.UNREACHABLE, name=server)
        return self.is_home

    def report_problem(self, problem: Problem) -> None:
        self.problems.append(problem.key)

    def left_running(self, lease: Lease) -> None:
        self.done.append("left running")

    def ended(self, lease: Lease) -> None:
        self.done.append("stopped" if lease.is_open else "destroyed")

    def _note(self, step: str) -> None:
        if step == self.fail_at:
            raise StepFailed(int(ExitCode.DATA))
        self.done.append(step)


class Laptop:
    """One laptop, one provider over its cloud, and journeys over one book."""

    def __init__(self, provider: Provider, cloud: SimulatedCloud, folder: Path) -> None:
        self.provider, self.cloud = provider, cloud
        self.app_paths = AppPaths.below(folder / "home")
        self.book = LeaseBook(self.app_paths.leases_file)
        self.steps = RecordingSteps()
        self.clock = Clock(lambda: cloud.now, cloud.sleep)

    def journey(self, lease: Lease) -> RentalJourney:
        return RentalJourney(
            self.provider, self.book, lease, self.steps, self.clock, self.app_paths, None
        )

    def rent(self, end: EndAction = "destroy") -> int:
        offer = self.provider.list_offers(Requirements())[0]
        lease = new_lease(offer, ANNA, self.clock.now(), 12, end)
        return self.journey(lease).run(offer, 40)

    def leave_at(self, station: Station, end: EndAction = "destroy") -> Lease:
        """Rent, and leave the journey at a station; its lease then."""
        self.steps.leave_at = station
        with pytest.raises(JourneyLeft):
            self.rent(end)
        self.steps.done.clear()
        (lease,) = self.book.read()
        return lease

    def resume(self) -> int:
        (lease,) = self.book.read()
        return self.journey(lease).resume()


@pytest.fixture
def laptop(
    provider_over: ProviderOver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Laptop]:
    def add(lease: Lease, address: InstanceAddress, book: LeaseBook, *others: object) -> Lease:
        return book.change(lease.name, server="rented-Anna")

    monkeypatch.setattr(journey_module, "add_rented_server", add)

    def make(name: str = "runpod") -> Laptop:
        cloud = SimulatedCloud(start_s=60.0)
        return Laptop(provider_over(name, cloud), cloud, tmp_path)

    return make


@pytest.mark.parametrize(
    ("station", "then"),
    [
        ("start", [*ON_THE_SERVER, "resume_training", "home", "destroyed"]),
        ("deploy", [*ON_THE_SERVER, "resume_training", "home", "destroyed"]),
        ("push", [*ON_THE_SERVER, "resume_training", "home", "destroyed"]),
        ("autostop", [*ON_THE_SERVER, "resume_training", "home", "destroyed"]),
        ("train", ["autostop", "resume_training", "home", "destroyed"]),
        ("home", ["autostop", "resume_training", "home", "destroyed"]),
        ("end", ["destroyed"]),
    ],
)
def test_it_goes_on_from_any_station(
    laptop: Callable[..., Laptop], station: Station, then: list[str]
) -> None:
    here = laptop()
    lease = here.leave_at(station)
    assert lease.station == station and lease.is_open and len(here.cloud.billing()) == 1
    assert here.resume() == 0
    assert here.steps.done == then
    assert len(here.cloud.creations) == len(here.cloud.destroyed) == 1
    assert not here.book.read()[0].is_open


def test_a_stopped_server_is_started_again_and_ends_as_agreed(
    laptop: Callable[..., Laptop],
) -> None:
    here = laptop("vast")
    lease = here.leave_at("train", end="stop")
    here.cloud.set_wanted(here.cloud.instances[lease.instance], "stopped")
    here.cloud.sleep(600)
    here.book.note_stopped(lease.name, True, here.clock.now())
    assert here.cloud.billing() == []
    assert here.resume() == 0
    assert here.steps.done == ["autostop", "resume_training", "home", "stopped"]
    assert here.cloud.billing() == [] and here.cloud.destroyed == []


def test_what_fails_before_any_training_ends_the_server(laptop: Callable[..., Laptop]) -> None:
    here = laptop()
    here.leave_at("deploy")
    here.steps.fail_at = "push"
    assert here.resume() == int(ExitCode.DATA)
    assert here.steps.done == ["deploy", "weights", "destroyed"] and here.cloud.billing() == []


def test_what_fails_later_leaves_the_server(laptop: Callable[..., Laptop]) -> None:
    here = laptop()
    here.leave_at("train")
    here.steps.is_home = False
    assert here.resume() == int(ExitCode.UNREACHABLE)
    assert here.steps.done[-1] == "left running" and len(here.cloud.billing()) == 1
    here.steps.is_home = True
    assert here.resume() == 0 and here.cloud.billing() == []


@pytest.mark.parametrize(("lost", "home"), [(1, True), (4, True), (5, False)])
def test_a_line_that_drops_is_tried_again(
    laptop: Callable[..., Laptop], lost: int, home: bool
) -> None:
    here = laptop()
    here.leave_at("home")
    here.steps.lines_lost = lost
    assert (here.resume() == 0) is home
    assert here.steps.done.count("home") == min(lost + 1, 5)
    assert here.steps.problems == ([] if home else ["remote.config.no_runs"])
    assert bool(here.cloud.billing()) is not home


def test_an_end_after_a_failure_is_carried_out(laptop: Callable[..., Laptop]) -> None:
    here = laptop()
    here.steps.fail_at = "deploy"
    here.leave_at("end")
    assert len(here.cloud.billing()) == 1
    assert here.resume() == 0 and here.steps.done == ["destroyed"]


def test_one_that_is_gone_is_said_once_and_ended(laptop: Callable[..., Laptop]) -> None:
    here = laptop()
    lease = here.leave_at("train")
    here.provider.destroy(lease.instance)
    here.cloud.sleep(60)
    with pytest.raises(Problem, match="has ended"):
        here.resume()
    assert not here.book.read()[0].is_open
    with pytest.raises(Problem, match="has ended"):
        here.resume()


def test_one_process_goes_on_with_it(laptop: Callable[..., Laptop]) -> None:
    here = laptop()
    lease = here.leave_at("train")
    with here.book.following(lease.name), pytest.raises(Problem, match="followed by another"):
        here.resume()
    assert here.resume() == 0


def test_one_of_another_computer_is_ended_there_or_by_hand(laptop: Callable[..., Laptop]) -> None:
    here = laptop()
    lease = here.leave_at("train")
    here.book.change(lease.name, rented=None)
    with pytest.raises(Problem, match="does not know what"):
        here.resume()
    assert len(here.cloud.billing()) == 1


@pytest.mark.parametrize(
    ("state", "todo"),
    [
        ("starting", "follow"),
        ("running", "follow"),
        ("stale", "follow"),
        ("unknown", "follow"),  # nobody knows that it ended
        ("lost", "continue"),
        ("killed", "continue"),
        ("preempted", "continue"),
        ("succeeded", "done"),
        ("failed", "done"),
        ("stopped", "done"),
        ("no_op", "done"),
    ],
)
def test_a_run_is_followed_continued_or_left_by_its_state(
    monkeypatch: pytest.MonkeyPatch, state: str, todo: TrainingTodo
) -> None:
    monkeypatch.setattr(journey_module, "newest_run", lambda *given: ("r1", "Anna"))
    found = JobState("r1", state, Text("", ""))
    monkeypatch.setattr(journey_module.job_client, "fetch_state", lambda *given: found)
    assert find_training(mock.Mock(), "Anna") == TrainingProgress("r1", todo)
    monkeypatch.setattr(journey_module, "newest_run", lambda *given: None)
    assert find_training(mock.Mock(), "Anna") == TrainingProgress("", "start")
