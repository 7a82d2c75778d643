"""Tells people elsewhere how a run ended: the desktop, and a webhook of their choice."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from engine.contract.catalogue import Language
from engine.contract.problem import Problem
from remote import webhook
from remote.config.sections import Notify
from remote.credentials import Keychain
from remote.keychain import SystemKeychain
from tui import desktop
from tui.console import Console
from tui.state.work import RunEnd


class Herald:
    """Follows the [notify] section of deploy.toml."""

    def __init__(
        self,
        notify: Notify,
        keychain: Keychain,
        language: Language,
        show: Callable[[str, str], None] = desktop.show,
    ) -> None:
        self._notify = notify
        self._keychain = keychain
        self._language = language
        self._show = show

    def tell(self, end: RunEnd) -> list[Problem]:
        """Tell everyone who wants to know; what went wrong on the way, one entry a way."""
        if end.good and self._notify.on == "failure":
            return []
        ways: list[Callable[[RunEnd], None]] = []
        if self._notify.desktop:
            ways.append(self._tell_desktop)
        if self._notify.webhook:
            ways.append(self._tell_webhook)
        problems = []
        for way in ways:
            try:
                way(end)
            except Problem as problem:
                problems.append(problem)
        return problems

    def _tell_desktop(self, end: RunEnd) -> None:
        self._show("sovdeck", end.words().get(self._language))

    def _tell_webhook(self, end: RunEnd) -> None:
        name = self._notify.webhook
        address = webhook.find_address(name, self._keychain)
        webhook.post(name, address, record(end, end.words().get(self._language)))


def announce(notify: Notify, end: RunEnd, console: Console) -> None:
    """What a verb does when the run it followed has ended; its own exit code stays the run's."""
    if notify.bell:
        console.ring()
    for problem in Herald(notify, SystemKeychain(), console.language).tell(end):
        console.error(problem.sentence(console.language))


def record(end: RunEnd, words: str) -> dict[str, Any]:
    """What a webhook is sent; `text` and `content` are what common chat services show."""
    return {
        "source": "sovdeck", "event": "run_ended", "time": int(time.time()),
        "server": end.server, "run": end.run, "voice": end.voice, "state": end.state,
        "exit_code": end.exit_code, "text": words, "content": words,
    }  # fmt: skip
