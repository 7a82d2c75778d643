"""Toasts for what has ended and for notices; by choice also the bell or the desktop."""

from __future__ import annotations

from typing import Literal

from sovdeck.tui.shell.base_app import BaseApp
from sovdeck.tui.state.events import NoticeRaised
from sovdeck.tui.state.models import RunEnd
from sovdeck.tui.state.runs import RunKey
from sovdeck.tui.state.state import State
from sovdeck.tui.text.i18n import translate, translate_text

ToastSeverity = Literal["information", "warning", "error"]
_TOAST_SEVERITIES: dict[str, ToastSeverity] = {
    "good": "information",
    "note": "information",
    "warning": "warning",
    "bad": "error",
}


class ToastNotifier:
    """Compares the state before and after a drain: only what has newly ended is announced."""

    def __init__(self, app: BaseApp) -> None:
        self.app = app
        self._active_runs: set[RunKey] = set()
        self._active_transfers: set[str] = set()

    def remember_active(self, state: State) -> None:
        """Note which runs and transfers are active before events are applied."""
        self._active_runs = {key for key, run in state.runs.items() if not run.ended and run.job}
        self._active_transfers = {t.id for t in state.transfers.values() if t.state == "running"}

    def announce_ended(self, state: State) -> None:
        """Announce the remembered runs and downloads that have ended since."""
        for key in self._active_runs:
            run = state.runs.get(key)
            if run is not None and run.ended:
                code = run.job.exit_code if run.job else None
                end = RunEnd(run.server, run.run, run.voice, run.status, code)
                self._show_toast(
                    translate_text(self.app, end.message()), "information" if end.good else "error"
                )
                self.app.notify_run_ended(end)
        for id_ in self._active_transfers:
            transfer = state.transfers[id_]
            if transfer.state == "done" and transfer.kind == "pull" and transfer.verified:
                facts = {"voice": transfer.voice, "server": transfer.server}
                text_key = "tui.notices.voice_home"
                if transfer.server_busy:
                    text_key = "tui.notices.voice_home_at_work"
                self._show_toast(translate(self.app, text_key, **facts), "information")

    def show_notice(self, event: NoticeRaised) -> None:
        """Show a notice as a toast, coloured by its level."""
        title, advice = translate_text(self.app, event.text), translate_text(self.app, event.hint)
        severity = _TOAST_SEVERITIES[event.level]
        self.app.notify(
            advice or title,
            title=title if advice else "",
            severity=severity,
            timeout=8,
        )

    def _show_toast(self, message: str, severity: ToastSeverity) -> None:
        self.app.notify(message, severity=severity, timeout=12)
        channel = self.app.settings.notify
        if channel == "bell":
            self.app.bell()
        elif channel == "desktop":
            # OSC 9: the terminal itself raises the notification, also over ssh.
            driver = self.app._driver
            printable = "".join(c for c in message if c.isprintable())
            if driver is not None:
                driver.write(f"\x1b]9;{printable}\x07")
