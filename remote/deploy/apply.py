"""Carries out a plan: each step is checked, done and verified, and may be interrupted anywhere."""

from __future__ import annotations

import getpass
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.agent.code_archive import CodeArchive
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.deploy.gpu_check import judge, parse_check
from sovdeck.remote.deploy.steps import (
    CheckEngine,
    DeployStep,
    MakeEnvironment,
    MakeFolders,
    SendCode,
    SendWheels,
)
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.ssh.channel_reader import ConnectionSource
from sovdeck.remote.ssh.channel_stream import ChannelStream
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.ssh.remote_tail import clean_line
from sovdeck.remote.transfer.core.progress import TransferProgress
from sovdeck.remote.transfer.upload.push import push

_UPLOAD_LIMIT_S = 600.0
_CHECK_LIMIT_S = 240.0
_DISK_FULL_CODE = 5  # exit code of install.sh


@dataclass(frozen=True)
class StepReport:
    """What a screen shows of one step. state: doing | done | kept (nothing was to be done)."""

    name: str
    state: str
    detail: str = ""


ReportStep = Callable[[StepReport], None]

# An interrupted deploy releases its lock a moment after its connection has gone.
LOCK_TRIES, LOCK_RETRY_S = 6, 0.5


@dataclass(frozen=True)
class DeployConnections:
    """The open connection and where others come from.

    reconnect: gives a live connection when the first one is lost while packages are installed
    (that work goes on without us). open_connection: opens another, for the streams of a big upload.
    """

    connection: SSHConnection
    reconnect: ConnectionSource
    open_connection: ConnectionSource


def apply_steps(
    connections: DeployConnections, steps: Sequence[DeployStep], report: ReportStep
) -> Deployed:
    """Carry out the steps that are needed; after a Problem the next deploy goes on there."""
    connection = connections.connection
    check = next(step.action for step in steps if isinstance(step.action, CheckEngine))
    deployed = Deployed(
        check.layout, check.python, check.code_sha, check.env, check.provider, check.mount
    )
    with _hold_lock(connection, check.layout):
        for step in steps:
            if not step.needed:
                report(StepReport(step.name, "kept"))
                continue
            report(StepReport(step.name, "doing"))
            detail = _apply_step(connections, step, deployed, report)
            report(StepReport(step.name, "done", detail))
    return deployed


def _apply_step(
    connections: DeployConnections, step: DeployStep, deployed: Deployed, report: ReportStep
) -> str:
    action = step.action
    if isinstance(action, MakeFolders):
        return _make_folders(connections.connection, action)
    if isinstance(action, SendCode):
        return send_code(connections.connection, action.layout, action.code)
    if isinstance(action, SendWheels):
        return _send_wheels(connections, action, report)
    if isinstance(action, MakeEnvironment):
        return _install_environment(connections.reconnect, action, deployed, report)
    if isinstance(action, CheckEngine):
        return check_engine(connections.reconnect(), action)
    return ""


@contextmanager
def _hold_lock(connection: SSHConnection, layout: Layout) -> Iterator[None]:
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    argv = ["sh", "-c", read_script("lock.sh"), "lock", str(layout.work / "deploy"), who]
    holder = ""
    for _ in range(LOCK_TRIES):
        with connection.open_stream(argv) as stream:
            found = _read_lock_holder(connection, stream)
            if found is None:
                yield
                return
        holder = found
        sleep(LOCK_RETRY_S)
    raise Problem("remote.deploy.locked", ExitCode.CONFIG, server=connection.name, who=holder)


def _read_lock_holder(connection: SSHConnection, stream: ChannelStream) -> str | None:
    """Return who deploys there now; None when the lock is ours."""
    for line in stream.lines():
        word, _, holder = line.decode("utf-8", "replace").partition(" ")
        if word == "locked":
            return None
        if word == "held":
            return clean_line(holder.encode())
    raise _step_failed(connection, "lock.sh", stream.stderr)


def _make_folders(connection: SSHConnection, action: MakeFolders) -> str:
    work = str(action.layout.work)
    result = connection.script(
        read_script("make_folders.sh"), [work, *sorted(set(action.caches.values()))]
    )
    return _require_ok(connection, "make_folders.sh", result.out, result.err)


