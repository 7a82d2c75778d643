"""Starts, shows and ends the autostop watchdog that runs on the server with the laptop shut."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.foreign_values import parse_json_object, parse_whole_number
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.autostop.policy import STOP_REASONS, AutostopDecision, AutostopPolicy
from sovdeck.remote.config.duration import parse_duration
from sovdeck.remote.config.sections import AutostopSection
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.jobs.state import JobState
from sovdeck.remote.probe.providers import ProviderProfile
from sovdeck.remote.ssh.client import SSHConnection

_CHECK_INTERVAL_S = 15
_STATUS_TRIES, _STATUS_PAUSE_S = 10, 0.3
_STALE_AFTER_S = 400  # while it stops the server it writes every minute, and waits for runs to save
_PROVE_TIMEOUT_S = 150.0
# Tries after which the laptop says that the server still runs; the first ones may just take time.
_TOLD_AFTER_TRIES = 3
# What agent/stop_server.py answers when it could not stop this server.
_REFUSAL_CODES = frozenset(
    {
        "answered",
        "bad_key",
        "busy",
        "container",
        "network_volume",
        "no_id",
        "no_key",
        "no_program",
        "no_provider",
        "not_root",
        "unreachable",
        "wrong_server",
    }
)


@dataclass(frozen=True)
class WatchdogStatus:
    """What the watchdog on the server last decided.

    checked_at: when it last checked, Unix seconds by the server's clock. alive: it checked just
    now; a watchdog does not outlive a restart of the server. dry: it only writes what it would do.
    tries: how often it has asked the provider for the stop; answer: what came back last. gave_up:
    the server runs on, and nothing will stop it any more.
    """

    decision: AutostopDecision
    checked_at: int | None
    alive: bool
    running: int | None
    dry: bool
    history: tuple[str, ...]
    tries: int = 0
    answer: str = ""
    gave_up: bool = False


def policy_from_config(
    section: AutostopSection, price_per_hour: float | None, server: str
) -> AutostopPolicy | None:
    """Return the policy of the [autostop] section; None when it names no reason.

    Problem `remote.autostop.needs_price` for a `max_cost` without a price per hour.
    """
    given = {
        name: parse_duration(value)
        for name in ("after_success", "after_failure", "idle", "gpu_idle")
        if (value := getattr(section, name))
    }
    hours = [parse_duration(section.max_time) / 3600] if section.max_time else []
    if section.max_cost:
        if not price_per_hour:
            raise Problem("remote.autostop.needs_price", ExitCode.CONFIG, name=server)
        hours.append(section.max_cost / price_per_hour)
    if not given and not hours:
        return None
    return AutostopPolicy(
        **given,
        gpu_percent=section.gpu_percent,
        max_hours=min(hours, default=None),
        only_after_pull=section.only_after_pull,
        pull_deadline=parse_duration(section.pull_deadline) if section.pull_deadline else None,
    )


def is_stop_refusal(problem: Problem) -> bool:
    """Whether the problem says that this server could not be stopped by itself."""
    return problem.key.startswith("remote.autostop.stop_")


def find_stop_way(profile: ProviderProfile, *, poweroff: bool = False) -> str:
    """Return the way of agent/stop_server.py; "" where there is none.

    poweroff: the person said that a server without a provider may be powered off.
    """
    return "poweroff" if poweroff and profile.name == "plain" else profile.stop


def check_policy(policy: AutostopPolicy, profile: ProviderProfile) -> None:
    """Raise a Problem when the policy cannot be carried out there, or would never come due."""
    if not profile.stop:
        raise Problem("remote.autostop.stop_none", ExitCode.CONFIG, provider=profile.name)
    if not any(word.endswith(tuple("0123456789")) for word in _reason_settings(policy)):
        raise Problem("remote.autostop.never", ExitCode.CONFIG)


def prove_stop(connection: SSHConnection, deployed: Deployed, way: str) -> str:
    """Let the server make a harmless call of the way that will stop it; returns the call.

    Problem remote.autostop.stop_* with what is wrong and what to do, when it could not.
    """
    result = connection.run([*_stop_program(deployed), "prove", way], timeout=_PROVE_TIMEOUT_S)
    line = result.out.decode("utf-8", "replace").strip().rpartition("\n")[2]
    answer = _parse_object(line)
    if answer.get("proved") is True:
        return str(answer.get("by", ""))
    code, why = str(answer.get("code", "")), str(answer.get("why", ""))
    if code not in _REFUSAL_CODES:
        code, why = "answered", result.err.decode("utf-8", "replace").strip()[-160:] or line[-160:]
    raise Problem(
        f"remote.autostop.stop_{code}",
        ExitCode.CONFIG,
        server=connection.name,
        why=_to_line(why) or "-",
    )


def start_watchdog(
    connection: SSHConnection,
    deployed: Deployed,
    policy: AutostopPolicy,
    profile: ProviderProfile,
    *,
    poweroff: bool = False,
    dry: bool = False,
) -> JobState:
    """Start the watchdog in place of an earlier one, once its way to stop is proved.

    poweroff: see `find_stop_way`. dry: it only writes what it would do, and nothing is proved.
    """
    way = find_stop_way(profile, poweroff=poweroff)
    if not dry or way:
        check_policy(policy, profile)
    if not dry:
        prove_stop(connection, deployed, way)
    stop_watchdog(connection, deployed.layout)
    work = str(deployed.layout.work)
    command = [
        "sh",
        str(deployed.code_folder / "agent" / "autostop.sh"),
        "watch",
        work,
        str(_CHECK_INTERVAL_S),
        str(int(dry)),
        *policy.script_arguments(),
        "--",
        *_stop_program(deployed),
        "stop",
        way,
        f"{work}/autostop/stop",
    ]
    return job_client.fetch_state(
        connection, job_client.launch_job(connection, deployed, job_client.AUTOSTOP_RUN, command)
    )


def ensure_watchdog(
    connection: SSHConnection,
    deployed: Deployed,
    policy: AutostopPolicy,
    profile: ProviderProfile,
    *,
    poweroff: bool = False,
) -> bool:
    """Start the watchdog unless one is alive: its clock must not begin anew with every run."""
    current = fetch_watchdog_status(connection, deployed.layout)
    if current is not None and current.alive:
        return False
    start_watchdog(connection, deployed, policy, profile, poweroff=poweroff)
    return True


def stop_watchdog(connection: SSHConnection, layout: Layout) -> None:
    """End the watchdog and delete its last decisions; fine when none is running."""
    job_client.stop_run(
        connection, job_client.make_handle(layout, job_client.AUTOSTOP_RUN), grace=2.0
    )
    connection.script(read_script("autostop_control.sh"), [str(layout.work), "off"])


def mark_pulled(connection: SSHConnection, layout: Layout, voice: str, version: str) -> None:
    """Tell the server's watches that this version of the voice's pack was downloaded and verified.

    What is finished by now counts as at home for the one that switches the server off, and the
    voice with it for the one that removes resume states.
    """
    arguments = [str(layout.work), "pulled", voice, version]
    connection.script(read_script("autostop_control.sh"), arguments)


def mark_active(connection: SSHConnection, layout: Layout) -> None:
    """Tell the watchdog that somebody is active, so that the idle time begins anew."""
    connection.script(read_script("autostop_control.sh"), [str(layout.work), "asked"])


def wait_first_status(connection: SSHConnection, layout: Layout) -> WatchdogStatus | None:
    """Wait for the first decision of a watchdog just started; None after three seconds."""
    for _ in range(_STATUS_TRIES):
        found = fetch_watchdog_status(connection, layout)
        if found is not None:
            return found
        time.sleep(_STATUS_PAUSE_S)
    return None


def fetch_watchdog_status(connection: SSHConnection, layout: Layout) -> WatchdogStatus | None:
    """Return what the watchdog last decided; None when none ever ran."""
    result = connection.script(read_script("autostop_control.sh"), [str(layout.work), "status"])
    words: dict[str, str] = {}
    history: list[str] = []
    stop_report: dict[str, Any] = {}
    for line in result.out.decode("utf-8", "replace").split("\n"):
        kind, _, rest = line.partition(" ")
        if kind == "status":
            words |= dict(word.partition("=")[::2] for word in rest.split())
        elif kind == "history":
            history.append(_to_line(rest))
        elif kind == "stop":
            stop_report = _parse_object(rest)
    return parse_status(words, tuple(history), stop_report) if "now" in words else None


def parse_status(
    words: Mapping[str, str],
    history: tuple[str, ...] = (),
    stop_report: Mapping[str, Any] | None = None,
) -> WatchdogStatus:
    """Parse the words of the status file; what does not fit is unknown.

    stop_report: what agent/stop_server.py wrote while it stops the server.
    """

    def whole(name: str) -> int | None:
        return parse_whole_number(words.get(name))

    report = stop_report or {}
    tries, reported_at = report.get("tries"), report.get("now")

    said = words.get("reason", "")
    reason = said if said in STOP_REASONS else ""
    decision = AutostopDecision(
        words.get("stop") == "1", reason, whole("at"), words.get("waiting") == "1"
    )
    checked_at, current = whole("now"), whole("current")
    if checked_at is not None and isinstance(reported_at, int):
        checked_at = max(checked_at, reported_at)
    gave_up = "failed" in words
    alive = (
        checked_at is not None
        and current is not None
        and current - checked_at <= _STALE_AFTER_S
        and not gave_up
    )
    return WatchdogStatus(
        decision,
        checked_at,
        alive,
        whole("running"),
        words.get("dry") == "1",
        history,
        tries if isinstance(tries, int) else 0,
        _to_line(str(report.get("why", ""))),
        gave_up,
    )


def running_on_warning(status: WatchdogStatus, server: str) -> Text | None:
    """Return what a person must be told of a server that answers us and nothing will stop in time.

    None while all is well, and for the first tries of a stop, which may only take their time.
    """
    facts = {"server": server, "tries": status.tries, "why": status.answer or "-"}
    if status.gave_up:
        return text("remote.autostop.gave_up", **facts)
    if status.alive and status.tries >= _TOLD_AFTER_TRIES:
        return text("remote.autostop.not_off_yet", **facts)
    if not status.alive and not status.dry:
        return text("remote.autostop.watch_ended", **facts)
    return None


def _stop_program(deployed: Deployed) -> list[str]:
    return [deployed.python, "-I", str(deployed.code_folder / "agent" / "stop_server.py")]


def _to_line(text: str) -> str:
    """Return what a server wrote as one printable line of at most 300 characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:300]


def _parse_object(line: str) -> dict[str, Any]:
    try:
        return parse_json_object(line)
    except ValueError:
        return {}


def _reason_settings(policy: AutostopPolicy) -> list[str]:
    settings = ("gpu_percent", "only_after_pull", "pull_deadline")
    return [word for word in policy.script_arguments() if not word.startswith(settings)]
