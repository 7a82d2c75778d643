"""A made-up world for tests, pictures and `python -m tui.app`: deterministic, in memory.

With `live=False` every watch tells all it knows at once and then sleeps until cancelled; with
`live=True` telemetry and training move on with the clock.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.contract.dataset.edits import Edit
from engine.contract.problem import ExitCode, Problem
from tui.services import fake_scene as scene
from tui.services.fake_dataset import BYTES
from tui.services.fake_plan import made_plan
from tui.services.fake_practice import FakePractice
from tui.services.fake_run import ENDED_RUN, LIVE_RUN, finished_run, later_events, running_run
from tui.services.fake_shelf import ATRI, MIKA, SENTENCES, outline
from tui.services.fake_speech import FakeAuditions, FakeSpeech, ranked, scene_cells
from tui.services.fake_world import FakeWorld
from tui.services.protocols import Asks, Cancel, Emit, HostKeyQuestion, ParsedLine, ServerDraft
from tui.services.services import Services
from tui.state import events as ev
from tui.state.facts import SavedServer
from tui.state.speech import Audition, Shelf
from tui.state.work import (
    JobStatus,
    TrainDraft,
    Transfer,
)

_PACK_BYTES = 243_118_902


def fake_services(*, live: bool = False, empty: bool = False, more: int = 0) -> Services:
    """`more` adds that many idle servers to the usual four."""
    world = make_world(live=live, empty=empty)
    world.saved += [SavedServer(f"gpu-{n}", f"root@10.0.0.{n}:22") for n in range(1, more + 1)]
    return services_of(world)


def make_world(*, live: bool = False, empty: bool = False) -> FakeWorld:
    world = FakeWorld(live=live)
    world.gate.set()
    world.listing.set()
    world.player.lasts = 2.0 if live else None
    if not empty:
        world.saved = list(scene.SAVED)
        world.jobs = {
            "tokyo-4090": (
                JobStatus("tokyo-4090", LIVE_RUN, "running", "ATRI", started=world.now() - 743_000),
            ),
            "lab-a100": (JobStatus("lab-a100", ENDED_RUN, "succeeded", "Mika", 0),),
        }
        world.streams = {
            LIVE_RUN: running_run(world.now()), ENDED_RUN: finished_run(world.now()),
        }  # fmt: skip
        world.voices = {"tokyo-4090": (scene.ATRI,), "lab-a100": (scene.MIKA,)}
        world.shelves = {shelf.key: shelf for shelf in (ATRI, MIKA)}
        world.auditions = {MIKA.key: _audition(MIKA)}
    return world


def _audition(shelf: Shelf) -> Audition:
    weights = [tuple(one.name for one in some) for some in (shelf.gpt, shelf.sovits)]
    cells = tuple(scene_cells(weights[0], weights[1], SENTENCES))
    return ranked(Audition(shelf.server, shelf.voice, cells, len(cells)), [])


def services_of(world: FakeWorld) -> Services:
    return Services(
        FakeServers(world), FakeDeploys(world), FakeDatasets(world),
        FakeTraining(world), FakeVoices(world), world.now, world.player,
        FakeSpeech(world), FakeAuditions(world), FakePractice(world),
    )  # fmt: skip


class FakeServers:
    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def load(self, emit: Emit) -> None:
        emit(ev.ServersLoaded(tuple(self.world.saved)))

    def parse(self, line: str) -> ParsedLine:
        """Reads `ssh [-p PORT] user@host` only: the real reader is remote.hostspec."""
        words = [word for word in line.split() if word != "ssh"]
        port = 22
        if "-p" in words[:-1]:
            at = words.index("-p")
            if not words[at + 1].isdigit() or not 0 < int(words[at + 1]) < 65536:
                raise Problem("tui.servers_add.port", ExitCode.CONFIG, port=words[at + 1])
            port = int(words[at + 1])
            del words[at : at + 2]
        if len(words) != 1 or "@" not in words[0]:
            raise Problem("tui.servers_add.unreadable", ExitCode.CONFIG, line=line)
        user, host = words[0].split("@", 1)
        name = host.strip("[]").split(".")[0].replace(":", "-").strip("-") or host
        return ParsedLine(name, f"{user}@{host}:{port}", user, host, port)

    def add(self, draft: ServerDraft, asks: Asks, emit: Emit, cancel: Cancel) -> None:
        parsed = self.parse(draft.line)
        self.world.call("add", draft.name)
        if self.world.refused is not None:
            raise Problem(self.world.refused, ExitCode.UNREACHABLE, host=parsed.host)
        yes = asks.host_key(
            HostKeyQuestion(
                draft.name, parsed.address, "ssh-ed25519",
                "SHA256:0Yc9rW1m8tUqf3nX5kQy7oVhJ2bLzE4aGdPsTiRuCxk",
                self.world.changed_key_since,
            )
        )  # fmt: skip
        self.world.answers.append(yes)
        if not yes:
            raise Problem("tui.servers_add.not_trusted", ExitCode.REFUSED, name=draft.name)
        server = SavedServer(draft.name, parsed.address, "", draft.price_per_hour, draft.currency)
        self.world.saved.append(server)
        emit(ev.ServersLoaded(tuple(self.world.saved)))
        emit(ev.FactsSeen(draft.name, scene.FRESH_FACTS, self.world.now()))

    def remove(self, server: str, emit: Emit) -> None:
        self.world.call("remove", server)
        self.world.saved = [one for one in self.world.saved if one.name != server]
        emit(ev.ServersLoaded(tuple(self.world.saved)))

    def watch(self, server: str, asks: Asks, emit: Emit, cancel: Cancel) -> None:
        now = self.world.now
        link = scene.LINKS.get(server, "up")
        if link == "offline":
            emit(ev.FactsSeen(server, scene.FACTS[server], now() - 320_000))
            emit(ev.LinkChanged(server, "offline", now(), scene.LINK_DETAIL))
        elif link == "auth_needed":
            emit(ev.LinkChanged(server, "auth_needed", now(), scene.LOGIN_DETAIL))
        else:
            emit(ev.LinkChanged(server, "connecting", now()))
            emit(ev.LinkChanged(server, "up", now()))
            emit(ev.FactsSeen(server, scene.FACTS.get(server, scene.FRESH_FACTS), now()))
            for at in range(90, 0, -1):
                emit(ev.TelemetrySeen(server, scene.sample(server, now() - at * 1000), now()))
            for job in self.world.jobs.get(server, ()):
                emit(ev.JobSeen(job, now()))
            self.world.told.add(server)
            while self.world.live and not cancel.wait(1.0):
                emit(ev.TelemetrySeen(server, scene.sample(server, now()), now()))
        self.world.told.add(server)
        cancel.wait()


class FakeDeploys:
    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def plan(self, server: str, emit: Emit, cancel: Cancel) -> None:
        self.world.call("plan deploy", server)
        emit(ev.DeployPlanned(server, scene.DEPLOY))

    def apply(self, server: str, emit: Emit, cancel: Cancel) -> None:
        self.world.call("deploy", server)
        for step in scene.DEPLOY:
            if step.state == "skipped":
                continue
            emit(ev.DeployStepChanged(server, replace(step, state="running")))
            if self.world.live and cancel.wait(0.8):
                return
            emit(ev.DeployStepChanged(server, replace(step, state="done", seconds=1.4)))
        facts = replace(scene.FACTS.get(server, scene.FRESH_FACTS), deployed="3f9a")
        emit(ev.FactsSeen(server, facts, self.world.now()))


class FakeDatasets:
    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def check(self, folder: Path, emit: Emit, cancel: Cancel) -> None:
        self.world.call("check", str(folder))
        emit(ev.DatasetChecking(str(folder)))
        emit(ev.DatasetChecked(self.world.dataset.report(folder)))

    def edit(self, folder: Path, edit: Edit, emit: Emit, cancel: Cancel) -> None:
        self.world.call("edit", str(edit.line), edit.after)
        self.world.dataset.edit(edit)
        self.world.dataset.edits += (edit,)
        emit(ev.DatasetChecked(self.world.dataset.report(folder)))

    def undo(self, folder: Path, emit: Emit, cancel: Cancel) -> None:
        self.world.call("undo")
        if not self.world.dataset.edits:
            raise Problem("tui.dataset.nothing_to_undo", ExitCode.DATA)
        *before, last = self.world.dataset.edits
        self.world.dataset.edit(last.undone)
        self.world.dataset.edits = tuple(before)
        emit(ev.DatasetChecked(self.world.dataset.report(folder)))

    def outline(self, wav: Path, emit: Emit, cancel: Cancel) -> None:
        seconds = self.world.dataset.measure(wav).seconds
        emit(ev.ClipOutlined(wav, seconds, outline(int(seconds * 100), seconds)))

    def push(self, server: str, folder: Path, emit: Emit, cancel: Cancel) -> None:
        self.world.call("push", server, folder.name)
        row = Transfer(f"push:{server}", "push", server, folder.name, total=BYTES)
        _move(self.world, row, emit, cancel, "done")


class FakeTraining:
    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def plan(self, draft: TrainDraft, emit: Emit, cancel: Cancel) -> None:
        self.world.call("plan", draft.voice)
        emit(ev.PlanMade(made_plan(draft)))

    def start(self, draft: TrainDraft, emit: Emit, cancel: Cancel) -> str:
        self.world.call("train", draft.server, draft.voice, repr(dict(draft.params)))
        run = f"{draft.voice}-1"
        job = JobStatus(draft.server, run, "running", draft.voice, started=self.world.now())
        self.world.streams[run] = running_run(self.world.now(), run, draft.voice)
        emit(ev.JobSeen(job, self.world.now()))
        return run

    def stop(self, server: str, run: str, emit: Emit, cancel: Cancel) -> None:
        self.world.call("stop", server, run)
        emit(ev.JobSeen(JobStatus(server, run, "stopped"), self.world.now()))

    def watch(self, server: str, run: str, emit: Emit, cancel: Cancel) -> None:
        stream = list(self.world.streams.get(run, ()))
        at = self.world.now()
        for start in range(0, len(stream), 200):
            emit(ev.RunEvents(server, run, tuple(stream[start : start + 200]), at))
        emit(ev.LogLines(server, run, scene.LOG, at))
        self.world.told.add(run)
        if self.world.live and run == LIVE_RUN:
            for events in later_events(stream):
                if cancel.wait(0.5):
                    return
                emit(ev.RunEvents(server, run, events, self.world.now()))
                line = f"[sovits] step {events[-1].payload['step']}"
                emit(ev.LogLines(server, run, (line,), self.world.now()))
        cancel.wait()


class FakeVoices:
    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def refresh(self, server: str, emit: Emit, cancel: Cancel) -> None:
        self.world.call("voices", server)
        emit(ev.VoicesSeen(server, self.world.voices.get(server, ()), self.world.now()))

    def pull(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        self.world.call("pull", server, voice)
        row = Transfer(f"pull:{server}/{voice}", "pull", server, voice, total=_PACK_BYTES)
        if self.world.pull_problem is not None:
            emit(ev.TransferChanged(replace(row, phase="transfer", done=_PACK_BYTES // 3)))
            raise self.world.pull_problem
        ended = replace(
            row, verified=True, path=f"voices/{voice}",
            sha256="5d0c1f7be2a94c83b6a1f00e9d27ab44c0ffee5ad18e7b3f2c90d41a6b7e8f95",
        )  # fmt: skip
        if not _move(self.world, ended, emit, cancel, "done"):
            return
        home = tuple(
            replace(one, home=f"voices/{voice}", safe=True) if one.name == voice else one
            for one in self.world.voices.get(server, ())
        )
        self.world.voices[server] = home
        emit(ev.VoicesSeen(server, home, self.world.now()))


def _move(world: FakeWorld, end: Transfer, emit: Emit, cancel: Cancel, state: str) -> bool:
    """Emit a transfer's way from nothing to `end`; False when it was cancelled."""
    total = end.total or 0
    steps = 40 if world.live else 4
    for step in range(steps + 1):
        done = total * step // steps
        row = replace(
            end, phase="transfer", done=done, verified=None, path=None, sha256=None,
            bytes_per_second=23.4e6, eta_s=(total - done) / 23.4e6,
        )  # fmt: skip
        emit(ev.TransferChanged(row))
        if cancel.is_set() or (world.live and cancel.wait(0.25)):
            return False
    emit(ev.TransferChanged(replace(end, state="done", done=total, phase="")))
    return True
