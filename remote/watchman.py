"""Sets, shows and takes back the autostop watch that runs on the server with the laptop shut."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from remote import job
from remote.agent import script
from remote.autostop import Decision, Policy
from remote.deployed import Deployed
from remote.job_state import JobState
from remote.link import Link
from remote.profiles import Profile

_LOOK_EVERY_S = 15
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


def arm(
    link: Link, deployed: Deployed, policy: Policy, profile: Profile, *, dry: bool = False
) -> JobState:
    """Start the watch, in place of an earlier one. dry: it only writes what it would do."""
    if not profile.stop and not dry:
        raise Problem("remote.autostop.no_stop", ExitCode.CONFIG, provider=profile.name)
    if not any(word.endswith(tuple("0123456789")) for word in _reasons(policy)):
        raise Problem("remote.autostop.never", ExitCode.CONFIG)
    disarm(link, deployed.layout)
    work = str(deployed.layout.work)
    command = [
        "sh", str(deployed.code / "agent" / "autostop.sh"), "watch", work, str(_LOOK_EVERY_S),
        str(int(dry)), *policy.arguments(), "--", *(profile.stop or ("true",)),
    ]  # fmt: skip
    return job.state(link, job.launch(link, deployed, job.AUTOSTOP, command))


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
