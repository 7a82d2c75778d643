"""Tells the person when something ends: a toast, and by choice the bell or the desktop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tui.language import say, tell
from tui.state.events import NoticeRaised
from tui.state.runs import RunKey
from tui.state.state import State
from tui.state.work import RunEnd

if TYPE_CHECKING:
    from tui.deck import Deck

Severity = Literal["information", "warning", "error"]
_SEVERITY: dict[str, Severity] = {
    "good": "information", "note": "information", "warning": "warning", "bad": "error",
}  # fmt: skip


class Announcer:
    """Compares the state before and after a drain; only what has newly ended is told."""

    def __init__(self, deck: Deck) -> None:
        self.deck = deck
        self._live: set[RunKey] = set()
        self._moving: set[str] = set()

    def before(self, state: State) -> None:
        self._live = {key for key, run in state.runs.items() if not run.ended and run.job}
        self._moving = {t.id for t in state.transfers.values() if t.state == "running"}

    def after(self, state: State) -> None:
        for key in self._live:
            run = state.runs.get(key)
            if run is not None and run.ended:
                code = run.job.exit_code if run.job else None
                end = RunEnd(run.server, run.run, run.voice, run.status, code)
                self._tell(tell(self.deck, end.words()), "information" if end.good else "error")
                self.deck.spread(end)
        for id_ in self._moving:
            transfer = state.transfers[id_]
            if transfer.state == "done" and transfer.kind == "pull" and transfer.verified:
                facts = {"voice": transfer.voice, "server": transfer.server}
                words = "tui.notices.voice_home"
                if transfer.at_work:
                    words = "tui.notices.voice_home_at_work"
                self._tell(say(self.deck, words, **facts), "information")

    def notice(self, event: NoticeRaised) -> None:
        title, more = tell(self.deck, event.text), tell(self.deck, event.hint)
        severity = _SEVERITY[event.level]
        self.deck.notify(
            more or title, title=title if more else "", severity=severity, timeout=8, markup=False
        )

    def _tell(self, words: str, severity: Severity) -> None:
        self.deck.notify(words, severity=severity, timeout=12, markup=False)
        way = self.deck.settings.notify
        if way == "bell":
            self.deck.bell()
        elif way == "desktop":
            # OSC 9: the terminal itself raises the notification, also over ssh.
            driver = self.deck._driver
            clean = "".join(c for c in words if c.isprintable())
            if driver is not None:
                driver.write(f"\x1b]9;{clean}\x07")
