"""Format bytes, durations, rates and money, for the command line and the dashboard. Pure."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB")
UNKNOWN = "–"


def format_bytes(byte_count: float | None) -> str:
    """Bytes in decimal units: 412 MB, 1.2 GB; a dash where unknown."""
    if byte_count is None:
        return UNKNOWN
    value, unit = float(byte_count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 0 if unit == 0 or value >= 99.95 else 1
    return f"{value:.{digits}f} {_UNITS[unit]}"


def format_gib(byte_count: float | None) -> str:
    """Format bytes as GiB with one digit and no unit, as GPU memory is sold."""
    return UNKNOWN if byte_count is None else f"{byte_count / 2**30:.1f}"


def format_duration(seconds: float | None) -> str:
    """A clock: 0:12, 5:03, 1:02:33; a dash where unknown."""
    if seconds is None:
        return UNKNOWN
    total = max(0, round(seconds))
    minutes, rest = divmod(total, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_short_duration(seconds: float | None) -> str:
    """For sentences: 7 s below a minute, else the clock of `format_duration`."""
    if seconds is None or round(seconds) >= 60:
        return format_duration(seconds)
    return f"{max(0, round(seconds))} s"


def format_step_rate(per_second: float | None) -> str:
    """Format steps a second, or seconds a step when slower than one a second."""
    if per_second is None or per_second <= 0:
        return UNKNOWN
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{1 / per_second:.1f} s/it"


def format_money(amount: float | None, currency: str) -> str:
    """Format an amount with two digits and its currency."""
    return UNKNOWN if amount is None else f"{amount:.2f} {currency}".strip()


def format_percent(fraction: float | None) -> str:
    """Format a fraction (0 to 1) as whole percent."""
    return UNKNOWN if fraction is None else f"{fraction * 100:.0f} %"


def format_loss(value: float | None) -> str:
    """Format a loss with four significant digits."""
    return UNKNOWN if value is None else f"{value:.4g}"
