"""The dashboard's services over a real server: what they tell is what the server holds."""

from __future__ import annotations

import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from servers import Place
from trip_ground import VOICE, Recorded, laptop

from engine.contract.problem import Problem
from tui.services.live import live_services
from tui.services.protocols import HostKeyQuestion, SecretQuestion, ServerDraft
from tui.services.services import Services
from tui.state import events as ev
from tui.state.work import TrainDraft

T = TypeVar("T")


class Person:
    """Answers the host-key question as told, and remembers what was asked."""

    def __init__(self, trusts: bool) -> None:
        self.trusts = trusts
        self.seen: list[str] = []

    def host_key(self, question: HostKeyQuestion) -> bool:
        self.seen.append(question.fingerprint)
        return self.trusts

    def secret(self, question: SecretQuestion) -> str | None:
        self.seen.append(question.prompt)
        return None


class Told:
    """Collects what services emit, from any thread."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def __call__(self, event: Any) -> None:
        self.events.append(event)

    def all(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    def wait(self, ready: Callable[[], bool], limit: float = 60.0) -> None:
        deadline = time.monotonic() + limit
        while not ready():
            assert time.monotonic() < deadline, self.events[-5:]
            time.sleep(0.05)


@pytest.fixture(scope="module")
def desk(
    embedded: Place, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Services, Path]]:
    """Live services with the embedded server added as `box`; and its work folder."""
    folder = tmp_path_factory.mktemp("desk")
    places, project = laptop(folder / "laptop", folder / "work")
    with live_services(project, places) as services:
        told, person = Told(), Person(trusts=True)
        draft = ServerDraft(embedded.spec.format(), "box", 1.98, "CNY")
        services.servers.add(draft, person, told, threading.Event())
        assert person.seen[0] == embedded.fingerprint
        saved = told.all(ev.ServersLoaded)[-1].servers
        assert [(one.name, one.price_per_hour) for one in saved] == [("box", 1.98)]
        yield services, folder / "work"


def test_a_line_is_read_back_before_anything_is_dialled(desk: tuple[Services, Path]) -> None:
    read = desk[0].servers.parse("ssh -p 41022 -J gate.example root@[2001:db8::7]")
    assert (read.user, read.host, read.port) == ("root", "2001:db8::7", 41022)
    assert read.jump == ("gate.example",) and read.name == "server"
    with pytest.raises(Problem):
        desk[0].servers.parse("ssh -p nowhere root@host")


@pytest.mark.sshd
def test_a_no_to_the_host_key_saves_nothing(desk: tuple[Services, Path], sshd_v4: Place) -> None:
    told, person = Told(), Person(trusts=False)
    draft = ServerDraft(sshd_v4.spec.format(), "stranger")
    with pytest.raises(Problem) as refused:
        desk[0].servers.add(draft, person, told, threading.Event())
    assert refused.value.key == "remote.host.key_declined" and person.seen
    desk[0].servers.load(told)
    assert [one.name for one in told.all(ev.ServersLoaded)[-1].servers] == ["box"]


def test_deploy_then_watch_then_voices(desk: tuple[Services, Path], recorded: Recorded) -> None:
    services, work = desk
    told, cancel = Told(), threading.Event()
    services.deploys.plan("box", told, cancel)
    assert {step.id for step in told.all(ev.DeployPlanned)[-1].steps} >= {"code", "check"}
    services.deploys.apply("box", told, cancel)
    last = {event.step.id: event.step.state for event in told.all(ev.DeployStepChanged)}
    assert last["code"] == "done" and last["check"] == "done"
    assert told.all(ev.FactsSeen)[-1].facts.deployed

    asked = work / "autostop" / "asked"  # what an autostop watch there goes by
    asked.parent.mkdir()
    watcher = threading.Thread(
        target=services.servers.watch, args=("box", Person(False), told, cancel), daemon=True
    )
    watcher.start()
    # The very first sample may come before the machine's own figures.
    told.wait(lambda: any(event.sample.ram_total for event in told.all(ev.TelemetrySeen)))
    assert told.all(ev.LinkChanged)[0].link == "up"  # the deploy's own link is used again
    sample = told.all(ev.TelemetrySeen)[-1].sample
    assert sample.source in ("proc", "cgroup", "nvidia-smi") and sample.ram_total
    told.wait(asked.exists)
    asked.unlink()
    services.voices.refresh("box", Told(), cancel)
    told.wait(asked.exists)
    cancel.set()
    watcher.join(10)
    assert not watcher.is_alive(), "a cancelled watch ends"
    _check_and_push(services, recorded)
    _pull_a_voice(services, work)


def _check_and_push(services: Services, recorded: Recorded) -> None:
    told, cancel = Told(), threading.Event()
    services.datasets.check(recorded.list_file.parent, told, cancel)
    report = told.all(ev.DatasetChecked)[-1].report
    assert report.worth.clips == 10 and report.voice == VOICE
    assert [one[1:3] for one in report.worth.spoken] == [("ja", 10)]
    services.datasets.push("box", recorded.list_file.parent, told, cancel)
    row = told.all(ev.TransferChanged)[-1].transfer
    assert row.state == "done" and row.verified
    services.training.plan(TrainDraft("box", VOICE, "tiny", {"gpt.epochs": 4}), told, cancel)
    plan = told.all(ev.PlanMade)[-1].plan
    assert plan.clips == 10 and plan.currency == "CNY" and plan.cost is not None
    assert all(stage.updates_per_epoch >= 4 for stage in plan.stages)


def _pull_a_voice(services: Services, work: Path) -> None:
    (work / "packs").mkdir(exist_ok=True)
    weights = work / "GPT_weights" / "Ready"
    weights.mkdir(parents=True)
    (weights / "Ready-e3.ckpt").write_bytes(b"x" * 1000)
    with zipfile.ZipFile(work / "packs" / "Ready.zip", "w") as archive:
        archive.writestr("GPT_weights/Ready/Ready-e3.ckpt", b"x" * 1000)
    told, cancel = Told(), threading.Event()
    services.voices.refresh("box", told, cancel)
    voice = {one.name: one for one in told.all(ev.VoicesSeen)[-1].voices}["Ready"]
    assert voice.checkpoints[0].epoch == 3 and not voice.safe and voice.pack_bytes
    services.voices.pull("box", "Ready", told, cancel)
    row = told.all(ev.TransferChanged)[-1].transfer
    assert row.state == "done" and row.verified and row.path
    assert (Path(row.path) / "GPT_weights/Ready/Ready-e3.ckpt").read_bytes() == b"x" * 1000
    assert {one.name: one.safe for one in told.all(ev.VoicesSeen)[-1].voices}["Ready"]


@pytest.mark.slow
def test_a_run_without_data_fails_honestly_on_screen(desk: tuple[Services, Path]) -> None:
    services, _ = desk
    told, cancel = Told(), threading.Event()
    services.deploys.apply("box", told, cancel)
    run = services.training.start(TrainDraft("box", "Nobody", "tiny"), told, cancel)
    services.training.watch("box", run, told, cancel)
    seen = [event for batch in told.all(ev.RunEvents) for event in batch.events]
    assert [event.seq for event in seen] == list(range(len(seen)))
    assert seen[-1].type == "run_finished" and seen[-1].payload["status"] == "failed"
    assert told.all(ev.JobSeen)[-1].job.state == "failed"
    assert any(event.type == "error" and "Nobody" in str(event.payload) for event in seen)