def send_code(connection: SSHConnection, layout: Layout, code: CodeArchive) -> str:
    """Upload the archive over one channel; the server verifies and unpacks it. Returns its size."""
    argv = [
        "sh",
        "-c",
        read_script("unpack_code.sh"),
        "unpack",
        str(layout.work / "code"),
        code.sha,
        code.data_sha,
    ]
    result = connection.run(argv, stdin=code.data, timeout=_UPLOAD_LIMIT_S)
    _require_ok(connection, "unpack_code.sh", result.out, result.err)
    return format_bytes(len(code.data))


def _send_wheels(connections: DeployConnections, action: SendWheels, report: ReportStep) -> str:
    source = Path(action.source).expanduser()
    wheels = {path.name: path for path in sorted(source.glob("*.whl"))}
    if not wheels:
        raise Problem("remote.deploy.no_wheels", ExitCode.CONFIG, folder=action.source)

    def report_progress(progress: TransferProgress) -> None:
        report(
            StepReport(
                "wheels", "doing", f"{format_bytes(progress.done)} / {format_bytes(progress.total)}"
            )
        )

    pushed = push(
        connections.open_connection,
        wheels,
        action.folder,
        report=report_progress,
        cancel=threading.Event(),
    )
    return f"{pushed.sent_files} + {pushed.kept_files}"


def check_engine(connection: SSHConnection, action: CheckEngine) -> str:
    """Check that the engine imports and the GPU computes, then write deployed.json.

    Returns torch's version and the GPU. Problem where nvidia-smi shows a GPU that torch cannot
    use: nothing is written then, so that the server does not count as ready.
    """
    work, code = str(action.layout.work), str(action.layout.code(action.code_sha))
    result = connection.script(
        read_script("check_engine.sh"), [work, action.python, code], timeout=_CHECK_LIMIT_S
    )
    check = parse_check(_require_ok(connection, "check_engine.sh", result.out, result.err))
    judge(check, action, connection.name)
    record = json.dumps(
        {
            "work": work,
            "python": action.python,
            "environment_key": action.environment_key,
            "env": dict(action.env),
            "build": action.build,
            "provider": action.provider,
            "mount": action.mount,
            "gpu": check.gpu,
        }
    )
    result = connection.script(read_script("write_deployed.sh"), [work, record])
    _require_ok(connection, "write_deployed.sh", result.out, result.err)
    return check.summary()


def _install_environment(
    connection_source: ConnectionSource,
    action: MakeEnvironment,
    deployed: Deployed,
    report: ReportStep,
) -> str:
    # What was sent along needs no index, and the one this computer took it from is out of reach.
    from_index = action.torch if action.torch is not None and not action.wheels else None
    torch_place = (from_index.layout, from_index.address) if from_index is not None else ("", "")
    # A run of its own: it survives a lost connection, and a second deploy joins it.
    run_id = f"{job_client.INSTALL_PREFIX}{action.key[:12]}"
    command = [
        "sh",
        str(deployed.code_folder / "agent" / "install.sh"),
        action.folder,
        action.method,
        action.base,
        action.key,
        action.wheels,
        *torch_place,
        action.build,
        " ".join(action.indexes),
        "--",
        *action.requirements,
    ]
    connection = connection_source()
    handle = job_client.make_handle(deployed.layout, run_id)
    try:
        job_client.launch_job(connection, deployed, run_id, command)
    except Problem as problem:
        if problem.key != "remote.job.already_running":
            raise
    last = ""
    for lines in job_client.follow_log(connection_source, handle).batches():
        for line in lines:
            last = clean_line(line.data)
            report(StepReport("python", "doing", last))
    state = job_client.fetch_state(connection_source(), handle)
    if state.state != "succeeded":
        raise Problem(
            "remote.deploy.disk_full"
            if state.code == _DISK_FULL_CODE
            else "remote.deploy.install_failed",
            ExitCode.INTERNAL,
            server=connection.name,
            why=last or state.why.en,
            log=str(handle.folder.log),
        )
    return last


def _require_ok(connection: SSHConnection, name: str, out: bytes, err: bytes) -> str:
    text = out.decode("utf-8", "replace").strip()
    word, _, rest = text.rpartition("\n")[2].partition(" ")
    if word != "ok":
        raise _step_failed(connection, name, out + err)
    return rest


def _step_failed(connection: SSHConnection, name: str, output: bytes) -> Problem:
    why = " / ".join(clean_line(line) for line in output.strip().splitlines()[-4:])
    facts: dict[str, Any] = {
        "server": connection.name,
        "step": name.removesuffix(".sh"),
        "why": why,
    }
    return Problem("remote.deploy.step_failed", ExitCode.INTERNAL, **facts)
