"""Report the end of a followed run: bell, desktop notification, webhook."""

from __future__ import annotations

from sovdeck.remote.auth.keyring_store import SystemKeyring
from sovdeck.remote.config.sections import NotifySection
from sovdeck.tui.cli.console import Console
from sovdeck.tui.notify.run_notifier import RunNotifier
from sovdeck.tui.state.models import RunEnd


def announce_run_end(config: NotifySection, end: RunEnd, console: Console) -> None:
    """Ring the bell and send the notifications of [notify]; failures are printed.

    The exit code of the command stays that of the run.
    """
    if config.bell:
        console.ring_bell()
    for problem in RunNotifier(config, SystemKeyring(), console.language).notify(end):
        console.print_error(problem.sentence(console.language))
