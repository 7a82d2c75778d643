"""Training for real: plan on this computer, launch, stop, and stream by offset."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

from engine.contract.events import Event
from engine.contract.plan import PlanDevice, plan
from engine.contract.problem import Problem
from engine.contract.spec import RunSpec
from remote import job
from remote.autopull import AutoPull
from remote.recordings import places
from remote.studio import Studio
from remote.tail import Tail, clean_line
from tui.services.live_datasets import LiveDatasets
from tui.services.live_voices import LiveVoices
from tui.services.protocols import Cancel, Emit
from tui.services.studios import Studios, now_ms
from tui.services.telling import job_status
from tui.state import events as ev
from tui.state.facts import Remark
from tui.state.work import StagePlan, TrainDraft, TrainPlan
from tui.verbs.train import run_id

LAST_LOOK_S = 1.0
CANCEL_EVERY_S = 0.5


class LiveTraining:
    def __init__(self, studios: Studios, datasets: LiveDatasets, voices: LiveVoices) -> None:
        self._studios = studios
        self._datasets = datasets
        self._voices = voices

    def plan(self, draft: TrainDraft, emit: Emit, cancel: Cancel) -> None:
        studio = self._studios.get(draft.server)
        clips = self._datasets.clips(draft.voice)
        facts = studio.facts()
        gpu = facts.gpus[0] if facts.gpus else None
        work = studio.standing()
        disk = facts.disk(str(work.layout.work)) if work else None
        device = PlanDevice(
            card=gpu.name if gpu else None,
            memory=gpu.memory_total if gpu else facts.memory_total,
            cores=facts.cpus or 1, disk_free=disk.free if disk else None,
            price_per_hour=studio.server.price_per_hour, currency=studio.server.currency,
        )  # fmt: skip
        made = plan(self._spec(studio, draft, "plan"), clips, device)
        remarks = [Remark("bad", p.message, p.hint) for p in made.refusals]
        remarks += [Remark("warning", p.message, p.hint) for p in made.warnings]
        stages = (
            StagePlan(s.name, s.epochs, s.batch, s.updates_per_epoch, s.seconds)
            for s in made.stages
        )
        emit(
            ev.PlanMade(
                TrainPlan(
                    made.clips, tuple(stages), made.seconds, made.cost, made.currency,
                    made.memory, device.memory, made.disk, device.disk_free, tuple(remarks),
                )
            )
        )  # fmt: skip

    def start(self, draft: TrainDraft, emit: Emit, cancel: Cancel) -> str:
        studio = self._studios.get(draft.server)
        spec = self._spec(studio, draft, run_id(draft.voice, datetime.now()))
        spec.validate()
        started = studio.start(spec)
        handle = started.handle
        if (remark := started.remark) is not None:
            emit(ev.NoticeRaised("warning", remark.message, now_ms(), remark.hint))
        state = job.state(studio.link(), handle)
        emit(ev.JobSeen(job_status(draft.server, state), now_ms()))
        return handle.run

    def stop(self, server: str, run: str, emit: Emit, cancel: Cancel) -> None:
        studio = self._studios.get(server)
        state = job.stop(studio.link(), studio.run(run))
        emit(ev.JobSeen(job_status(server, state), now_ms()))

    def watch(self, server: str, run: str, emit: Emit, cancel: Cancel) -> None:
        studio = self._studios.get(server)
        handle = studio.run(run)
        events = job.events(studio.link, handle)
        log = job.log(studio.link, handle)
        reader = threading.Thread(
            target=_tell_log, args=(server, run, log, emit), daemon=True, name=f"log:{run}"
        )
        reader.start()
        over = threading.Event()
        stopper = threading.Thread(
            target=_close_when, args=(cancel, over, events.tail, log), daemon=True,
            name=f"end:{run}",
        )  # fmt: skip
        stopper.start()
        pulled: AutoPull | None = None
        begun = False
        try:
            for batch in events.batches():
                emit(ev.RunEvents(server, run, batch, now_ms()))
                if not begun and batch:
                    pulled = self._voices.follow_run(server, voice_in(batch), emit, cancel)
                    begun = True
                if pulled is not None:
                    pulled.heard(batch)
            reader.join(LAST_LOOK_S)
        finally:
            over.set()
            if pulled is not None:
                pulled.close(look=not cancel.is_set())
        if not cancel.is_set():
            emit(ev.JobSeen(job_status(server, job.state(studio.link(), handle)), now_ms()))

    def _spec(self, studio: Studio, draft: TrainDraft, run: str) -> RunSpec:
        standing = studio.standing()
        train = studio.config.train
        where = places(standing.layout, draft.voice) if standing else ("", "")
        tiny = draft.preset == "tiny"
        return RunSpec(
            run=run, voice=draft.voice, preset=draft.preset, list_file=where[0],
            wav_folder=where[1], params=draft.params,
            pretrained=None if tiny else (train.pretrained or None),
            proof_text=train.proof_text, proof_language=train.proof_language,
        )  # fmt: skip


def voice_in(events: Sequence[Event]) -> str:
    """The voice a run's first events speak of; empty when they do not say."""
    started = (event for event in events if event.type == "run_started")
    return next((str(event.payload["voice"]) for event in started), "")


def _tell_log(server: str, run: str, log: Tail, emit: Emit) -> None:
    try:
        for lines in log.batches():
            told = tuple(clean_line(line.data) for line in lines)
            emit(ev.LogLines(server, run, told, now_ms()))
    except Problem as problem:
        # The events' own watch ends on the same refusal and says it; here only the log stops.
        emit(ev.LogLines(server, run, (problem.message.en,), now_ms()))


def _close_when(cancel: Cancel, over: threading.Event, *tails: Tail) -> None:
    """End both readers once cancelled; a watch that ended by itself needs nobody."""
    while not cancel.wait(CANCEL_EVERY_S):
        if over.is_set():
            return
    for tail in tails:
        tail.close()
