"""The system's own clipboard tool, for terminals that ignore OSC 52."""

from __future__ import annotations


def copy_with_system_tool(text: str) -> bool:
    """Copy with xclip, wl-copy, pbcopy or what the system has; False where there is none.

    May wait for the tool, so it runs in a background task. The dashboard always sends OSC 52 as
    well, which crosses ssh and tmux but is never acknowledged.
    """
    import pyperclip

    try:
        pyperclip.copy(text)
    except (pyperclip.PyperclipException, OSError):
        return False
    return True
