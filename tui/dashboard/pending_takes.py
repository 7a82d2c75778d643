"""Takes that wait until their server has listed its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sovdeck.tui.state.speak_form import SpeakForm
from sovdeck.tui.state.speech_models import TakeRow
from sovdeck.tui.state.state import State


class PendingTakes:
    """At most one take a server; it may be changed until it is spoken. Main thread only."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[TakeRow, SpeakForm]] = {}

    def __contains__(self, server: str) -> bool:
        return server in self._waiting

    def add(self, form: SpeakForm, new_take: Callable[[], TakeRow]) -> TakeRow | None:
        """Queue what the form holds, in place of what waited for the same voice.

        None while a take of another voice waits for the server.
        """
        draft = form.draft()
        known = self._waiting.get(draft.server)
        if known is not None and known[1].key != form.key:
            return None
        take = replace(known[0], draft=draft) if known is not None else new_take()
        self._waiting[draft.server] = take, form
        return take

    def remove(self, server: str, voice: str = "") -> TakeRow | None:
        """Remove and return the take that waits there; with `voice` only a take of that voice."""
        take, _ = self._waiting.get(server, (None, None))
        if take is not None and voice in ("", take.draft.voice):
            del self._waiting[server]
            return take
        return None

    def pop_ready(self, state: State) -> list[TakeRow]:
        """Remove and return the takes whose weights are known now, with those weights."""
        ready = []
        for server, (take, form) in list(self._waiting.items()):
            assets = state.voice_assets.get(form.key)
            if assets is not None:
                del self._waiting[server]
                form.set_voice(form.key, assets, state.auditions.get(form.key))
                ready.append(replace(take, draft=form.draft()))
        return ready
