"""Figures as people read them: bytes, times, speeds, money, bars. Pure."""

from __future__ import annotations

from textual.content import Content

_UNITS = ("B", "kB", "MB", "GB", "TB")
NONE = "–"


def size(count: float | None) -> str:
    """Bytes in decimal units: 412 MB, 1.2 GB; a dash where unknown."""
    if count is None:
        return NONE
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 0 if unit == 0 or value >= 99.95 else 1
    return f"{value:.{digits}f} {_UNITS[unit]}"


def memory(count: float | None) -> str:
    """Bytes as memory is sold, in GiB, without the letter that only confuses."""
    return NONE if count is None else f"{count / 2**30:.1f}"


def duration(seconds: float | None) -> str:
    """0:12, 5:03, 1:02:33."""
    if seconds is None:
        return NONE
    whole = max(0, round(seconds))
    minutes, secs = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def rate(per_second: float | None) -> str:
    """Steps a second, or seconds a step when slower than one."""
    if per_second is None or per_second <= 0:
        return NONE
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{1 / per_second:.1f} s/it"


def money(amount: float | None, currency: str) -> str:
    return NONE if amount is None else f"{amount:.2f} {currency}".strip()


def percent(share: float | None) -> str:
    return NONE if share is None else f"{share * 100:.0f} %"


def loss(value: float | None) -> str:
    return NONE if value is None else f"{value:.4g}"


def bar(share: float | None, width: int, colour: str = "$primary") -> Content:
    """A progress bar `width` cells wide; unknown progress is an empty track, not zero."""
    if share is None:
        return Content.styled("╌" * width, "$faint")
    halves = round(min(max(share, 0.0), 1.0) * width * 2)
    full, half = divmod(halves, 2)
    done = "━" * full + ("╸" if half else "")
    return Content.assemble((done, colour), ("─" * (width - len(done)), "$border-blurred"))
