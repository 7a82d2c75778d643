"""Starts, watches and stops supervised runs on a server.

The supervisor (agent/supervise.sh) needs nobody: everything here only writes a spec, launches
it, and reads its state. Each call is one round trip.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from sovdeck.engine.contract.layout import Layout, RunFolder
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.agent import read_script
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.jobs.state import JobSnapshot, JobState, derive_state, parse_snapshots
from sovdeck.remote.ssh.channel_reader import ConnectionSource
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.ssh.remote_tail import EventTail, RemoteTail

# A run id is also a file name and part of command lines, so it holds no special characters.
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_SLACK_S = 30.0
AUTOSTOP_RUN = "autostop"
KEEP_RUN = "keep"
WATCH_RUNS = (AUTOSTOP_RUN, KEEP_RUN)  # they go on for as long as the server does
STOP_GRACE_S = 60.0  # what a run gets to save and end
INSTALL_PREFIX = "install-"
AUDITION_PREFIX = "audition-"
TRANSCRIPTION_PREFIX = "transcribe-"
READING_PREFIX = "read-"

QueueMode = Literal["join", "wait"]
_QUEUE_OPTIONS: Mapping[QueueMode | None, str] = {
    None: "",
    "join": "--join {}",
    "wait": "--queue {}",
}


@dataclass(frozen=True)
class RunHandle:
    """A run on a server: enough to find it again from another laptop."""

    run_id: str
    folder: RunFolder


def make_handle(layout: Layout, run_id: str) -> RunHandle:
    """Return the handle of a run; Problem `remote.job.bad_run` for an id that cannot be one."""
    if not _RUN_ID.match(run_id):
        raise Problem("remote.job.bad_run", ExitCode.CONFIG, run=run_id)
    return RunHandle(run_id, layout.run(run_id))


def start_run(
    connection: SSHConnection, deployed: Deployed, spec: RunSpec, *, queue: bool = False
) -> RunHandle:
    """Write the spec and launch the run; it needs no connection from then on.

    A run that ended may be started again with the same spec (it resumes); one that is going is
    refused. queue: wait on the server until the runs started before it have ended.
    """
    spec.validate()
    command = (deployed.python, "-m", "sovdeck.engine", "run", "spec.json")
    mode: QueueMode = "wait" if queue else "join"
    return launch_job(connection, deployed, spec.run, command, spec_json=spec.to_json(), queue=mode)


def launch_job(
    connection: SSHConnection,
    deployed: Deployed,
    run_id: str,
    command: Iterable[str],
    *,
    spec_json: str = "",
    queue: QueueMode | None = None,
) -> RunHandle:
    """Launch any command as a supervised run, in its run folder.

    queue: "join" counts as a run that later ones wait for, "wait" waits for the earlier ones
    itself; None stays out of the queue.
    """
    handle = make_handle(deployed.layout, run_id)
    environment = [f"{name}={value}" for name, value in sorted(deployed.env.items())]
    answer = _run_script(
        connection,
        "start.sh",
        str(handle.folder.path),
        str(deployed.supervisor_script),
        spec_json,
        _QUEUE_OPTIONS[queue].format(deployed.layout.work / "queue"),
        *environment,
        "--",
        *command,
    )
    facts = {"run": run_id, "server": connection.name}
    if answer == "started":
        return handle
    if answer == "refused":
        raise Problem("remote.job.already_running", ExitCode.CONFIG, **facts)
    if answer == "unwritable":
        folder = str(handle.folder.path)
        raise Problem("remote.job.unwritable", ExitCode.CONFIG, folder=folder, **facts)
    if answer == "differs":
        raise Problem("remote.job.another_spec", ExitCode.CONFIG, **facts)
    raise Problem("remote.job.start_failed", ExitCode.INTERNAL, why=answer, **facts)


def fetch_state(connection: SSHConnection, handle: RunHandle) -> JobState:
    """Return the state of one run."""
    found = _fetch_snapshots(connection, handle.folder.path.parent, handle.run_id)
    return derive_state(found[0])


def list_runs(
    connection: SSHConnection, layout: Layout, *, services: bool = False
) -> tuple[JobState, ...]:
    """Return every run on the server by name.

    services: also our own (install, autostop, keep, audition, transcription, reading).
    """
    return known_runs(_fetch_snapshots(connection, layout.work / "runs"), services=services)


def known_runs(snapshots: Iterable[JobSnapshot], *, services: bool = False) -> tuple[JobState, ...]:
    """The states of snapshots by name, without folders that are no run of ours.

    services: also our own (install, autostop, keep, audition).
    """
    # Such a folder may have any name, also one with control characters.
    return tuple(
        derive_state(snapshot)
        for snapshot in sorted(snapshots, key=lambda one: one.run_id)
        if _RUN_ID.match(snapshot.run_id) and (services or not is_service(snapshot.run_id))
    )


def is_service(run_id: str) -> bool:
    """Whether a run is one of our own services rather than work on a voice."""
    ours = (INSTALL_PREFIX, AUDITION_PREFIX, TRANSCRIPTION_PREFIX, READING_PREFIX)
    return run_id in WATCH_RUNS or run_id.startswith(ours)


def stop_run(connection: SSHConnection, handle: RunHandle, grace: float = STOP_GRACE_S) -> JobState:
    """End the run with TERM, so that it saves, and after `grace` seconds with KILL.

    Returns its state; a run that is not going is left as it is.
    """
    answer = _run_script(
        connection, "stop.sh", str(handle.folder.path), str(int(grace)), timeout=grace + _SLACK_S
    )
    if answer == "alive":
        raise Problem(
            "remote.job.stop_failed", ExitCode.INTERNAL, run=handle.run_id, server=connection.name
        )
    if answer not in ("gone", "ended", "killed"):
        raise _bad_answer(connection, "stop.sh", answer)
    return fetch_state(connection, handle)


def follow_events(
    connection_source: ConnectionSource, handle: RunHandle, *, offset: int = 0, seq: int = -1
) -> EventTail:
    """Return the run's events from a byte offset on; they end when the run is over.

    seq: the number of the last event already known, -1 for none.
    """
    folder = handle.folder
    tail = RemoteTail(connection_source, str(folder.events), offset, run_folder=str(folder.path))
    return EventTail(tail, seq=seq)


def follow_log(
    connection_source: ConnectionSource, handle: RunHandle, *, offset: int = 0
) -> RemoteTail:
    """Return the run's log from a byte offset on, across rotation."""
    folder = handle.folder
    return RemoteTail(
        connection_source,
        str(folder.log),
        offset,
        run_folder=str(folder.path),
        rotated=str(folder.path / "log.1.txt"),
    )


def _fetch_snapshots(
    connection: SSHConnection, folder: PurePosixPath, *ids: str
) -> tuple[JobSnapshot, ...]:
    result = connection.script(read_script("state.sh"), [str(folder), *ids])
    text = result.out.decode("utf-8", "replace")
    found = parse_snapshots(text)
    if result.code != 0 or len(found) < len(ids):
        raise _bad_answer(connection, "state.sh", text + result.err.decode("utf-8", "replace"))
    return found


def _run_script(connection: SSHConnection, name: str, *args: str, timeout: float = 60.0) -> str:
    # The answer is the last line: a server's shell start-up files may print before it.
    result = connection.script(read_script(name), args, timeout=timeout)
    answer = result.out.decode("utf-8", "replace").strip().rpartition("\n")[2]
    if result.code != 0 or not answer:
        raise _bad_answer(connection, name, result.err.decode("utf-8", "replace"))
    return answer


def _bad_answer(connection: SSHConnection, command: str, why: str) -> Problem:
    return Problem(
        "remote.job.bad_answer",
        ExitCode.INTERNAL,
        server=connection.name,
        command=command,
        why=why.strip()[-300:],
    )
