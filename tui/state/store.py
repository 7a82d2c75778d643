"""The one store: `apply` events, get a new state and the topics that changed.

Pure and synchronous, without Textual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from sovdeck.engine.contract.series import Series
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.freshness import displayed_age, seconds_since
from sovdeck.tui.state.runs import RunView, with_events, with_log, with_summary
from sovdeck.tui.state.server_models import ServerState, Telemetry
from sovdeck.tui.state.state import State, StateChange, Topics, log_topic, run_topic

MAX_NOTICES = 200
MAX_TAKES = 100
TELEMETRY_POINTS = 1200  # telemetry points kept a line: 20 minutes at one a second


class Store:
    """Holds the current state; only `apply` changes it."""

    def __init__(self, now: int = 0) -> None:
        self.state = State(now=now)

    def apply(self, events: Iterable[ev.StoreEvent]) -> Topics:
        """Fold `events` into the state and return the topics that changed."""
        topics: set[str] = set()
        for event in _join_pieces(events):
            self.state, changed = _REDUCERS[type(event)](self.state, event)
            topics |= changed
        return frozenset(topics)


def _join_pieces(events: Iterable[ev.StoreEvent]) -> list[ev.StoreEvent]:
    """`events` with what a run sent in pieces as one event, since each costs a new state.

    Of what says anything else of runs none is overtaken.
    """
    joined: list[ev.StoreEvent | None] = []
    places: dict[tuple[type, str, str], int] = {}
    for event in events:
        if isinstance(event, ev.RunEvents | ev.LogLines):
            key = (type(event), event.server, event.run)
            if (place := places.get(key)) is not None:
                event, joined[place] = _with_piece(joined[place], event), None
            places[key] = len(joined)
        elif not isinstance(event, ev.TelemetrySeen):
            places.clear()
        joined.append(event)
    return [event for event in joined if event is not None]


def _with_piece(before: Any, event: ev.RunEvents | ev.LogLines) -> ev.StoreEvent:
    if isinstance(event, ev.RunEvents):
        return replace(event, events=before.events + event.events)
    return replace(event, lines=before.lines + event.lines)


def _servers_loaded(state: State, event: ev.ServersLoaded) -> StateChange:
    servers = {
        saved.name: replace(state.servers.get(saved.name, ServerState(saved)), saved=saved)
        for saved in event.servers
    }
    chosen = state.server if state.server in servers else next(iter(servers), None)
    runs = {key: run for key, run in state.runs.items() if run.server in servers}
    voices = {name: found for name, found in state.voices.items() if name in servers}
    run = state.run if state.run in runs else None
    state = replace(state, servers=servers, server=chosen, runs=runs, run=run, voices=voices)
    return state, {"servers", "voices", "chosen"}


def _with_server(state: State, name: str, **changes: Any) -> State:
    known = state.servers.get(name)
    if known is None:  # a late event of a server that was just removed
        return state
    return replace(state, servers={**state.servers, name: replace(known, **changes)})


def _connection_changed(state: State, event: ev.ConnectionChanged) -> StateChange:
    changes: dict[str, Any] = {
        "connection": event.state,
        "connection_detail": event.detail,
    }
    if event.state == "up":
        changes["heard_at"] = event.at
    return _with_server(state, event.server, **changes), {"servers"}


def _facts_seen(state: State, event: ev.FactsSeen) -> StateChange:
    state = _with_server(state, event.server, facts=event.facts, heard_at=event.at)
    return state, {"servers"}


def _telemetry_seen(state: State, event: ev.TelemetrySeen) -> StateChange:
    if event.server not in state.servers:
        return state, set()
    state = _with_server(state, event.server, telemetry=event.sample, heard_at=event.at)
    lines = dict(state.history.get(event.server, {}))
    for name, value in _telemetry_values(event.sample):
        lines[name] = lines.get(name, Series(TELEMETRY_POINTS, "roll")).extended(
            [(event.sample.t / 1000, value)]
        )
    history = {**state.history, event.server: lines}
    return replace(state, history=history), {"servers", f"telemetry:{event.server}"}


def _telemetry_values(sample: Telemetry) -> list[tuple[str, float | None]]:
    rows: list[tuple[str, float | None]] = []
    for gpu in sample.gpus:
        rows.append((f"{gpu.uuid}/memory", gpu.memory_used))
        rows.append((f"{gpu.uuid}/utilisation", gpu.utilisation))
    rows.append(("ram", sample.ram_used))
    rows.append(("cpu", sample.cpu_percent))
    return rows


MOST_RUNS = 2000  # of all servers together, unless there are more servers than that


def _run(state: State, server: str, run: str) -> RunView:
    return state.runs.get((server, run)) or RunView(server, run)


def _with_run(state: State, view: RunView) -> State:
    runs = {**state.runs, view.key: view}
    if view.key not in state.runs and len(runs) > MOST_RUNS:
        # A server may name new runs without end: the oldest of its own go.
        others = [key for key in runs if key[0] == view.server and key not in (view.key, state.run)]
        if others:
            del runs[min(others, key=lambda key: key[1])]
    # Unless the person chose one, a run at work is shown before one that has ended.
    shown = runs.get(state.run) if state.run is not None else None
    better = shown is None or (not state.run_pinned and shown.ended and not view.ended)
    return replace(state, runs=runs, run=view.key if better else state.run)


def _job_seen(state: State, event: ev.JobSeen) -> StateChange:
    job = event.job
    if job.server not in state.servers:
        return state, set()
    before = _run(state, job.server, job.run)
    view = replace(before, job=job, heard_at=event.at)
    state = _with_run(state, view)
    jobs = {**state.servers[job.server].jobs, job.run: job.state}
    state = _with_server(state, job.server, jobs=jobs, heard_at=event.at)
    return state, {"servers", "runs", run_topic(view.key)} | _saved_topics(before, view)


def _run_events(state: State, event: ev.RunEvents) -> StateChange:
    if event.server not in state.servers:
        return state, set()
    before = _run(state, event.server, event.run)
    view = with_events(before, event.events, event.at)
    state = _with_server(_with_run(state, view), event.server, heard_at=event.at)
    logged = {log_topic(view.key)} if view.log is not before.log else set()
    return state, {"runs", run_topic(view.key)} | logged | _saved_topics(before, view)


def _run_summary_seen(state: State, event: ev.RunSummarySeen) -> StateChange:
    if event.server not in state.servers:
        return state, set()
    before = _run(state, event.server, event.run)
    view = with_summary(before, event.summary, event.at)
    state = _with_server(_with_run(state, view), event.server, heard_at=event.at)
    return state, {"runs", run_topic(view.key)} | _saved_topics(before, view)


def _saved_topics(before: RunView, after: RunView) -> set[str]:
    """A topic for when a run has saved a weight or has ended: its files have changed."""
    same = (
        before.ended == after.ended
        and before.saved_losses.by_path.keys() == after.saved_losses.by_path.keys()
    )
    return set() if same else {"saves"}


def _log_lines(state: State, event: ev.LogLines) -> StateChange:
    if event.server not in state.servers:
        return state, set()
    view = with_log(_run(state, event.server, event.run), event.lines, event.at)
    return _with_run(state, view), {log_topic(view.key)}


def _stream_reopened(state: State, event: ev.StreamReopened) -> StateChange:
    view = state.runs.get((event.server, event.run))
    if view is None:
        return state, set()
    runs = {**state.runs, view.key: replace(view, log=(), log_dropped=0)}
    return replace(state, runs=runs), {log_topic(view.key)}


def _deploy_planned(state: State, event: ev.DeployPlanned) -> StateChange:
    deploys = {**state.deploys, event.server: event.steps}
    return replace(state, deploys=deploys), {"deploys"}


def _deploy_step(state: State, event: ev.DeployStepChanged) -> StateChange:
    steps = state.deploys.get(event.server, ())
    if event.step.id in {step.id for step in steps}:
        steps = tuple(event.step if step.id == event.step.id else step for step in steps)
    else:
        steps = (*steps, event.step)
    return replace(state, deploys={**state.deploys, event.server: steps}), {"deploys"}


def _disk_seen(state: State, event: ev.DiskSeen) -> StateChange:
    return replace(state, disks={**state.disks, event.server: event}), {"disks"}


def _dataset_checking(state: State, event: ev.DatasetChecking) -> StateChange:
    return replace(state, checking=event, dataset_error=None, bare_recordings=None), {"dataset"}


def _dataset_checked(state: State, event: ev.DatasetChecked) -> StateChange:
    return replace(state, dataset=event.report, checking=None, dataset_error=None), {"dataset"}


def _dataset_unreadable(state: State, event: ev.DatasetUnreadable) -> StateChange:
    return replace(state, dataset=None, checking=None, dataset_error=event), {"dataset"}


def _bare_recordings_found(state: State, event: ev.BareRecordingsFound) -> StateChange:
    return replace(state, dataset=None, checking=None, bare_recordings=event.row), {"dataset"}


def _transcription_changed(state: State, event: ev.TranscriptionChanged) -> StateChange:
    return replace(state, transcription=event.row), {"dataset"}


def _datasets_seen(state: State, event: ev.DatasetsSeen) -> StateChange:
    return replace(state, datasets={**state.datasets, event.server: event.voices}), {"plan"}


def _recording_changed(state: State, event: ev.RecordingChanged) -> StateChange:
    return replace(state, recording=event.row), {"recording"}


def _waveform_read(state: State, event: ev.WaveformRead) -> StateChange:
    return replace(state, waveform=event), {"waveform"}


def _weights_seen(state: State, event: ev.WeightsSeen) -> StateChange:
    return replace(state, weights=event.weights), {"plan"}


def _add_server_failed(state: State, event: ev.AddServerFailed) -> StateChange:
    return replace(state, add_failed=event), {"servers"}


def _plan_made(state: State, event: ev.PlanMade) -> StateChange:
    return replace(state, plan=event.plan, plan_refused=None), {"plan"}


def _plan_refused(state: State, event: ev.PlanRefused) -> StateChange:
    return replace(state, plan=None, plan_refused=event.remark), {"plan"}


def _voices_seen(state: State, event: ev.VoicesSeen) -> StateChange:
    voices = {**state.voices, event.server: event.voices}
    seen = {**state.voices_at, event.server: event.at}
    return replace(state, voices=voices, voices_at=seen), {"voices"}


def _transfer_changed(state: State, event: ev.TransferChanged) -> StateChange:
    transfer = event.transfer
    state = replace(state, transfers={**state.transfers, transfer.id: transfer})
    known = state.datasets.get(transfer.server)
    if transfer.kind != "push" or transfer.state != "done" or known is None:
        return state, {"transfers"}
    voices = tuple(sorted({*known, transfer.voice}))
    return replace(state, datasets={**state.datasets, transfer.server: voices}), {
        "transfers",
        "plan",
    }


def _transfer_ended(state: State, event: ev.TransferEnded) -> StateChange:
    known = state.transfers.get(event.id)
    if known is None or known.state != "running":
        return state, set()
    ended = replace(known, state=event.state, why=event.why, bytes_per_second=None, eta_s=None)
    return replace(state, transfers={**state.transfers, event.id: ended}), {"transfers"}


def _voice_assets_seen(state: State, event: ev.VoiceAssetsSeen) -> StateChange:
    voice_assets = {**state.voice_assets, event.assets.key: event.assets}
    errors = {key: why for key, why in state.voice_assets_errors.items() if key != event.assets.key}
    return replace(state, voice_assets=voice_assets, voice_assets_errors=errors), {"voice_assets"}


def _voice_assets_unreadable(state: State, event: ev.VoiceAssetsUnreadable) -> StateChange:
    errors = {**state.voice_assets_errors, f"{event.server}/{event.voice}": event.why}
    return replace(state, voice_assets_errors=errors), {"voice_assets"}


def _read_books_seen(state: State, event: ev.ReadBooksSeen) -> StateChange:
    known = state.read_books
    working = known.working if known is not None else frozenset()
    return replace(state, read_books=replace(event.books, working=working)), {"books"}


def _revision_changed(state: State, event: ev.RevisionChanged) -> StateChange:
    known = state.read_books
    if known is None:
        return state, set()
    change = frozenset((event.key,))
    working = known.working | change if event.working else known.working - change
    return replace(state, read_books=replace(known, working=working)), {"books"}


def _text_read(state: State, event: ev.TextRead) -> StateChange:
    return replace(state, reading=event.reading), {"reading"}


def _take_changed(state: State, event: ev.TakeChanged) -> StateChange:
    """Takes keep the order in which they were asked for; the oldest beyond the limit go."""
    takes = {**state.takes, event.take.id: event.take}
    while len(takes) > MAX_TAKES:
        takes.pop(next(iter(takes)))
    return replace(state, takes=takes), {"takes"}


def _take_ended(state: State, event: ev.TakeEnded) -> StateChange:
    known = state.takes.get(event.id)
    if known is None or known.ended:
        return state, set()
    ended = replace(known, state=event.state, why=event.why)
    return replace(state, takes={**state.takes, event.id: ended}), {"takes"}


def _voice_chosen(state: State, event: ev.VoiceChosen) -> StateChange:
    return replace(state, voice=(event.server, event.voice)), {"voice"}


def _clip_measured(state: State, event: ev.ClipMeasured) -> StateChange:
    return replace(state, clip=event.clip), {"clip"}


def _audition_changed(state: State, event: ev.AuditionChanged) -> StateChange:
    auditions = {**state.auditions, event.audition.key: event.audition}
    return replace(state, auditions=auditions), {"auditions"}


def _audition_ended(state: State, event: ev.AuditionEnded) -> StateChange:
    key = f"{event.server}/{event.voice}"
    known = state.auditions.get(key)
    if known is None:
        return state, set()
    auditions = {**state.auditions, key: replace(known, running=False)}
    return replace(state, auditions=auditions), {"auditions"}


def _offers_seen(state: State, event: ev.OffersSeen) -> StateChange:
    return replace(state, offers=event.view), {"rent"}


def _leases_seen(state: State, event: ev.LeasesSeen) -> StateChange:
    return replace(state, leases=event.leases, leases_at=event.at), {"rent"}


def _provider_key_answered(state: State, event: ev.ProviderKeyAnswered) -> StateChange:
    return replace(state, key_answer=event.answer), {"rent"}


def _journey_changed(state: State, event: ev.JourneyChanged) -> StateChange:
    return replace(state, journey=event.view), {"rent"}


def _notice_raised(state: State, event: ev.NoticeRaised) -> StateChange:
    return replace(state, notices=(*state.notices, event)[-MAX_NOTICES:]), {"notices"}


def _playback_changed(state: State, event: ev.PlaybackChanged) -> StateChange:
    return replace(state, playing=event.path), {"playing"}


def _server_chosen(state: State, event: ev.ServerChosen) -> StateChange:
    return replace(state, server=event.server), {"chosen"}


def _run_chosen(state: State, event: ev.RunChosen) -> StateChange:
    state = replace(state, server=event.server, run=(event.server, event.run), run_pinned=True)
    return state, {"chosen", run_topic((event.server, event.run))}


def _clock_ticked(state: State, event: ev.ClockTicked) -> StateChange:
    """Ages are a topic only when one of them would read differently."""
    before, after = state.now, event.at
    stamps = [server.heard_at for server in state.servers.values()]
    stamps += [state.offers.at or None, state.leases_at]
    aged = any(_displayed_age(at, before) != _displayed_age(at, after) for at in stamps)
    costing = state.leases or (state.journey is not None and not state.journey.ended)
    return replace(state, now=after), ({"ages"} if aged else set()) | (
        {"rent"} if costing else set()
    )


def _displayed_age(at: int | None, now: int) -> int | None:
    age = seconds_since(at, now)
    return None if age is None else displayed_age(age)


_REDUCERS: dict[type, Callable[[State, Any], StateChange]] = {
    ev.ServersLoaded: _servers_loaded,
    ev.ConnectionChanged: _connection_changed,
    ev.FactsSeen: _facts_seen,
    ev.TelemetrySeen: _telemetry_seen,
    ev.JobSeen: _job_seen,
    ev.RunEvents: _run_events,
    ev.RunSummarySeen: _run_summary_seen,
    ev.LogLines: _log_lines,
    ev.StreamReopened: _stream_reopened,
    ev.DeployPlanned: _deploy_planned,
    ev.DeployStepChanged: _deploy_step,
    ev.DiskSeen: _disk_seen,
    ev.DatasetChecking: _dataset_checking,
    ev.DatasetChecked: _dataset_checked,
    ev.DatasetUnreadable: _dataset_unreadable,
    ev.BareRecordingsFound: _bare_recordings_found,
    ev.DatasetsSeen: _datasets_seen,
    ev.TranscriptionChanged: _transcription_changed,
    ev.RecordingChanged: _recording_changed,
    ev.WaveformRead: _waveform_read,
    ev.PlanMade: _plan_made,
    ev.PlanRefused: _plan_refused,
    ev.WeightsSeen: _weights_seen,
    ev.AddServerFailed: _add_server_failed,
    ev.VoicesSeen: _voices_seen,
    ev.TransferChanged: _transfer_changed,
    ev.TransferEnded: _transfer_ended,
    ev.VoiceAssetsSeen: _voice_assets_seen,
    ev.VoiceAssetsUnreadable: _voice_assets_unreadable,
    ev.VoiceChosen: _voice_chosen,
    ev.ClipMeasured: _clip_measured,
    ev.ReadBooksSeen: _read_books_seen,
    ev.RevisionChanged: _revision_changed,
    ev.TextRead: _text_read,
    ev.TakeChanged: _take_changed,
    ev.TakeEnded: _take_ended,
    ev.AuditionChanged: _audition_changed,
    ev.AuditionEnded: _audition_ended,
    ev.OffersSeen: _offers_seen,
    ev.LeasesSeen: _leases_seen,
    ev.ProviderKeyAnswered: _provider_key_answered,
    ev.JourneyChanged: _journey_changed,
    ev.NoticeRaised: _notice_raised,
    ev.PlaybackChanged: _playback_changed,
    ev.ServerChosen: _server_chosen,
    ev.RunChosen: _run_chosen,
    ev.ClockTicked: _clock_ticked,
}
