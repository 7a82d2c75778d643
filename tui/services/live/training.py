"""Training on real servers: planned on this computer, started, stopped, followed by offset."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.plan import PlanDevice, make_plan
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.run_summary import RunSummary
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.disk.offers import DISK_LOW, make_offers
from sovdeck.remote.disk.server_disk import list_server_disk
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.jobs.run_summaries import fetch_summaries
from sovdeck.remote.preflight.bench import BenchRows
from sovdeck.remote.preflight.run import require_ready
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.ssh.channel_reader import retry_delay
from sovdeck.remote.ssh.remote_tail import RemoteTail, clean_line
from sovdeck.remote.voices.auto_download import AutoDownload
from sovdeck.remote.voices.listing import list_datasets
from sovdeck.remote.voices.run_spec import find_run_spec, make_run_spec
from sovdeck.tui.services.connections import ConnectionRegistry, now_ms
from sovdeck.tui.services.converters import to_job_status
from sovdeck.tui.services.live.datasets import LiveDatasets
from sovdeck.tui.services.live.voices import LiveVoices
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import TrainDraft, TrainPlan

LOG_JOIN_S = 1.0
CANCEL_POLL_S = 5.0  # how long a thread outlives its watch; a cancel is noticed at once


class LiveTraining:
    """Starts runs and streams their events."""

    def __init__(
        self, connections: ConnectionRegistry, datasets: LiveDatasets, voices: LiveVoices
    ) -> None:
        self._connections = connections
        self._datasets = datasets
        self._voices = voices
        self._bench_rows = BenchRows(AppPaths.locate())

    def list_datasets(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Emit the voices whose recordings lie on a server; nothing before a deploy."""
        session = self._connections.session(server)
        if session.find_deployment() is not None:
            found = list_datasets(session.connection(), session.layout())
            emit(ev.DatasetsSeen(server, found))

    def plan(self, draft: TrainDraft, emit: Emit, cancel: Cancel) -> None:
        """Emit the plan for the dataset that was checked last; Problem without one."""
        session = self._connections.session(draft.server)
        clips = self._datasets.clips(draft.voice)
        facts = session.facts()
        gpu = facts.gpus[0] if facts.gpus else None
        deployed = session.find_deployment()
        disk = facts.disk(str(deployed.layout.work)) if deployed else None
        device = PlanDevice(
            gpu_name=gpu.name if gpu else None,
            memory=gpu.memory_total if gpu else facts.memory_total,
            cores=facts.cpus or 1,
            disk_free=disk.free if disk else None,
            price_per_hour=session.server.price_per_hour,
            currency=session.server.currency,
            measured=self._bench_rows.measurements(gpu.name if gpu else None, session.name),
        )
        run_plan = make_plan(_make_spec(session, draft), clips, device)
        emit(ev.PlanMade(TrainPlan(run_plan, device)))

    def start(self, draft: TrainDraft, emit: Emit, cancel: Cancel) -> str:
        """Start the run and emit its job; return its id."""
        session = self._connections.session(draft.server)
        spec = _make_spec(session, draft)
        try:
            checked = require_ready(session, spec)
        except Problem as problem:
            if problem.key == DISK_LOW:
                for offer in make_offers(list_server_disk(session).items, spec.voice):
                    emit(ev.NoticeRaised("note", offer.sentence(session.name), now_ms()))
            raise
        for warning in checked.warnings:
            emit(ev.NoticeRaised("warning", warning.message, now_ms(), warning.hint))
        if checked.active and not draft.queue:
            # Started from elsewhere since the person was asked; two at once would share the GPU.
            facts = {"server": draft.server, "run": checked.active[-1]}
            emit(ev.NoticeRaised("warning", text("tui.train.queued", **facts), now_ms()))
        started = session.start(spec, queue=draft.queue or bool(checked.active))
        handle = started.handle
        for sentence in session.stop_texts():
            emit(ev.NoticeRaised("note", sentence, now_ms()))
        for remark in started.problems:
            emit(ev.NoticeRaised("warning", remark.message, now_ms(), remark.hint))
        state = job_client.fetch_state(session.connection(), handle)
        emit(ev.JobSeen(to_job_status(draft.server, state), now_ms()))
        return handle.run_id

    def stop(self, server: str, run: str, emit: Emit, cancel: Cancel) -> None:
        """Ask the run to save and stop; emit its job."""
        session = self._connections.session(server)
        emit(ev.JobSeen(to_job_status(server, session.stop(run)), now_ms()))

    def watch(self, server: str, run: str, emit: Emit, cancel: Cancel) -> None:
        """Stream events and log until the run has ended; download its saves where wanted.

        Events begin after those that the server's summary holds already.
        """
        session = self._connections.session(server)
        handle = job_client.make_handle(session.layout(), run)
        summary = _fetch_summary(session, run, cancel)
        emit(ev.RunSummarySeen(server, run, summary, now_ms()))
        events = job_client.follow_events(
            session.connection, handle, offset=summary.offset, seq=summary.state.seq
        )
        log = job_client.follow_log(session.connection, handle)
        reader = threading.Thread(
            target=_emit_log, args=(server, run, log, emit), daemon=True, name=f"log:{run}"
        )
        reader.start()
        ended = threading.Event()
        stopper = threading.Thread(
            target=_close_on_cancel,
            args=(cancel, ended, events.tail, log),
            daemon=True,
            name=f"end:{run}",
        )
        stopper.start()
        auto_download: AutoDownload | None = None
        voice = ""
        try:
            for batch in itertools.chain([()], events.batches()):
                if batch:
                    emit(ev.RunEvents(server, run, batch, now_ms()))
                if not voice and (voice := summary.state.voice or voice_from_events(batch)):
                    auto_download = self._voices.start_auto_download(server, voice, emit, cancel)
                    if auto_download is not None and summary.state.exports:
                        auto_download.request()
                if auto_download is not None:
                    auto_download.handle_events(batch)
            reader.join(LOG_JOIN_S)
        finally:
            ended.set()
            if auto_download is not None:
                auto_download.close(final_sync=not cancel.is_set())
        if not cancel.is_set():
            emit(
                ev.JobSeen(
                    to_job_status(server, job_client.fetch_state(session.connection(), handle)),
                    now_ms(),
                )
            )


