"""What a server removes by itself as [keep] says, with the laptop shut: agent/keep.sh."""

from __future__ import annotations

from dataclasses import dataclass

from sovdeck.engine.contract.foreign_values import parse_whole_number
from sovdeck.engine.contract.layout import Layout, is_voice_name
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.config.duration import parse_duration
from sovdeck.remote.config.sections import KeepSection
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.ssh.client import SSHConnection

_CHECK_INTERVAL_S = 600


@dataclass(frozen=True)
class RemovedStates:
    """Resume states that the server removed: of which voice, how much, and when (Unix seconds)."""

    voice: str
    bytes: int
    at: int


@dataclass(frozen=True)
class KeepStatus:
    """What the server goes by: seconds that resume states stay, None for ever; what it removed."""

    resume_states: int | None
    removed: tuple[RemovedStates, ...] = ()


def apply_keep(connection: SSHConnection, deployed: Deployed, section: KeepSection) -> None:
    """Let the server go by [keep] from now on; its watch is started where none is alive.

    A section that names nothing takes the policy back, and the watch ends by itself.
    """
    work = str(deployed.layout.work)
    wanted = ["set", str(parse_duration(section.resume_states))] if section.resume_states else []
    connection.script(read_script("keep_control.sh"), [work, *(wanted or ["off"])])
    if not wanted:
        return
    script = str(deployed.code_folder / "agent" / "keep.sh")
    command = ["sh", script, "watch", work, str(_CHECK_INTERVAL_S)]
    try:
        job_client.launch_job(connection, deployed, job_client.KEEP_RUN, command)
    except Problem as problem:
        if problem.key != "remote.job.already_running":
            raise


def fetch_keep_status(connection: SSHConnection, layout: Layout) -> KeepStatus:
    """What the server's watch goes by, and the last it removed; lines that do not fit are left."""
    result = connection.script(read_script("keep_control.sh"), [str(layout.work), "status"])
    seconds, removed = None, []
    for line in result.out.decode("utf-8", "replace").split("\n"):
        kind, _, rest = line.partition(" ")
        first, _, more = rest.partition(" ")
        if kind == "policy" and first == "resume_states":
            seconds = parse_whole_number(more)
        elif kind == "removed":
            size, _, voice = more.partition(" ")
            at, kib = parse_whole_number(first), parse_whole_number(size)
            if at is not None and kib is not None and is_voice_name(voice):
                removed.append(RemovedStates(voice, kib << 10, at))
    return KeepStatus(seconds, tuple(removed))
