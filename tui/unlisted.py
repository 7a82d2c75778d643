"""Takes that wait until their server has listed its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tui.state.speak_desk import SpeakDesk
from tui.state.speech import Take
from tui.state.state import State


class Unlisted:
    """At most one a server. What it says may be changed until it is spoken; main thread only."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Take, SpeakDesk]] = {}

    def __contains__(self, server: str) -> bool:
        return server in self._waiting

    def lay(self, laid: SpeakDesk, new: Callable[[], Take]) -> Take | None:
        """Let what lies on this desk wait, instead of what waited for the same voice before.

        None while a take of another voice waits for the server.
        """
        draft = laid.draft()
        known = self._waiting.get(draft.server)
        if known is not None and known[1].key != laid.key:
            return None
        take = replace(known[0], draft=draft) if known is not None else new()
        self._waiting[draft.server] = take, laid
        return take

    def take_back(self, server: str, voice: str = "") -> Take | None:
        """The take that waited there and does no more; `voice` only if it is that one's."""
        take, _ = self._waiting.get(server, (None, None))
        if take is not None and voice in ("", take.draft.voice):
            del self._waiting[server]
            return take
        return None

    def listed(self, state: State) -> list[Take]:
        """Takes whose weights are known now; they wait no more, and have all they need."""
        found = []
        for server, (take, laid) in list(self._waiting.items()):
            shelf = state.shelves.get(laid.key)
            if shelf is not None:
                del self._waiting[server]
                laid.begin(laid.key, shelf, state.auditions.get(laid.key))
                found.append(replace(take, draft=laid.draft()))
        return found
