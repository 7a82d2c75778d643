"""Auditions for real: rendered by a run on the server, heard from files on this computer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from engine.contract.audition import AuditionCell
from engine.contract.problem import ExitCode, Problem
from remote import audition as far
from remote import job
from remote.studio import Studio
from remote.take_file import audition_folder
from tui.hearing import grown, keep_vote, options_of, reranked
from tui.services.protocols import Cancel, Emit
from tui.services.studios import Studios
from tui.state import events as ev
from tui.state.speech import Audition, AuditionDraft

GRACE_S = 10.0
LOOK_S = 0.5


class LiveAuditions:
    def __init__(self, studios: Studios) -> None:
        self._studios = studios
        self._known: dict[str, Audition] = {}

    def render(self, draft: AuditionDraft, emit: Emit, cancel: Cancel) -> None:
        studio = self._studios.get(draft.server)
        handle, _ = far.start(studio, draft.voice, options_of(draft))
        self._follow(studio, draft.voice, handle, emit, cancel)

    def recall(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        studio = self._studios.get(server)
        handle = far.at_work(studio, voice)
        if handle is not None:  # started from elsewhere, or before this dashboard was opened
            self._follow(studio, voice, handle, emit, cancel)
            return
        self._tell(self._last(studio, voice, cancel), emit)

    def vote(
        self,
        server: str,
        voice: str,
        better: AuditionCell,
        worse: AuditionCell,
        emit: Emit,
        cancel: Cancel,
    ) -> None:
        studio = self._studios.get(server)
        told = far.vote(studio, voice, better, worse)
        keep_vote(_folder(studio, voice), better, worse)
        self._tell(reranked(self._rows(studio, voice, cancel), told), emit)

    def choose(
        self, server: str, voice: str, gpt: str, sovits: str, emit: Emit, cancel: Cancel
    ) -> None:
        studio = self._studios.get(server)
        told = far.choose(studio, voice, gpt, sovits)
        self._tell(reranked(self._rows(studio, voice, cancel), told), emit)

    def stop(self, server: str, voice: str, emit: Emit, cancel: Cancel) -> None:
        studio = self._studios.get(server)
        handle = far.at_work(studio, voice)
        if handle is not None:  # else it has come to its end meanwhile
            job.stop(studio.link(), handle, GRACE_S)

    def _follow(
        self, studio: Studio, voice: str, handle: job.RunHandle, emit: Emit, cancel: Cancel
    ) -> None:
        """Bring cells here as they appear; cancelling only ends the watching."""
        watch, over = far.Watch(studio.link, handle), threading.Event()
        threading.Thread(
            target=_close_when, args=(cancel, over, watch), daemon=True, name=f"end:{handle.run}"
        ).start()
        try:
            rows = self._grow(studio, voice, watch.told(), emit, cancel)
        except Problem as problem:
            if problem.exit_code is ExitCode.INTERRUPTED:  # somebody stopped it
                return
            raise
        finally:
            over.set()
        if not cancel.is_set():
            self._tell(replace(rows, running=False), emit)

    def _grow(
        self, studio: Studio, voice: str, told: Iterable[far.Told], emit: Emit, cancel: Cancel
    ) -> Audition:
        rows = Audition(studio.name, voice, running=True)
        emit(ev.AuditionChanged(rows))
        for one in _compared(told):
            if isinstance(one, AuditionCell):
                rows = grown(rows, one, far.fetch(studio, voice, one, _folder(studio, voice)))
                self._tell(rows, emit)
            else:
                rows = grown(rows, one)
        return rows

    def _last(self, studio: Studio, voice: str, cancel: Cancel) -> Audition:
        """The last audition, its sounds here; an empty one where there was none."""
        rows = Audition(studio.name, voice)
        try:
            told = far.recall(studio, voice)
        except Problem as problem:
            if problem.key == "engine.speaking.no_table":
                return rows
            raise
        for one in _compared(told):
            if cancel.is_set():
                return rows
            wav = None
            if isinstance(one, AuditionCell):
                wav = far.fetch(studio, voice, one, _folder(studio, voice))
            rows = grown(rows, one, wav)
        return rows

    def _rows(self, studio: Studio, voice: str, cancel: Cancel) -> Audition:
        known = self._known.get(f"{studio.name}/{voice}")
        return known if known is not None else self._last(studio, voice, cancel)

    def _tell(self, rows: Audition, emit: Emit) -> None:
        self._known[rows.key] = rows
        emit(ev.AuditionChanged(rows))


def _compared(told: Iterable[far.Told]) -> Iterator[far.Told]:
    """What the room compares: without training's own samples, which belong to no pair."""
    for one in told:
        if not (isinstance(one, AuditionCell) and one.kind == "saved"):
            yield one


def _folder(studio: Studio, voice: str) -> Path:
    return audition_folder(Path(studio.config.paths.outputs).absolute(), voice)


def _close_when(cancel: Cancel, over: threading.Event, watch: far.Watch) -> None:
    """End the watching once cancelled; one that ended by itself needs nobody."""
    while not cancel.wait(LOOK_S):
        if over.is_set():
            return
    watch.close()
