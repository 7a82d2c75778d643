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

from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from remote import job
from remote.agent import script
from remote.code_archive import CodeArchive
from remote.deploy.plan import (
    CheckEngine,
    MakeEnvironment,
    MakeFolders,
    SendCode,
    SendWheels,
    Step,
)
from remote.deployed import Deployed
from remote.link import Link
from remote.listener import LinkSource
from remote.stream import Stream
from remote.tail import clean_line
from remote.transfer.progress import Progress
from remote.transfer.push import push

_UPLOAD_LIMIT_S = 600.0


@dataclass(frozen=True)
class StepReport:
    """What a screen shows of one step. state: doing | done | kept (nothing was to be done)."""

    name: str
    state: str
    detail: str = ""


Report = Callable[[StepReport], None]

# A deploy that was just left gives its lock back a moment after its link has gone.
LOCK_LOOKS, LOCK_LOOK_S = 6, 0.5


@dataclass(frozen=True)
class Links:
    """The link at hand and where others come from.

    again: gives a living link when the first one is lost while packages are installed (that
    work goes on without us). connect: opens a link of its own, for the streams of a big upload.
    """

    link: Link
    again: LinkSource
    connect: LinkSource


def apply(links: Links, steps: Sequence[Step], report: Report) -> Deployed:
    """Do what the steps still need; Problem when one cannot be done, the next run goes on there."""
    link = links.link
    check = next(step.action for step in steps if isinstance(step.action, CheckEngine))
    deployed = Deployed(check.layout, check.python, check.code_sha, check.env)
    with _locked(link, check.layout):
        for step in steps:
            if not step.needed:
                report(StepReport(step.name, "kept"))
                continue
            report(StepReport(step.name, "doing"))
            detail = _do(links, step, deployed, report)
            report(StepReport(step.name, "done", detail))
    return deployed


def _do(links: Links, step: Step, deployed: Deployed, report: Report) -> str:
    action = step.action
    if isinstance(action, MakeFolders):
        return _make_folders(links.link, action)
    if isinstance(action, SendCode):
        return send_code(links.link, action.layout, action.code)
    if isinstance(action, SendWheels):
        return _send_wheels(links, action, report)
    if isinstance(action, MakeEnvironment):
        return _install(links.again, action, deployed, report)
    if isinstance(action, CheckEngine):
        return settle(links.again(), action)
    return ""


@contextmanager
def _locked(link: Link, layout: Layout) -> Iterator[None]:
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    argv = ["sh", "-c", script("lock.sh"), "lock", str(layout.work / "deploy"), who]
    holder = ""
    for _ in range(LOCK_LOOKS):
        with link.open_stream(argv) as stream:
            found = _holder(link, stream)
            if found is None:
                yield
                return
        holder = found
        sleep(LOCK_LOOK_S)
    raise Problem("remote.deploy.locked", ExitCode.CONFIG, server=link.name, who=holder)


def _holder(link: Link, stream: Stream) -> str | None:
    """Who deploys there now; None when the lock is ours."""
    for line in stream.lines():
        word, _, holder = line.decode("utf-8", "replace").partition(" ")
        if word == "locked":
            return None
        if word == "held":
            return clean_line(holder.encode())
    raise _failed(link, "lock.sh", stream.errors)


def _make_folders(link: Link, action: MakeFolders) -> str:
    work = str(action.layout.work)
    result = link.script(script("folders.sh"), [work, *sorted(set(action.caches.values()))])
    return _answer(link, "folders.sh", result.out, result.err)


def send_code(link: Link, layout: Layout, code: CodeArchive) -> str:
    """Upload the archive over one channel; the server verifies and unpacks it."""
    argv = ["sh", "-c", script("unpack.sh"), "unpack",
            str(layout.work / "code"), code.sha, code.data_sha]  # fmt: skip
    result = link.run(argv, stdin=code.data, timeout=_UPLOAD_LIMIT_S)
    _answer(link, "unpack.sh", result.out, result.err)
    return f"{len(code.data) >> 10} KiB"


def _send_wheels(links: Links, action: SendWheels, report: Report) -> str:
    source = Path(action.source).expanduser()
    wheels = {path.name: path for path in sorted(source.glob("*.whl"))}
    if not wheels:
        raise Problem("remote.deploy.no_wheels", ExitCode.CONFIG, folder=action.source)

    def show(progress: Progress) -> None:
        report(StepReport("wheels", "doing", f"{progress.done >> 20}/{progress.total >> 20} MiB"))

    pushed = push(
        links.connect, wheels, action.folder, report=show, cancel=threading.Event()
    )  # fmt: skip
    return f"{pushed.sent_files} + {pushed.kept_files}"


def settle(link: Link, action: CheckEngine) -> str:
    """Check that the engine imports there, and write down that the server is ready."""
    note = json.dumps(
        {"work": str(action.layout.work), "python": action.python, "wish": action.wish,
         "env": dict(action.env)}
    )  # fmt: skip
    code = str(action.layout.code(action.code_sha))
    arguments = [str(action.layout.work), action.python, code, note]
    result = link.script(script("settle.sh"), arguments, timeout=180.0)
    return "torch " + _answer(link, "settle.sh", result.out, result.err)


def _install(
    link_source: LinkSource, action: MakeEnvironment, deployed: Deployed, report: Report
) -> str:
    # A run of its own: it survives a cut line, and a second deploy joins it.
    run = f"{job.INSTALL}{action.key[:12]}"
    command = [
        "sh", str(deployed.code / "agent" / "install.sh"), action.folder, action.method,
        action.base, action.key, action.wheels, action.torch_index, " ".join(action.indexes), "--",
        *action.requirements,
    ]  # fmt: skip
    link = link_source()
    made = job.handle(deployed.layout, run)
    try:
        job.launch(link, deployed, run, command)
    except Problem as problem:
        if problem.key != "remote.job.already_running":
            raise
    last = ""
    for lines in job.log(link_source, made).batches():
        for line in lines:
            last = clean_line(line.data)
            report(StepReport("python", "doing", last))
    state = job.state(link_source(), made)
    if state.state != "succeeded":
        raise Problem(
            "remote.deploy.install_failed", ExitCode.INTERNAL,
            server=link.name, why=last or state.why.en, log=str(made.folder.log),
        )  # fmt: skip
    return last


def _answer(link: Link, name: str, out: bytes, err: bytes) -> str:
    text = out.decode("utf-8", "replace").strip()
    word, _, rest = text.rpartition("\n")[2].partition(" ")
    if word != "ok":
        raise _failed(link, name, out + err)
    return rest


def _failed(link: Link, name: str, said: bytes) -> Problem:
    why = " / ".join(clean_line(line) for line in said.strip().splitlines()[-4:])
    facts: dict[str, Any] = {"server": link.name, "step": name.removesuffix(".sh"), "why": why}
    return Problem("remote.deploy.step_failed", ExitCode.INTERNAL, **facts)
