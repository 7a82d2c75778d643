"""The dashboard's services over a real server: what they tell is what the server holds."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from servers import Place
from trip_steps import VOICE, Recorded, laptop

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.services.live.services import live_services
from sovdeck.tui.services.services import Services
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import TrainDraft
from sovdeck.tui.state.prompts import HostKeyPrompt, OfferPrompt, SecretPrompt
from sovdeck.tui.state.server_models import ServerDraft

T = TypeVar("T")


class Person:
    """Answers the host-key question as told, and remembers what was asked."""

    def __init__(self, trusts: bool) -> None:
        self.trusts = trusts
        self.seen: list[str] = []

    def confirm_host_key(self, prompt: HostKeyPrompt) -> bool:
        self.seen.append(prompt.fingerprint)
        return self.trusts

    def ask_secret(self, prompt: SecretPrompt) -> str | None:
        self.seen.append(prompt.prompt)
        return None

    def accept_offer(self, prompt: OfferPrompt) -> bool:
        self.seen.append(prompt.offer)
        return False


class Reported:
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
def session(
    embedded: Place, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Services, Path]]:
    """Live services with the embedded server added as `box`; and its work folder."""
    folder = tmp_path_factory.mktemp("laptop")
    places, project = laptop(folder / "laptop", folder / "work")
    with live_services(project, places) as services:
        reported, person = Reported(), Person(trusts=True)
        draft = ServerDraft(embedded.spec.format(), "box", 1.98, "CNY")
        services.servers.add(draft, person, reported, threading.Event())
        assert person.seen[0] == embedded.fingerprint
        saved = reported.all(ev.ServersLoaded)[-1].servers
        assert [(one.name, one.price_per_hour) for one in saved] == [("box", 1.98)]
        yield services, folder / "work"


def test_a_line_is_read_back_before_anything_is_dialled(session: tuple[Services, Path]) -> None:
    read = session[0].servers.parse("ssh -p 41022 -J gate.example root@[2001:db8::7]")
    assert (read.user, read.host, read.port) == ("root", "2001:db8::7", 41022)
    assert read.jump == ("gate.example",) and read.name == "server"
    with pytest.raises(Problem):
        session[0].servers.parse("ssh -p nowhere root@host")


@pytest.mark.sshd
def test_a_no_to_the_host_key_saves_nothing(session: tuple[Services, Path], sshd_v4: Place) -> None:
    reported, person = Reported(), Person(trusts=False)
    draft = ServerDraft(sshd_v4.spec.format(), "stranger")
    with pytest.raises(Problem) as refused:
        session[0].servers.add(draft, person, reported, threading.Event())
    assert refused.value.key == "remote.host.key_declined" and person.seen
    session[0].servers.load(reported)
    assert [one.name for one in reported.all(ev.ServersLoaded)[-1].servers] == ["box"]


@pytest.mark.long
def test_deploy_then_watch_then_voices(session: tuple[Services, Path], recorded: Recorded) -> None:
    services, work = session
    reported, cancel = Reported(), threading.Event()
    services.deploys.plan("box", reported, cancel)
    assert {step.id for step in reported.all(ev.DeployPlanned)[-1].steps} >= {"code", "check"}
    services.deploys.apply("box", reported, cancel)
    last = {event.step.id: event.step.state for event in reported.all(ev.DeployStepChanged)}
    assert last["code"] == "done" and last["check"] == "done"
    assert reported.all(ev.FactsSeen)[-1].facts.deployed

    asked = work / "autostop" / "asked"  # what an autostop watch there goes by
    asked.parent.mkdir()
    watcher = threading.Thread(
        target=services.servers.watch, args=("box", Person(False), reported, cancel), daemon=True
    )
    watcher.start()
    # The very first sample may come before the machine's own figures.
    reported.wait(lambda: any(event.sample.ram_total for event in reported.all(ev.TelemetrySeen)))
    assert (
        reported.all(ev.ConnectionChanged)[0].state == "up"
    )  # the deploy's own link is used again
    sample = reported.all(ev.TelemetrySeen)[-1].sample
    assert sample.source in ("proc", "cgroup", "nvidia-smi") and sample.ram_total
    reported.wait(asked.exists)
    asked.unlink()
    services.voices.refresh("box", Reported(), cancel)
    reported.wait(asked.exists)
    cancel.set()
    watcher.join(60)
    assert not watcher.is_alive(), "a cancelled watch ends"
    _check_and_push(services, recorded)
    _pull_a_voice(services, work)


def _check_and_push(services: Services, recorded: Recorded) -> None:
    reported, cancel = Reported(), threading.Event()
    services.datasets.check(recorded.list_file.parent, None, reported, cancel)
    report = reported.all(ev.DatasetChecked)[-1].report
    assert report.quality.clips == 10 and report.voice == VOICE
    assert [one[1:3] for one in report.quality.speaker_totals] == [("ja", 10)]
    services.datasets.push("box", recorded.list_file.parent, reported, cancel)
    row = reported.all(ev.TransferChanged)[-1].transfer
    assert row.state == "done" and row.verified
    # The run that deploy.toml describes starts from weights that nobody has fetched yet.
    notices = [one.text.en for one in reported.all(ev.NoticeRaised)]
    assert len(notices) == 1 and "lacks the pretrained weights of v2Pro" in notices[0]
    services.training.plan(TrainDraft("box", VOICE, "tiny", {"gpt.epochs": 4}), reported, cancel)
    plan = reported.all(ev.PlanMade)[-1].plan.run
    assert plan.clips == 10 and plan.currency == "CNY" and plan.cost is not None
    assert all(stage.updates_per_epoch >= 4 for stage in plan.stages)


def _pull_a_voice(services: Services, work: Path) -> None:
    (work / "packs").mkdir(exist_ok=True)
    weights = work / "GPT_weights" / "Ready"
    weights.mkdir(parents=True)
    (weights / "Ready-e3.ckpt").write_bytes(b"x" * 1000)
    with zipfile.ZipFile(work / "packs" / "Ready.zip", "w") as archive:
        archive.writestr("GPT_weights/Ready/Ready-e3.ckpt", b"x" * 1000)
    reported, cancel = Reported(), threading.Event()
    services.voices.refresh("box", reported, cancel)
    voice = {one.name: one for one in reported.all(ev.VoicesSeen)[-1].voices}["Ready"]
    assert voice.checkpoints[0].epoch == 3 and not voice.safe and voice.pack_bytes
    services.voices.pull("box", "Ready", reported, cancel)
    row = reported.all(ev.TransferChanged)[-1].transfer
    assert row.state == "done" and row.verified and row.path
    assert (Path(row.path) / "GPT_weights/Ready/Ready-e3.ckpt").read_bytes() == b"x" * 1000
    assert {one.name: one.safe for one in reported.all(ev.VoicesSeen)[-1].voices}["Ready"]


@pytest.mark.long
def test_a_run_without_data_is_refused_before_it_starts(session: tuple[Services, Path]) -> None:
    services, work = session
    reported, cancel = Reported(), threading.Event()
    services.deploys.apply("box", reported, cancel)
    with pytest.raises(Problem, match=r"Nobody\.list cannot be read"):
        services.training.start(TrainDraft("box", "Nobody", "tiny"), reported, cancel)
    assert not list((work / "runs").glob("*Nobody*"))


@pytest.mark.long
def test_a_run_started_from_elsewhere_is_waited_for(
    session: tuple[Services, Path], recorded: Recorded
) -> None:
    services, work = session
    reported, cancel = Reported(), threading.Event()
    services.deploys.apply("box", reported, cancel)
    services.datasets.push("box", recorded.list_file.parent, reported, cancel)
    script = Path(__file__).parents[2] / "remote" / "agent" / "supervise.sh"
    other = work / "runs" / "20261122-141530-Other"
    argv = ["sh", str(script), str(other), "--join", str(work / "queue"), "--", "sleep", "600"]
    elsewhere = subprocess.Popen(argv, start_new_session=True)
    try:
        reported.wait((other / "pid.json").exists)
        seen = Reported()
        run = services.training.start(TrainDraft("box", VOICE, "tiny"), seen, cancel)
        (job,) = [one.job for one in seen.all(ev.JobSeen)]
        assert (job.run, job.state) == (run, "starting")
        assert any("20261122-141530-Other" in one.text.en for one in seen.all(ev.NoticeRaised))
        services.training.stop("box", run, seen, cancel)
        assert not (work / "runs" / run / "events.jsonl").exists(), "it never began"
    finally:
        os.killpg(elsewhere.pid, signal.SIGTERM)
        elsewhere.wait(60)
