"""The one store: `apply` events, get a new state and the topics that changed.

Pure and synchronous, without Textual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from tui.state import events as ev
from tui.state.ages import seconds_since, step_of
from tui.state.facts import ServerState, Telemetry
from tui.state.reduce_speech import SPEECH_REDUCERS
from tui.state.runs import RunView, with_events, with_log
from tui.state.series import Series
from tui.state.state import Changed, State, Topics, log_topic, run_topic

NOTICES = 200
WINDOW = 1200  # telemetry points kept a line: 20 minutes at one a second


class Store:
    """Holds the current state; only `apply` changes it."""

    def __init__(self, now: int = 0) -> None:
        self.state = State(now=now)

    def apply(self, events: Iterable[ev.StoreEvent]) -> Topics:
        """Fold `events` into the state and return the topics that changed."""
        topics: set[str] = set()
        for event in events:
            self.state, changed = _REDUCERS[type(event)](self.state, event)
            topics |= changed
        return frozenset(topics)


def _servers_loaded(state: State, event: ev.ServersLoaded) -> Changed:
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
    if known is None:  # a late word about a server that was just removed
        return state
    return replace(state, servers={**state.servers, name: replace(known, **changes)})


def _link_changed(state: State, event: ev.LinkChanged) -> Changed:
    changes: dict[str, Any] = {
        "link": event.link, "link_at": event.at, "link_detail": event.detail,
    }  # fmt: skip
    if event.link == "up":
        changes["heard_at"] = event.at
    return _with_server(state, event.server, **changes), {"servers"}


def _facts_seen(state: State, event: ev.FactsSeen) -> Changed:
    state = _with_server(
        state, event.server, facts=event.facts, facts_at=event.at, heard_at=event.at
    )
    return state, {"servers"}


def _telemetry_seen(state: State, event: ev.TelemetrySeen) -> Changed:
    if event.server not in state.servers:
        return state, set()
    state = _with_server(state, event.server, telemetry=event.sample, heard_at=event.at)
    lines = dict(state.history.get(event.server, {}))
    for name, value in _figures(event.sample):
        lines[name] = lines.get(name, Series(WINDOW, "roll")).extended(
            [(event.sample.t / 1000, value)]
        )
    history = {**state.history, event.server: lines}
    return replace(state, history=history), {"servers", f"telemetry:{event.server}"}


def _figures(sample: Telemetry) -> list[tuple[str, float | None]]:
    rows: list[tuple[str, float | None]] = []
    for gpu in sample.gpus:
        rows.append((f"{gpu.uuid}/memory", gpu.memory_used))
        rows.append((f"{gpu.uuid}/utilisation", gpu.utilisation))
    rows.append(("ram", sample.ram_used))
    rows.append(("cpu", sample.cpu_percent))
    return rows


def _run(state: State, server: str, run: str) -> RunView:
    return state.runs.get((server, run)) or RunView(server, run)


def _with_run(state: State, view: RunView) -> State:
    runs = {**state.runs, view.key: view}
    # Unless the person chose one, a run at work is shown before one that has ended.
    shown = runs.get(state.run) if state.run is not None else None
    better = shown is None or (not state.run_pinned and shown.ended and not view.ended)
    return replace(state, runs=runs, run=view.key if better else state.run)


def _job_seen(state: State, event: ev.JobSeen) -> Changed:
    job = event.job
    if job.server not in state.servers:
        return state, set()
    before = _run(state, job.server, job.run)
    view = replace(before, job=job, heard_at=event.at)
    state = _with_run(state, view)
    jobs = {**state.servers[job.server].jobs, job.run: job.state}
    state = _with_server(state, job.server, jobs=jobs, heard_at=event.at)
    return state, {"servers", "runs", run_topic(view.key)} | _saves(before, view)


def _run_events(state: State, event: ev.RunEvents) -> Changed:
    if event.server not in state.servers:
        return state, set()
    before = _run(state, event.server, event.run)
    view = with_events(before, event.events, event.at)
    state = _with_server(_with_run(state, view), event.server, heard_at=event.at)
    return state, {"runs", run_topic(view.key)} | _saves(before, view)


def _saves(before: RunView, after: RunView) -> set[str]:
    """A topic for when a run has saved a weight, or has ended: other files lie there now."""
    same = before.ended == after.ended and before.saved.at.keys() == after.saved.at.keys()
    return set() if same else {"saves"}


def _log_lines(state: State, event: ev.LogLines) -> Changed:
    if event.server not in state.servers:
        return state, set()
    view = with_log(_run(state, event.server, event.run), event.lines, event.at)
    return _with_run(state, view), {log_topic(view.key)}


def _stream_reopened(state: State, event: ev.StreamReopened) -> Changed:
    view = state.runs.get((event.server, event.run))
    if view is None:
        return state, set()
    runs = {**state.runs, view.key: replace(view, log=(), log_dropped=0)}
    return replace(state, runs=runs), {log_topic(view.key)}


def _deploy_planned(state: State, event: ev.DeployPlanned) -> Changed:
    deploys = {**state.deploys, event.server: event.steps}
    return replace(state, deploys=deploys), {"deploys"}


def _deploy_step(state: State, event: ev.DeployStepChanged) -> Changed:
    steps = state.deploys.get(event.server, ())
    if event.step.id in {step.id for step in steps}:
        steps = tuple(event.step if step.id == event.step.id else step for step in steps)
    else:
        steps = (*steps, event.step)
    return replace(state, deploys={**state.deploys, event.server: steps}), {"deploys"}


def _dataset_checking(state: State, event: ev.DatasetChecking) -> Changed:
    return replace(state, checking=event, dataset_refused=None), {"dataset"}


def _dataset_checked(state: State, event: ev.DatasetChecked) -> Changed:
    return replace(state, dataset=event.report, checking=None, dataset_refused=None), {"dataset"}


def _dataset_refused(state: State, event: ev.DatasetRefused) -> Changed:
    return replace(state, dataset=None, checking=None, dataset_refused=event.why), {"dataset"}


def _clip_outlined(state: State, event: ev.ClipOutlined) -> Changed:
    return replace(state, outline=event), {"outline"}


def _plan_made(state: State, event: ev.PlanMade) -> Changed:
    return replace(state, plan=event.plan), {"plan"}


def _voices_seen(state: State, event: ev.VoicesSeen) -> Changed:
    voices = {**state.voices, event.server: event.voices}
    seen = {**state.voices_at, event.server: event.at}
    return replace(state, voices=voices, voices_at=seen), {"voices"}


def _transfer_changed(state: State, event: ev.TransferChanged) -> Changed:
    transfers = {**state.transfers, event.transfer.id: event.transfer}
    return replace(state, transfers=transfers), {"transfers"}


def _transfer_ended(state: State, event: ev.TransferEnded) -> Changed:
    known = state.transfers.get(event.id)
    if known is None or known.state != "running":
        return state, set()
    ended = replace(known, state=event.state, why=event.why, bytes_per_second=None, eta_s=None)
    return replace(state, transfers={**state.transfers, event.id: ended}), {"transfers"}


def _notice_raised(state: State, event: ev.NoticeRaised) -> Changed:
    return replace(state, notices=(*state.notices, event)[-NOTICES:]), {"notices"}


def _playback_changed(state: State, event: ev.PlaybackChanged) -> Changed:
    return replace(state, playing=event.path), {"playing"}


def _server_chosen(state: State, event: ev.ServerChosen) -> Changed:
    return replace(state, server=event.server), {"chosen"}


def _run_chosen(state: State, event: ev.RunChosen) -> Changed:
    state = replace(state, server=event.server, run=(event.server, event.run), run_pinned=True)
    return state, {"chosen", run_topic((event.server, event.run))}


def _clock_ticked(state: State, event: ev.ClockTicked) -> Changed:
    """Ages are a topic only when one of them would read differently."""
    before, after = state.now, event.at
    stamps = [server.heard_at for server in state.servers.values()]
    aged = any(_age_step(at, before) != _age_step(at, after) for at in stamps)
    return replace(state, now=after), {"ages"} if aged else set()


def _age_step(at: int | None, now: int) -> int | None:
    age = seconds_since(at, now)
    return None if age is None else step_of(age)


_REDUCERS: dict[type, Callable[[State, Any], Changed]] = {
    ev.ServersLoaded: _servers_loaded,
    ev.LinkChanged: _link_changed,
    ev.FactsSeen: _facts_seen,
    ev.TelemetrySeen: _telemetry_seen,
    ev.JobSeen: _job_seen,
    ev.RunEvents: _run_events,
    ev.LogLines: _log_lines,
    ev.StreamReopened: _stream_reopened,
    ev.DeployPlanned: _deploy_planned,
    ev.DeployStepChanged: _deploy_step,
    ev.DatasetChecking: _dataset_checking,
    ev.DatasetChecked: _dataset_checked,
    ev.DatasetRefused: _dataset_refused,
    ev.ClipOutlined: _clip_outlined,
    ev.PlanMade: _plan_made,
    ev.VoicesSeen: _voices_seen,
    ev.TransferChanged: _transfer_changed,
    ev.TransferEnded: _transfer_ended,
    **SPEECH_REDUCERS,
    ev.NoticeRaised: _notice_raised,
    ev.PlaybackChanged: _playback_changed,
    ev.ServerChosen: _server_chosen,
    ev.RunChosen: _run_chosen,
    ev.ClockTicked: _clock_ticked,
}
