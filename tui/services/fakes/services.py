"""A made-up world for tests and pictures: deterministic, in memory.

With `live=False` every watch emits all it knows at once and then sleeps until cancelled; with
`live=True` telemetry and training move on with the clock.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sovdeck.engine.contract.dataset.edits import LineEdit
from sovdeck.engine.contract.foreign_values import parse_whole_number
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.services.fakes import sample_data
from sovdeck.tui.services.fakes.books import FakeBooks
from sovdeck.tui.services.fakes.dataset import BYTES
from sovdeck.tui.services.fakes.disks import FakeDisks, fake_disk
from sovdeck.tui.services.fakes.plan import fake_plan
from sovdeck.tui.services.fakes.practice import FakePractice
from sovdeck.tui.services.fakes.recordings import FakeRecordings
from sovdeck.tui.services.fakes.rentals import FakeRentals
from sovdeck.tui.services.fakes.run import (
    ENDED_RUN,
    LIVE_RUN,
    finished_run,
    later_events,
    running_run,
)
from sovdeck.tui.services.fakes.speech import (
    FakeAuditions,
    FakeSpeech,
    fake_cells,
    with_fake_standings,
)
from sovdeck.tui.services.fakes.voice_assets import ATRI, MIKA, SENTENCES, fake_peaks
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.services.protocols import Cancel, Emit, Prompts
from sovdeck.tui.services.services import Services
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import (
    BareRecordingsRow,
    JobStatus,
    TrainDraft,
    TranscriptionRow,
    Transfer,
    WeightsRow,
)
from sovdeck.tui.state.prompts import HostKeyPrompt
from sovdeck.tui.state.server_models import ParsedSSHLine, SavedServer, ServerDraft
from sovdeck.tui.state.speech_models import AuditionState, VoiceAssetsState

_PACK_BYTES = 243_118_902


def fake_services(*, live: bool = False, empty: bool = False, more: int = 0) -> Services:
    """`more` adds that many idle servers to the usual four."""
    world = make_world(live=live, empty=empty)
    world.saved += [SavedServer(f"gpu-{n}", f"root@10.0.0.{n}:22") for n in range(1, more + 1)]
    return fake_services_over(world)


def make_world(*, live: bool = False, empty: bool = False) -> FakeWorld:
    """The usual four servers with two runs and two voices, or no server when `empty`."""
    world = FakeWorld(live=live)
    world.gate.set()
    world.listing.set()
    world.player.duration_s = 2.0 if live else None
    if not empty:
        world.saved = list(sample_data.SAVED)
        world.jobs = {
            "tokyo-4090": (
                JobStatus("tokyo-4090", LIVE_RUN, "running", "ATRI", started=world.now() - 743_000),
            ),
            "lab-a100": (JobStatus("lab-a100", ENDED_RUN, "succeeded", "Mika", 0),),
        }
        world.streams = {
            LIVE_RUN: running_run(world.now()),
            ENDED_RUN: finished_run(world.now()),
        }
        world.voices = {"tokyo-4090": (sample_data.ATRI,), "lab-a100": (sample_data.MIKA,)}
        world.disks = {"tokyo-4090": fake_disk("ATRI", LIVE_RUN), "lab-a100": fake_disk("Mika")}
        world.voice_assets = {assets.key: assets for assets in (ATRI, MIKA)}
        world.auditions = {MIKA.key: _audition(MIKA)}
    return world


def _audition(assets: VoiceAssetsState) -> AuditionState:
    weights = [tuple(one.name for one in some) for some in (assets.gpt, assets.sovits)]
    cells = tuple(fake_cells(weights[0], weights[1], SENTENCES))
    return with_fake_standings(AuditionState(assets.server, assets.voice, cells, len(cells)), [])


def fake_services_over(world: FakeWorld) -> Services:
    """The fake services of a world."""
    return Services(
        FakeServers(world),
        FakeDeploys(world),
        FakeDatasets(world),
        FakeTraining(world),
        FakeVoices(world),
        world.now,
        world.player,
        FakeSpeech(world),
        FakeAuditions(world),
        FakeRecordings(world),
        FakeRentals(world),
        FakeDisks(world),
        FakeBooks(world),
        FakePractice(world),
        open_sound=world.open_sound,
    )


class FakeServers:
    """The saved servers of the world."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def load(self, emit: Emit) -> None:
        """Emit the saved servers."""
        emit(ev.ServersLoaded(tuple(self.world.saved)))

    def parse(self, line: str) -> ParsedSSHLine:
        """Reads `ssh [-p PORT] user@host` only: the real reader is sovdeck.remote.hosts.spec."""
        words = [word for word in line.split() if word != "ssh"]
        port = 22
        if "-p" in words[:-1]:
            at = words.index("-p")
            port = parse_whole_number(words[at + 1]) or 0
            if not 0 < port < 65536:
                raise Problem("tui.servers_add.port", ExitCode.CONFIG, port=words[at + 1])
            del words[at : at + 2]
        if len(words) != 1 or "@" not in words[0]:
            raise Problem("tui.servers_add.unreadable", ExitCode.CONFIG, line=line)
        user, host = words[0].split("@", 1)
        name = host.strip("[]").split(".")[0].replace(":", "-").strip("-") or host
        return ParsedSSHLine(name, f"{user}@{host}:{port}", user, host, port)

    def add(self, draft: ServerDraft, prompts: Prompts, emit: Emit, cancel: Cancel) -> None:
        """Save a server after its host key was confirmed, or raise the world's problem."""
        parsed = self.parse(draft.line)
        self.world.record_call("add", draft.name)
        if self.world.dial_problem is not None:
            facts = {"host": parsed.host, "line": draft.line}
            raise Problem(self.world.dial_problem, ExitCode.UNREACHABLE, **facts)
        trusted = prompts.confirm_host_key(
            HostKeyPrompt(
                draft.name,
                parsed.address,
                "ssh-ed25519",
                "SHA256:0Yc9rW1m8tUqf3nX5kQy7oVhJ2bLzE4aGdPsTiRuCxk",
                self.world.changed_key_since,
            )
        )
        self.world.answers.append(trusted)
        if not trusted:
            raise Problem("tui.servers_add.not_trusted", ExitCode.REFUSED, name=draft.name)
        server = SavedServer(draft.name, parsed.address, "", draft.price_per_hour, draft.currency)
        self.world.saved.append(server)
        emit(ev.ServersLoaded(tuple(self.world.saved)))
        emit(ev.FactsSeen(draft.name, sample_data.FRESH_FACTS, self.world.now()))

    def remove(self, server: str, emit: Emit) -> None:
        """Remove a server from the world."""
        self.world.record_call("remove", server)
        self.world.saved = [one for one in self.world.saved if one.name != server]
        emit(ev.ServersLoaded(tuple(self.world.saved)))

    def watch(self, server: str, prompts: Prompts, emit: Emit, cancel: Cancel) -> None:
        """Emit what the world knows of a server."""
        now = self.world.now
        connection = sample_data.CONNECTIONS.get(server, "up")
        if connection == "offline":
            emit(ev.FactsSeen(server, sample_data.FACTS[server], now() - 320_000))
            emit(ev.ConnectionChanged(server, "offline", now(), sample_data.OFFLINE_DETAIL))
        elif connection == "auth_needed":
            emit(ev.ConnectionChanged(server, "auth_needed", now(), sample_data.LOGIN_DETAIL))
        else:
            emit(ev.ConnectionChanged(server, "connecting", now()))
            emit(ev.ConnectionChanged(server, "up", now()))
            emit(
                ev.FactsSeen(server, sample_data.FACTS.get(server, sample_data.FRESH_FACTS), now())
            )
            for at in range(90, 0, -1):
                emit(ev.TelemetrySeen(server, sample_data.sample(server, now() - at * 1000), now()))
            for job in self.world.jobs.get(server, ()):
                emit(ev.JobSeen(job, now()))
            self.world.reported.add(server)
            while self.world.live and not cancel.wait(1.0):
                emit(ev.TelemetrySeen(server, sample_data.sample(server, now()), now()))
        self.world.reported.add(server)
        cancel.wait()


