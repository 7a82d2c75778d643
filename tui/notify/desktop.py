"""A notification on this computer's desktop, by what each system brings along."""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import sys

from sovdeck.engine.contract.problem import ExitCode, Problem

_TIMEOUT_S = 15.0
# The text is passed beside the script, never in it: a voice may be called anything.
_APPLESCRIPT = (
    "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run"
)
_WINRT_TYPE = "Windows.UI.Notifications, ContentType = WindowsRuntime"
_POWERSHELL_SCRIPT = f"""
$null = [Windows.UI.Notifications.ToastNotificationManager, {_WINRT_TYPE}]
$kind = [Windows.UI.Notifications.ToastTemplateType]::ToastText02
$toast = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent($kind)
$lines = $toast.GetElementsByTagName('text')
$null = $lines.Item(0).AppendChild($toast.CreateTextNode($env:SOVDECK_TITLE))
$null = $lines.Item(1).AppendChild($toast.CreateTextNode($env:SOVDECK_MESSAGE))
$notice = [Windows.UI.Notifications.ToastNotification]::new($toast)
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier('sovdeck').Show($notice)
"""


def show_notification(title: str, message: str) -> None:
    """Show the notification; Problem where this computer has no program for it."""
    argv = notification_argv(title, message)
    program = shutil.which(argv[0])
    if program is None:
        raise Problem("tui.notify.no_desktop", ExitCode.CONFIG, program=argv[0])
    try:
        subprocess.run(  # noqa: S603 - an argv of our own, no shell
            [program, *argv[1:]],
            check=True,
            capture_output=True,
            timeout=_TIMEOUT_S,
            env={**os.environ, "SOVDECK_TITLE": title, "SOVDECK_MESSAGE": message},
        )
    except (subprocess.SubprocessError, OSError) as error:
        why = type(error).__name__
        raise Problem("tui.notify.desktop_failed", ExitCode.CONFIG, why=why) from None


def notification_argv(title: str, message: str, platform: str = sys.platform) -> list[str]:
    """The argv that shows a notification on `platform`."""
    if platform == "darwin":
        return ["osascript", "-e", _APPLESCRIPT, title, message]
    if platform == "win32":
        return ["powershell", "-NoProfile", "-NonInteractive", "-Command", _POWERSHELL_SCRIPT]
    # The body is read as markup there: a link of a server's would look like one of ours.
    return ["notify-send", "--app-name=sovdeck", "--", title, html.escape(message, quote=False)]
