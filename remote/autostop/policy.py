"""When a rented server should switch itself off: the policy, and what the server decided. Pure.

The rules run on the server in agent/autostop.sh, with the laptop shut; a test holds them to the
same rules written down in Python. Stopping keeps the disk; nothing here ever destroys a server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from sovdeck.engine.contract.catalogue import Text, text

# The reasons and their sentences, in order of precedence.
STOP_REASONS: Mapping[str, str] = {
    "at_time": "remote.autostop.at_time",
    "money": "remote.autostop.money",
    "success": "remote.autostop.success",
    "failure": "remote.autostop.failure",
    "gpu_idle": "remote.autostop.gpu_idle",
    "idle": "remote.autostop.idle",
}


@dataclass(frozen=True)
class AutostopPolicy:
    """When to stop, as the user configured it. Seconds; None is "not for this reason".

    after_success, after_failure: after the last run ended so. idle: nothing runs and nobody is
    logged in by sovdeck. gpu_idle: no GPU above `gpu_percent` for so long, even in a run.
    at_time: Unix seconds. max_hours: hours since the policy began (price times hours is the
    money limit). only_after_pull: no reason counts before the voice was downloaded and verified,
    except that `pull_deadline` seconds after the reason it is stopped all the same; a limit of
    time or money does not wait.
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

    def script_arguments(self) -> tuple[str, ...]:
        """Return the `name=value` arguments of autostop.sh; whole seconds, "" for None."""
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
class AutostopDecision:
    """Whether to stop now. `at` is when the nearest reason comes due, None when none can.

    waiting: a reason is due, but the voice was not downloaded yet.
    """

    stop: bool
    reason: str = ""
    at: int | None = None
    waiting: bool = False

    def reason_text(self) -> Text:
        """Return the reason as a sentence; an empty reason means that nothing is due."""
        return text(STOP_REASONS[self.reason] if self.reason else "remote.autostop.nothing")


def running_cost(price_per_hour: float, seconds: float) -> float:
    """Return the cost of so many seconds, in the currency of the price; 0 for a negative time."""
    return price_per_hour * max(0.0, seconds) / 3600.0
