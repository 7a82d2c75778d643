"""The rules of agent/autostop.sh once more, in Python: what its answers are compared with."""

from __future__ import annotations

from dataclasses import dataclass

from sovdeck.remote.autostop.policy import STOP_REASONS, AutostopDecision, AutostopPolicy

_HARD_LIMITS = frozenset({"at_time", "money"})


@dataclass(frozen=True)
class ServerActivity:
    """The server at `now`; all times in Unix seconds by its own clock, None where unknown.

    running: runs that are going or waiting. ended_ok: when the newest successful run ended;
    ended_badly: when the newest other one did. active: when anything last ran or anyone last
    connected. gpu_busy: when a GPU was last above the threshold; None where its utilisation was
    never read. pulled: when the laptop last downloaded and verified a result.
    """

    now: int
    began: int
    running: int = 0
    ended_ok: int | None = None
    ended_badly: int | None = None
    active: int | None = None
    gpu_busy: int | None = None
    pulled: int | None = None


def decide_stop(policy: AutostopPolicy, activity: ServerActivity) -> AutostopDecision:
    """Return what the policy says now. Unknown times never stop a server."""
    due: list[tuple[int, str]] = []

    def add_reason(reason: str, since: int | None, wait: int | None) -> None:
        if since is not None and wait is not None:
            due.append((since + wait, reason))

    add_reason("at_time", policy.at_time, 0)
    hours = policy.max_hours
    add_reason("money", activity.began, None if hours is None else round(hours * 3600))
    if activity.running == 0:
        # Only the newest run's outcome counts; a success of the same second wins.
        good, bad = activity.ended_ok, activity.ended_badly
        if good is not None and (bad is None or good >= bad):
            add_reason("success", good, policy.after_success)
        else:
            add_reason("failure", bad, policy.after_failure)
        add_reason("idle", activity.active, policy.idle)
    add_reason("gpu_idle", activity.gpu_busy, policy.gpu_idle)

    waits_for_pull = policy.only_after_pull and not _is_pulled(activity)
    times: list[tuple[int, int, str]] = []
    for at, reason in due:
        order = list(STOP_REASONS).index(reason)
        if reason in _HARD_LIMITS or not waits_for_pull:
            times.append((at, order, reason))
        elif policy.pull_deadline is not None:
            times.append((at + policy.pull_deadline, order, reason))
    waiting = waits_for_pull and any(
        at <= activity.now for at, reason in due if reason not in _HARD_LIMITS
    )
    if not times:
        return AutostopDecision(False, waiting=waiting)
    at, _, reason = min(times)
    if at <= activity.now:
        return AutostopDecision(True, reason, at)
    return AutostopDecision(False, "", at, waiting)


def _is_pulled(activity: ServerActivity) -> bool:
    # A pull counts for what was finished before it; with nothing finished there is nothing to
    # wait for.
    finished = activity.ended_ok
    return finished is None or (activity.pulled is not None and activity.pulled >= finished)
