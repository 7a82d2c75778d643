"""Notifies a person how a run ended: on the desktop, by a webhook, and by WeChat."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sovdeck.engine.contract.catalogue import Language
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.auth.credentials import Keyring
from sovdeck.remote.config.sections import NotifySection
from sovdeck.remote.notify import webhook, wechat
from sovdeck.remote.printable import strip_controls
from sovdeck.tui.notify import desktop
from sovdeck.tui.state.models import RunEnd

_LONGEST_NAME = 200  # characters: no name of ours comes near, and no argument may be endless


class RunNotifier:
    """Sends the notifications that the [notify] section of deploy.toml asks for."""

    def __init__(
        self,
        config: NotifySection,
        keychain: Keyring,
        language: Language,
        show_notification: Callable[[str, str], None] = desktop.show_notification,
    ) -> None:
        self._config = config
        self._keychain = keychain
        self._language = language
        self._show_notification = show_notification

    def notify(self, end: RunEnd) -> list[Problem]:
        """Send every configured notification; one Problem for each that failed.

        What a server calls its runs and voices is plain text of bounded length in all of them.
        """
        server, run, voice = (_plain(text) for text in (end.server, end.run, end.voice))
        end = replace(end, server=server, run=run, voice=voice)
        if end.good and self._config.on == "failure":
            return []
        senders: list[Callable[[RunEnd], None]] = []
        if self._config.desktop:
            senders.append(self._notify_desktop)
        if self._config.webhook:
            senders.append(self._post_webhook)
        if self._config.wechat:
            senders.append(self._send_wechat)
        problems = []
        for send in senders:
            try:
                send(end)
            except Problem as problem:
                problems.append(problem)
        return problems

    def _notify_desktop(self, end: RunEnd) -> None:
        self._show_notification("sovdeck", end.message().get(self._language))

    def _post_webhook(self, end: RunEnd) -> None:
        name = self._config.webhook
        address = webhook.find_address(name, self._keychain)
        webhook.post_json(name, address, webhook_payload(end, end.message().get(self._language)))

    def _send_wechat(self, end: RunEnd) -> None:
        token = wechat.find_token(self._keychain)
        message = end.message().get(self._language)
        wechat.send_message(token, "sovdeck", end.voice, message)


def _plain(text: str) -> str:
    return " ".join(strip_controls(text[:_LONGEST_NAME]).split())


def webhook_payload(end: RunEnd, message: str) -> dict[str, Any]:
    """The JSON a webhook is sent; `text` and `content` are what chat services show."""
    return {
        "source": "sovdeck",
        "event": "run_ended",
        "time": int(time.time()),
        "server": end.server,
        "run": end.run,
        "voice": end.voice,
        "state": end.state,
        "exit_code": end.exit_code,
        "text": message,
        "content": message,
    }
