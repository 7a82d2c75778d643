"""How the store takes what is told about speaking: shelves, takes, auditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tui.state import events as ev
from tui.state.state import Changed, State

TAKES = 100


def shelf_seen(state: State, event: ev.ShelfSeen) -> Changed:
    shelves = {**state.shelves, event.shelf.key: event.shelf}
    refused = {key: why for key, why in state.unlisted.items() if key != event.shelf.key}
    return replace(state, shelves=shelves, unlisted=refused), {"shelves"}


def shelf_refused(state: State, event: ev.ShelfRefused) -> Changed:
    unlisted = {**state.unlisted, f"{event.server}/{event.voice}": event.why}
    return replace(state, unlisted=unlisted), {"shelves"}


def take_changed(state: State, event: ev.TakeChanged) -> Changed:
    """Takes keep the order in which they were asked for; the oldest beyond the limit go."""
    takes = {**state.takes, event.take.id: event.take}
    while len(takes) > TAKES:
        takes.pop(next(iter(takes)))
    return replace(state, takes=takes), {"takes"}


def take_ended(state: State, event: ev.TakeEnded) -> Changed:
    known = state.takes.get(event.id)
    if known is None or known.ended:
        return state, set()
    ended = replace(known, state=event.state, why=event.why)
    return replace(state, takes={**state.takes, event.id: ended}), {"takes"}


def voice_chosen(state: State, event: ev.VoiceChosen) -> Changed:
    return replace(state, voice=(event.server, event.voice)), {"voice"}


def clip_measured(state: State, event: ev.ClipMeasured) -> Changed:
    return replace(state, clip=event.clip), {"clip"}


def audition_changed(state: State, event: ev.AuditionChanged) -> Changed:
    auditions = {**state.auditions, event.audition.key: event.audition}
    return replace(state, auditions=auditions), {"auditions"}


def audition_ended(state: State, event: ev.AuditionEnded) -> Changed:
    key = f"{event.server}/{event.voice}"
    known = state.auditions.get(key)
    if known is None:
        return state, set()
    auditions = {**state.auditions, key: replace(known, running=False)}
    return replace(state, auditions=auditions), {"auditions"}


SPEECH_REDUCERS: dict[type, Callable[[Any, Any], Changed]] = {
    ev.ShelfSeen: shelf_seen,
    ev.ShelfRefused: shelf_refused,
    ev.VoiceChosen: voice_chosen,
    ev.ClipMeasured: clip_measured,
    ev.TakeChanged: take_changed,
    ev.TakeEnded: take_ended,
    ev.AuditionChanged: audition_changed,
    ev.AuditionEnded: audition_ended,
}
