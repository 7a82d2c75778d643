"""Sets, shows and takes back the autostop watch that runs on the server with the laptop shut."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from remote import job
from remote.agent import script
from remote.autostop import Decision, Policy, duration
from remote.config.sections import Autostop
from remote.deployed import Deployed
from remote.job_state import JobState
from remote.link import Link
from remote.profiles import Profile

_LOOK_EVERY_S = 15
_TRIES, _PAUSE_S = 10, 0.3
_SILENT_S = 400  # after a stop command that did nothing it rests for five minutes


@dataclass(frozen=True)
class WatchStatus:
    """What the server's watch last decided.

    seen: when it last looked, Unix seconds by the server's clock. alive: it looked just now; a
    watch does not outlive a restart of the server.
    """

    decision: Decision
    seen: int | None
    alive: bool
    running: int | None
    dry: bool
    history: tuple[str, ...]


def policy_of(wish: Autostop, price_per_hour: float | None, server: str) -> Policy | None:
    """The policy a section of deploy.toml asks for; None when it names no reason."""
    given = {
        name: duration(value)
        for name in ("after_success", "after_failure", "idle", "gpu_idle")
        if (value := getattr(wish, name))
    }
    hours = [duration(wish.max_time) / 3600] if wish.max_time else []
    if wish.max_cost:
        if not price_per_hour:
            raise Problem("remote.autostop.needs_price", ExitCode.CONFIG, name=server)
        hours.append(wish.max_cost / price_per_hour)
    if not given and not hours:
        return None
    return Policy(
        **given, gpu_percent=wish.gpu_percent, max_hours=min(hours, default=None),
        only_after_pull=wish.only_after_pull,
        pull_deadline=duration(wish.pull_deadline) if wish.pull_deadline else None,
    )  # fmt: skip


def check(policy: Policy, profile: Profile) -> None:
    """Problem when that policy cannot be carried out there, or would never come due."""
    if not profile.stop:
        raise Problem("remote.autostop.no_stop", ExitCode.CONFIG, provider=profile.name)
    if not any(word.endswith(tuple("0123456789")) for word in _reasons(policy)):
        raise Problem("remote.autostop.never", ExitCode.CONFIG)


def arm(
    link: Link, deployed: Deployed, policy: Policy, profile: Profile, *, dry: bool = False
) -> JobState:
    """Start the watch, in place of an earlier one. dry: it only writes what it would do."""
    check(policy, replace(profile, stop=profile.stop or ("true",)) if dry else profile)
    disarm(link, deployed.layout)
    work = str(deployed.layout.work)
    command = [
        "sh", str(deployed.code / "agent" / "autostop.sh"), "watch", work, str(_LOOK_EVERY_S),
        str(int(dry)), *policy.arguments(), "--", *(profile.stop or ("true",)),
    ]  # fmt: skip
    return job.state(link, job.launch(link, deployed, job.AUTOSTOP, command))


def keep(link: Link, deployed: Deployed, policy: Policy, profile: Profile) -> bool:
    """Arm, unless a watch is there already: its clock must not begin anew with every run."""
    standing = status(link, deployed.layout)
    if standing is not None and standing.alive:
        return False
    arm(link, deployed, policy, profile)
    return True


def disarm(link: Link, layout: Layout) -> None:
    """End the watch and forget what it decided; none going is fine."""
    job.stop(link, job.handle(layout, job.AUTOSTOP), grace=2.0)
    link.script(script("watchman.sh"), [str(layout.work), "off"])


def mark_pulled(link: Link, layout: Layout) -> None:
    """Tell the watch that what is finished by now was pulled and verified."""
    link.script(script("watchman.sh"), [str(layout.work), "pulled"])


def mark_asked(link: Link, layout: Layout) -> None:
    """Tell the watch that somebody is here, so that the idle time begins anew."""
    link.script(script("watchman.sh"), [str(layout.work), "asked"])


def first_look(link: Link, layout: Layout) -> WatchStatus | None:
    """What a watch armed just now decided first; None when it takes longer than usual."""
    for _ in range(_TRIES):
        found = status(link, layout)
        if found is not None:
            return found
        time.sleep(_PAUSE_S)
    return None


def status(link: Link, layout: Layout) -> WatchStatus | None:
    """What the watch last decided; None when none ever looked."""
    result = link.script(script("watchman.sh"), [str(layout.work), "status"])
    words: dict[str, str] = {}
    history: list[str] = []
    for line in result.out.decode("utf-8", "replace").split("\n"):
        kind, _, rest = line.partition(" ")
        if kind == "status":
            words |= dict(word.partition("=")[::2] for word in rest.split())
        elif kind == "history":
            history.append(rest)
    return read_status(words, tuple(history)) if "now" in words else None


def read_status(words: dict[str, str], history: tuple[str, ...] = ()) -> WatchStatus:
    """The status file's words; what does not fit is unknown."""

    def whole(name: str) -> int | None:
        value = words.get(name, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None

    decision = Decision(
        words.get("stop") == "1", words.get("reason", ""), whole("at"), words.get("waiting") == "1"
    )
    seen, current = whole("now"), whole("current")
    alive = seen is not None and current is not None and current - seen <= _SILENT_S
    return WatchStatus(decision, seen, alive, whole("running"), words.get("dry") == "1", history)


def _reasons(policy: Policy) -> list[str]:
    settings = ("gpu_percent", "only_after_pull", "pull_deadline")
    return [word for word in policy.arguments() if not word.startswith(settings)]
