"""Auditions on real servers: rendered by a run there, played from files here."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace

from sovdeck.engine.contract.audition import AuditionCell
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.preflight.audition import check_audition
from sovdeck.remote.preflight.other_runs import beside_text
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech import audition as remote_audition
from sovdeck.tui.services.connections import ConnectionRegistry, now_ms
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.audition_updates import engine_args, with_event, with_standings
from sovdeck.tui.state.speech_models import AuditionDraft, AuditionState

POLL_S = 0.5


class LiveAuditions:
    """Follows auditions and keeps the last one of each voice."""

    def __init__(self, connections: ConnectionRegistry) -> None:
        self._connections = connections
        self._known: dict[str, AuditionState] = {}

    def render(self, draft: AuditionDraft, emit: Emit, cancel: Cancel) -> None:
        """Start an audition and follow it to its end."""
        session = self._connections.session(draft.server)
        options = engine_args(draft)
        checked = check_audition(session, draft.voice, options)
        handle = checked.running
        if handle is None:
            if checked.active and not draft.queue:
                beside = beside_text(session, checked.active[-1])
                emit(ev.NoticeRaised("note", beside, now_ms()))
            queue = draft.queue and bool(checked.active)
            handle = remote_audition.start(session, draft.voice, options, queue=queue)
        self._follow(session, draft.voice, handle, emit, cancel)

    def recall(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Follow the voice's running audition, else load its last one."""
        session = self._connections.session(server)
        handle = remote_audition.find_running(session, voice)
        if handle is not None:  # started from elsewhere, or before this dashboard was opened
            self._follow(session, voice, handle, emit, cancel)
            return
        self._emit_audition(self._load_last(session, voice, cancel), emit)

    def vote(
        self,
        server: str,
        voice: str,
        better: AuditionCell,
        worse: AuditionCell,
        emit: Emit,
        cancel: Cancel,
    ) -> None:
        """Send a vote to the server and note it beside the sounds here."""
        session = self._connections.session(server)
        events = remote_audition.vote(session, voice, better, worse)
        self._emit_audition(with_standings(self._current(session, voice, cancel), events), emit)

    def choose(
        self, server: str, voice: str, gpt: str, sovits: str, emit: Emit, cancel: Cancel
    ) -> None:
        """Choose the pair of weights that is packed."""
        session = self._connections.session(server)
        events = remote_audition.choose_pair(session, voice, gpt, sovits)
        self._emit_audition(with_standings(self._current(session, voice, cancel), events), emit)

    def stop(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        """Stop the voice's running audition, if there is one."""
        session = self._connections.session(server)
        remote_audition.stop(session, voice)  # it may have come to its end meanwhile

    def _follow(
        self,
        session: ServerSession,
        voice: str,
        handle: job_client.RunHandle,
        emit: Emit,
        cancel: Cancel,
    ) -> None:
        """Download cells as they appear; cancelling only ends the following."""
        watch, ended = (
            remote_audition.AuditionFollower(session.connection, handle),
            threading.Event(),
        )
        threading.Thread(
            target=_close_on_cancel,
            args=(cancel, ended, watch),
            daemon=True,
            name=f"end:{handle.run_id}",
        ).start()
        try:
            audition = self._collect(session, voice, watch.updates(), emit, cancel)
        except Problem as problem:
            if problem.exit_code is ExitCode.INTERRUPTED:  # somebody stopped it
                return
            raise
        finally:
            ended.set()
        if not cancel.is_set():
            self._emit_audition(replace(audition, running=False), emit)

    def _collect(
        self,
        session: ServerSession,
        voice: str,
        events: Iterable[remote_audition.AuditionUpdate],
        emit: Emit,
        cancel: Cancel,
    ) -> AuditionState:
        audition = AuditionState(session.name, voice, running=True)
        emit(ev.AuditionChanged(audition))
        wanted = _without_samples(events)
        for event, wav in remote_audition.fetch_sounds(session, voice, wanted):
            audition = with_event(audition, event, wav)
            if wav is not None:
                self._emit_audition(audition, emit)
        return audition

    def _load_last(self, session: ServerSession, voice: str, cancel: Cancel) -> AuditionState:
        """The last audition, its sounds downloaded; an empty one where there was none."""
        audition = AuditionState(session.name, voice)
        try:
            events = remote_audition.read_last(session, voice)
        except Problem as problem:
            if problem.key == "engine.speaking.no_table":
                return audition
            raise
        wanted = _without_samples(events)
        for event, wav in remote_audition.fetch_sounds(session, voice, wanted):
            audition = with_event(audition, event, wav)
            if cancel.is_set():
                break
        return audition

    def _current(self, session: ServerSession, voice: str, cancel: Cancel) -> AuditionState:
        known = self._known.get(f"{session.name}/{voice}")
        return known if known is not None else self._load_last(session, voice, cancel)

    def _emit_audition(self, audition: AuditionState, emit: Emit) -> None:
        self._known[audition.key] = audition
        emit(ev.AuditionChanged(audition))


def _without_samples(
    events: Iterable[remote_audition.AuditionUpdate],
) -> Iterator[remote_audition.AuditionUpdate]:
    """Without training's own samples, which belong to no pair."""
    for event in events:
        if not (isinstance(event, AuditionCell) and event.kind == "saved"):
            yield event


def _close_on_cancel(
    cancel: Cancel, ended: threading.Event, watch: remote_audition.AuditionFollower
) -> None:
    """Close the follower once cancelled; nothing to do when it ended by itself."""
    while not cancel.wait(POLL_S):
        if ended.is_set():
            return
    watch.close()
