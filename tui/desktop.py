"""A notification of this computer's desktop, by what each system brings along."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from engine.contract.problem import ExitCode, Problem

_PATIENCE_S = 15.0
# The words travel beside the script, never in it: a voice may be called anything.
_APPLE = (
    "on run argv\n"
    "display notification (item 2 of argv) with title (item 1 of argv)\n"
    "end run"
)  # fmt: skip
_LOADED = "Windows.UI.Notifications, ContentType = WindowsRuntime"
_WINDOWS = f"""
$null = [Windows.UI.Notifications.ToastNotificationManager, {_LOADED}]
$kind = [Windows.UI.Notifications.ToastTemplateType]::ToastText02
$toast = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent($kind)
$lines = $toast.GetElementsByTagName('text')
$null = $lines.Item(0).AppendChild($toast.CreateTextNode($env:SOVDECK_TITLE))
$null = $lines.Item(1).AppendChild($toast.CreateTextNode($env:SOVDECK_WORDS))
$notice = [Windows.UI.Notifications.ToastNotification]::new($toast)
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier('sovdeck').Show($notice)
"""


def show(title: str, words: str) -> None:
    """Raise the notification; Problem where this computer has no way to."""
    argv = command(title, words)
    program = shutil.which(argv[0])
    if program is None:
        raise Problem("tui.notify.no_desktop", ExitCode.CONFIG, program=argv[0])
    try:
        subprocess.run(  # noqa: S603 - an argv of our own, no shell
            [program, *argv[1:]], check=True, capture_output=True, timeout=_PATIENCE_S,
            env={**os.environ, "SOVDECK_TITLE": title, "SOVDECK_WORDS": words},
        )  # fmt: skip
    except (subprocess.SubprocessError, OSError) as error:
        why = type(error).__name__
        raise Problem("tui.notify.desktop_failed", ExitCode.CONFIG, why=why) from None


def command(title: str, words: str, platform: str = sys.platform) -> list[str]:
    """The argv that shows a notification on `platform`."""
    if platform == "darwin":
        return ["osascript", "-e", _APPLE, title, words]
    if platform == "win32":
        return ["powershell", "-NoProfile", "-NonInteractive", "-Command", _WINDOWS]
    return ["notify-send", "--app-name=sovdeck", "--", title, words]
