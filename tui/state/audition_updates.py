"""Applies an audition's updates, for the dashboard and the command line. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from sovdeck.engine.contract.audition import AuditionCell, Standing
from sovdeck.remote.speech import audition as remote_audition
from sovdeck.tui.state.speech_models import AuditionDraft, AuditionState


def with_event(
    audition: AuditionState, event: remote_audition.AuditionUpdate, wav: Path | None = None
) -> AuditionState:
    """`audition` with one more update; `wav` is a cell's file on this computer."""
    if isinstance(event, AuditionCell):
        cell = replace(event, wav=None if wav is None else str(wav))
        return replace(audition, cells=(*audition.cells, cell), total=event.total)
    if isinstance(event, Standing):
        return replace(audition, standings=(*audition.standings, event))
    return replace(audition, votes=event.votes, chosen=event.chosen, stale=event.stale)


def with_standings(
    audition: AuditionState, events: Iterable[remote_audition.AuditionUpdate]
) -> AuditionState:
    """`audition` with the standings of a new ranking in place of the old."""
    audition = replace(audition, standings=())
    for event in events:
        if not isinstance(event, AuditionCell):
            audition = with_event(audition, event)
    return audition


def engine_args(draft: AuditionDraft) -> list[str]:
    """A draft as arguments of `engine audition`."""
    args = ["--text-lang", draft.text_language, "--references", str(draft.references)]
    args += ["--seed", str(draft.seed)]
    args += ["--verify", str(draft.rerolls)] if draft.rerolls else []
    args += [f"--pitch={draft.pitch:g}"] if draft.pitch else []  # it may begin with a dash
    args += ["--gpt", *draft.gpt] if draft.gpt else []
    args += ["--sovits", *draft.sovits] if draft.sovits else []
    return args + [f"--text={text}" for text in draft.texts]  # a text may begin with a dash
