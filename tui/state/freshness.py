"""How old a remote fact is, and what that means. Times are Unix milliseconds."""

from __future__ import annotations

from typing import Literal

from sovdeck.tui.state.server_models import ServerState

Freshness = Literal["live", "stale", "lost", "never"]

STALE_AFTER_S = 10
LOST_AFTER_S = 120


def seconds_since(at: int | None, now: int) -> float | None:
    """Seconds from `at` to `now`, at least 0; None when `at` is unknown."""
    return None if at is None else max(0.0, (now - at) / 1000)


def freshness(at: int | None, now: int) -> Freshness:
    """How fresh something seen at `at` is."""
    age = seconds_since(at, now)
    if age is None:
        return "never"
    if age < STALE_AFTER_S:
        return "live"
    return "stale" if age < LOST_AFTER_S else "lost"


def displayed_age(age: float) -> int:
    """The age as shown: 5 s steps, then minutes, so that an idle screen seldom repaints."""
    if age < STALE_AFTER_S:
        return 0
    if age < 60:
        return int(age) // 5 * 5
    return int(age) // 60 * 60


def server_freshness(server: ServerState, now: int) -> Freshness:
    """An open connection is live only while something is received; a closed one is lost."""
    if server.connection == "up":
        return freshness(server.heard_at, now)
    return "never" if server.heard_at is None else "lost"
