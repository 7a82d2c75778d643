"""A progress bar as text."""

from __future__ import annotations

from textual.content import Content


def progress_bar(fraction: float | None, width: int, colour: str = "$primary") -> Content:
    """A progress bar of `width` cells; unknown progress is an empty track, not zero."""
    if fraction is None:
        return Content.styled("╌" * width, "$faint")
    halves = round(min(max(fraction, 0.0), 1.0) * width * 2)
    full, half = divmod(halves, 2)
    filled = "━" * full + ("╸" if half else "")
    return Content.assemble((filled, colour), ("─" * (width - len(filled)), "$border-blurred"))