class FakeDeploys:
    """A made-up deploy of six steps."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def plan(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Emit the steps."""
        self.world.record_call("plan deploy", server)
        emit(ev.DeployPlanned(server, sample_data.DEPLOY))

    def apply(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Emit every step as done."""
        self.world.record_call("deploy", server)
        for step in sample_data.DEPLOY:
            if step.state == "skipped":
                continue
            emit(ev.DeployStepChanged(server, replace(step, state="running")))
            if self.world.live and cancel.wait(0.8):
                return
            emit(ev.DeployStepChanged(server, replace(step, state="done", seconds=1.4)))
        facts = replace(sample_data.FACTS.get(server, sample_data.FRESH_FACTS), deployed="3f9a")
        emit(ev.FactsSeen(server, facts, self.world.now()))

    def read_weights(self, server: str, preset: str, emit: Emit, cancel: Cancel) -> None:
        """Emit that all weights are there, but those the world lacks."""
        emit(ev.WeightsSeen(self._weights(server, preset)))

    def fetch_weights(self, server: str, preset: str, emit: Emit, cancel: Cancel) -> None:
        """Emit one step of progress, then that all is there."""
        self.world.record_call("fetch weights", server, preset)
        lacking = self._weights(server, preset)
        emit(ev.WeightsSeen(replace(lacking, fetching="s1v3.ckpt", have=1 << 26, total=1 << 27)))
        if self.world.live and cancel.wait(1.0):
            return
        self.world.lacking_weights = frozenset()
        emit(ev.WeightsSeen(self._weights(server, preset)))

    def _weights(self, server: str, preset: str) -> WeightsRow:
        version = "v2Pro" if preset == "auto" else preset
        lacks = version in self.world.lacking_weights
        return WeightsRow(server, preset, version, 8 * lacks, 1391 * lacks)


class FakeDatasets:
    """The made-up dataset of the world."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def check(self, folder: Path, wavs: Path | None, emit: Emit, cancel: Cancel) -> None:
        """Emit the report of the made-up dataset, or that the world's folder has no list."""
        self.world.record_call("check", str(folder), *([str(wavs)] if wavs else []))
        emit(ev.DatasetChecking(str(folder)))
        if self.world.bare_recordings:
            row = BareRecordingsRow(str(folder), self.world.bare_recordings, BYTES)
            emit(ev.BareRecordingsFound(row))
        else:
            emit(ev.DatasetChecked(self.world.dataset.report(folder)))

    def convert(self, folder: Path, emit: Emit, cancel: Cancel) -> None:
        """Emit the report of the made-up dataset."""
        self.world.record_call("convert", str(folder))
        self.check(folder, None, emit, cancel)

    def transcribe(self, server: str, source: Path, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Emit two steps of a transcription; then there is a list."""
        self.world.record_call("transcribe", server, str(source), voice)
        row = TranscriptionRow(server, voice, "model", have=1 << 29, total=1 << 30)
        emit(ev.TranscriptionChanged(row))
        emit(ev.TranscriptionChanged(replace(row, phase="transcribe", recordings=2, clips=31)))
        if self.world.live and cancel.wait(1.0):
            return
        emit(ev.TranscriptionChanged(None))
        self.world.bare_recordings = 0
        self.check(source, None, emit, cancel)

    def edit(self, folder: Path, edit: LineEdit, emit: Emit, cancel: Cancel) -> None:
        """Correct a line and emit the report."""
        self.world.record_call("edit", str(edit.line), edit.after)
        self.world.dataset.edit(edit)
        self.world.dataset.edits += (edit,)
        emit(ev.DatasetChecked(self.world.dataset.report(folder)))

    def undo(self, folder: Path, emit: Emit, cancel: Cancel) -> None:
        """Take back the newest correction and emit the report."""
        self.world.record_call("undo")
        if not self.world.dataset.edits:
            raise Problem("tui.dataset.nothing_to_undo", ExitCode.DATA)
        *before, last = self.world.dataset.edits
        self.world.dataset.edit(last.inverse)
        self.world.dataset.edits = tuple(before)
        emit(ev.DatasetChecked(self.world.dataset.report(folder)))

    def read_waveform(self, wav: Path, emit: Emit, cancel: Cancel) -> None:
        """Emit a made-up waveform as long as the recording."""
        seconds = self.world.dataset.measure(wav).seconds
        emit(ev.WaveformRead(wav, seconds, fake_peaks(int(seconds * 100), seconds)))

    def push(self, server: str, folder: Path, emit: Emit, cancel: Cancel) -> None:
        """Emit a made-up upload."""
        self.world.record_call("push", server, folder.name)
        row = Transfer(f"push:{server}", "push", server, folder.name, total=BYTES)
        _run_transfer(self.world, row, emit, cancel, "done")


class FakeTraining:
    """Made-up runs."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def list_datasets(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Emit the datasets of the world."""
        emit(ev.DatasetsSeen(server, self.world.datasets))

    def plan(self, draft: TrainDraft, emit: Emit, cancel: Cancel) -> None:
        """Emit a plan with simple arithmetic."""
        self.world.record_call("plan", draft.voice)
        if self.world.plan_problem is not None:
            raise self.world.plan_problem
        emit(ev.PlanMade(fake_plan(draft)))

    def start(self, draft: TrainDraft, emit: Emit, cancel: Cancel) -> str:
        """Emit a running job and return its run id."""
        queued = ("queued",) if draft.queue else ()
        self.world.record_call(
            "train", draft.server, draft.voice, repr(dict(draft.params)), *queued
        )
        run = f"{draft.voice}-1"
        job = JobStatus(draft.server, run, "running", draft.voice, started=self.world.now())
        self.world.streams[run] = running_run(self.world.now(), run, draft.voice)
        emit(ev.JobSeen(job, self.world.now()))
        return run

    def stop(self, server: str, run: str, emit: Emit, cancel: Cancel) -> None:
        """Emit a stopped job."""
        self.world.record_call("stop", server, run)
        emit(ev.JobSeen(JobStatus(server, run, "stopped"), self.world.now()))

    def watch(self, server: str, run: str, emit: Emit, cancel: Cancel) -> None:
        """Emit the run's events and log; with a live world, new ones too."""
        stream = list(self.world.streams.get(run, ()))
        at = self.world.now()
        for start in range(0, len(stream), 200):
            emit(ev.RunEvents(server, run, tuple(stream[start : start + 200]), at))
        emit(ev.LogLines(server, run, sample_data.LOG, at))
        self.world.reported.add(run)
        if self.world.live and run == LIVE_RUN:
            for events in later_events(stream):
                if cancel.wait(0.5):
                    return
                emit(ev.RunEvents(server, run, events, self.world.now()))
                line = f"[sovits] step {events[-1].payload['step']}"
                emit(ev.LogLines(server, run, (line,), self.world.now()))
        cancel.wait()


class FakeVoices:
    """The made-up voices of the world."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world

    def refresh(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Emit the voices of a server."""
        self.world.record_call("voices", server)
        emit(ev.VoicesSeen(server, self.world.voices.get(server, ()), self.world.now()))

    def pull(
        self, server: str, voice: str, emit: Emit, cancel: Cancel, *, community: bool = False
    ) -> None:
        """Emit a made-up download."""
        self.world.record_call("pull", server, voice, *(["community"] if community else []))
        row = Transfer(f"pull:{server}/{voice}", "pull", server, voice, total=_PACK_BYTES)
        if self.world.pull_problem is not None:
            emit(ev.TransferChanged(replace(row, phase="transfer", done=_PACK_BYTES // 3)))
            raise self.world.pull_problem
        ended = replace(
            row,
            verified=True,
            path=f"voices/{voice}",
            sha256="5d0c1f7be2a94c83b6a1f00e9d27ab44c0ffee5ad18e7b3f2c90d41a6b7e8f95",
        )
        if not _run_transfer(self.world, ended, emit, cancel, "done"):
            return
        downloaded = tuple(
            replace(one, local_folder=f"voices/{voice}", safe=True) if one.name == voice else one
            for one in self.world.voices.get(server, ())
        )
        self.world.voices[server] = downloaded
        emit(ev.VoicesSeen(server, downloaded, self.world.now()))


def _run_transfer(world: FakeWorld, end: Transfer, emit: Emit, cancel: Cancel, state: str) -> bool:
    """Emit a transfer's progress from nothing to `end`; False when it was cancelled."""
    total = end.total or 0
    steps = 40 if world.live else 4
    for step in range(steps + 1):
        done = total * step // steps
        row = replace(
            end,
            phase="transfer",
            done=done,
            verified=None,
            path=None,
            sha256=None,
            bytes_per_second=23.4e6,
            eta_s=(total - done) / 23.4e6,
        )
        emit(ev.TransferChanged(row))
        if cancel.is_set() or (world.live and cancel.wait(0.25)):
            return False
    emit(ev.TransferChanged(replace(end, state="done", done=total, phase="")))
    return True
