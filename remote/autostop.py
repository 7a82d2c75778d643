"""When a rented server should switch itself off, decided from figures alone. Pure.

The same rules run on the server in agent/autostop.sh, with the laptop shut; this side shows
what would happen and why. A test holds both to one answer. Stopping keeps the disk; nothing
here ever destroys a server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from engine.contract.catalogue import Text, text
from engine.contract.problem import ExitCode, Problem

# The reasons, in the order they are looked at.
REASONS: Mapping[str, str] = {
    "at_time": "remote.autostop.at_time",
    "money": "remote.autostop.money",
    "success": "remote.autostop.success",
    "failure": "remote.autostop.failure",
    "gpu_idle": "remote.autostop.gpu_idle",
    "idle": "remote.autostop.idle",
}

_CAPS = frozenset({"at_time", "money"})


@dataclass(frozen=True)
class Policy:
    """What the user asked for. Seconds; None is "not for this reason".

    after_success, after_failure: after the last run ended so. idle: nothing runs and nobody is
    logged in by sovdeck. gpu_idle: no GPU above `gpu_percent` for so long, even in a run.
    at_time: Unix seconds. max_hours: hours since the policy began (price times hours is the
    money cap). only_after_pull: none of the reasons counts before the voice was pulled and
    verified, except that `pull_deadline` seconds after the reason it is stopped all the same;
    a cap by time or money is not held up.
    """

    after_success: int | None = None
    after_failure: int | None = None
    idle: int | None = None
    gpu_idle: int | None = None
    gpu_percent: int = 5
    at_time: int | None = None
    max_hours: float | None = None
    only_after_pull: bool = True
    pull_deadline: int | None = 7200

    def arguments(self) -> tuple[str, ...]:
        """The policy as `name=value` words for the agent; whole seconds, "" for None."""
        words = []
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "max_hours":
                words.append(f"max_seconds={'' if value is None else round(value * 3600)}")
            elif isinstance(value, bool):
                words.append(f"{field.name}={int(value)}")
            else:
                words.append(f"{field.name}={'' if value is None else value}")
        return tuple(words)


@dataclass(frozen=True)
class Observed:
    """The server at `now`; all times in Unix seconds by its own clock, None where unknown.

    running: runs that are going or waiting. ended_ok: when the newest successful run ended;
    ended_badly: when the newest other one did. active: when anything last ran or anyone last
    asked. gpu_busy: when a GPU was last above the threshold; None where no figure was ever had.
    pulled: when the laptop last pulled and verified a result.
    """

    now: int
    began: int
    running: int = 0
    ended_ok: int | None = None
    ended_badly: int | None = None
    active: int | None = None
    gpu_busy: int | None = None
    pulled: int | None = None


@dataclass(frozen=True)
class Decision:
    """Whether to stop now. `at` is when the nearest reason comes due, None when none can.

    waiting: a reason is due, but the voice was not pulled yet.
    """

    stop: bool
    reason: str = ""
    at: int | None = None
    waiting: bool = False

    def why(self) -> Text:
        """The reason as a sentence; empty reason: nothing is due."""
        return text(REASONS[self.reason] if self.reason else "remote.autostop.nothing")


def decide(policy: Policy, observed: Observed) -> Decision:
    """Return what the policy says now. Unknown figures never stop a server."""
    due: list[tuple[int, str]] = []

    def add(reason: str, since: int | None, wait: int | None) -> None:
        if since is not None and wait is not None:
            due.append((since + wait, reason))

    add("at_time", policy.at_time, 0)
    hours = policy.max_hours
    add("money", observed.began, None if hours is None else round(hours * 3600))
    if observed.running == 0:
        # Only the newest run's outcome counts; a success of the same second wins.
        good, bad = observed.ended_ok, observed.ended_badly
        if good is not None and (bad is None or good >= bad):
            add("success", good, policy.after_success)
        else:
            add("failure", bad, policy.after_failure)
        add("idle", observed.active, policy.idle)
    add("gpu_idle", observed.gpu_busy, policy.gpu_idle)

    held = policy.only_after_pull and not _pulled(observed)
    times: list[tuple[int, int, str]] = []
    for at, reason in due:
        order = list(REASONS).index(reason)
        if reason in _CAPS or not held:
            times.append((at, order, reason))
        elif policy.pull_deadline is not None:
            times.append((at + policy.pull_deadline, order, reason))
    waiting = held and any(at <= observed.now for at, reason in due if reason not in _CAPS)
    if not times:
        return Decision(False, waiting=waiting)
    at, _, reason = min(times)
    if at <= observed.now:
        return Decision(True, reason, at)
    return Decision(False, "", at, waiting)


def _pulled(observed: Observed) -> bool:
    # A pull counts for what was finished before it; with nothing finished there is nothing to
    # wait for.
    finished = observed.ended_ok
    return finished is None or (observed.pulled is not None and observed.pulled >= finished)


_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smhd])\Z")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(given: str) -> int:
    """Seconds of "90s", "10m", "1.5h" or "2d"; Problem for anything else."""
    found = _DURATION.match(given.strip())
    if found is None:
        raise Problem("remote.autostop.bad_duration", ExitCode.CONFIG, given=given)
    return round(float(found[1]) * _UNITS[found[2]])


def cost(price_per_hour: float, seconds: float) -> float:
    """Price times time, for the screen."""
    return price_per_hour * max(0.0, seconds) / 3600.0
