"""What a list of a disk says of each thing, in the terminal and in the dashboard."""

from __future__ import annotations

from sovdeck.engine.contract.catalogue import Text, text

_DAY_S, _HOUR_S = 86_400, 3_600


def disk_age_text(seconds: int) -> Text:
    """A length of time in whole days, or in hours below a day."""
    days, hours = max(0, seconds) // _DAY_S, max(0, seconds) // _HOUR_S
    return text("tui.clean.days", days=days) if days else text("tui.clean.hours", hours=hours)


def disk_mark_text(mark: str, used_by: str) -> Text:
    """What the removal of a thing costs by its mark, or the run that works with it."""
    return text("tui.clean.used_by", run=used_by) if used_by else text(f"tui.clean.{mark}")