def _fetch_summary(session: ServerSession, run: str, cancel: Cancel) -> RunSummary:
    """The run's summary; an unreachable server is waited for, as its events would be."""
    for failures in itertools.count():
        if cancel.is_set():
            break
        try:
            deployed = session.require_deployment()
            return fetch_summaries(session.connection(), deployed, [run], history=True)[run]
        except Problem as problem:
            if problem.exit_code is not ExitCode.UNREACHABLE:
                raise
        cancel.wait(retry_delay(failures))
    return RunSummary()


def _make_spec(session: ServerSession, draft: TrainDraft) -> RunSpec:
    earlier = find_run_spec(session, draft.run) if draft.run else None
    if earlier is not None:
        return earlier
    return make_run_spec(session, draft.voice, draft.preset, draft.params)


def voice_from_events(events: Sequence[Event]) -> str:
    """The voice in a run's first events; empty when they do not say."""
    started = (event for event in events if event.type == "run_started")
    return next((str(event.payload["voice"]) for event in started), "")


def _emit_log(server: str, run: str, log: RemoteTail, emit: Emit) -> None:
    try:
        for lines in log.batches():
            cleaned = tuple(clean_line(line.data) for line in lines)
            emit(ev.LogLines(server, run, cleaned, now_ms()))
    except Problem as problem:
        # The events' own stream raises the same problem; here only the log stops.
        emit(ev.LogLines(server, run, (problem.message.en,), now_ms()))


def _close_on_cancel(cancel: Cancel, ended: threading.Event, *tails: RemoteTail) -> None:
    """Close both tails once cancelled; nothing to do when the watch ended by itself."""
    while not cancel.wait(CANCEL_POLL_S):
        if ended.is_set():
            return
    for tail in tails:
        tail.close()
