"""Starts, watches and stops supervised runs on a server.

The supervisor (agent/supervise.sh) needs nobody: everything here only writes a spec, launches
it, and asks what has become of it. Each call is one round trip.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from engine.contract.layout import Layout, RunFolder
from engine.contract.problem import ExitCode, Problem
from engine.contract.spec import RunSpec
from remote.agent import script
from remote.deployed import Deployed
from remote.job_state import Figures, JobState, decide, read_figures
from remote.link import Link
from remote.listener import LinkSource
from remote.tail import EventTail, Tail

# Also a file name and part of command lines, so nothing a shell or a path could mistake.
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_SLACK_S = 30.0
AUTOSTOP = "autostop"
INSTALL = "install-"
AUDITION = "audition-"

QueuePlace = Literal["join", "wait"]
_QUEUE_WORDS: Mapping[QueuePlace | None, str] = {
    None: "", "join": "--join {}", "wait": "--queue {}",
}  # fmt: skip


@dataclass(frozen=True)
class RunHandle:
    """A run on a server: enough to find it again from another laptop."""

    run: str
    folder: RunFolder


def handle(layout: Layout, run: str) -> RunHandle:
    """The handle of a run by its id; Problem when the id cannot be one."""
    if not _RUN.match(run):
        raise Problem("remote.job.bad_run", ExitCode.CONFIG, run=run)
    return RunHandle(run, layout.run(run))


def start(link: Link, deployed: Deployed, spec: RunSpec, *, queue: bool = False) -> RunHandle:
    """Write the spec and launch the run; it needs no connection from then on.

    A run that ended may be started again with the same spec (it resumes); one that is going is
    refused. queue: wait on the server until the runs started before it have ended.
    """
    spec.validate()
    command = (deployed.python, "-m", "engine", "run", "spec.json")
    place: QueuePlace = "wait" if queue else "join"
    return launch(link, deployed, spec.run, command, spec_json=spec.to_json(), queue=place)


def launch(
    link: Link,
    deployed: Deployed,
    run: str,
    command: Iterable[str],
    *,
    spec_json: str = "",
    queue: QueuePlace | None = None,
) -> RunHandle:
    """Launch any command as a supervised run, in its run folder.

    queue: "join" counts as a run that later ones wait for, "wait" waits for the earlier ones
    itself; None stays out of the queue.
    """
    made = handle(deployed.layout, run)
    environment = [f"{name}={value}" for name, value in sorted(deployed.env.items())]
    answer = _ask(
        link, "start.sh",
        str(made.folder.path), str(deployed.supervisor), spec_json,
        _QUEUE_WORDS[queue].format(deployed.layout.work / "queue"),
        *environment, "--", *command,
    )  # fmt: skip
    facts = {"run": run, "server": link.name}
    if answer == "started":
        return made
    if answer == "refused":
        raise Problem("remote.job.already_running", ExitCode.CONFIG, **facts)
    if answer == "differs":
        raise Problem("remote.job.another_spec", ExitCode.CONFIG, **facts)
    raise Problem("remote.job.start_failed", ExitCode.INTERNAL, why=answer, **facts)


def state(link: Link, run: RunHandle) -> JobState:
    """What has become of one run."""
    found = _figures(link, run.folder.path.parent, run.run)
    return decide(found[0])


def runs(link: Link, layout: Layout, *, services: bool = False) -> tuple[JobState, ...]:
    """Every run on the server, by name; services: also our own (installing, autostop)."""
    found = _figures(link, layout.work / "runs")
    # A folder that is no run of ours may have any name, also one that upsets a terminal.
    return tuple(
        decide(figures)
        for figures in found
        if _RUN.match(figures.run) and (services or not is_service(figures.run))
    )


def is_service(run: str) -> bool:
    """Whether a run is one of our own services rather than work on a voice."""
    return run == AUTOSTOP or run.startswith((INSTALL, AUDITION))


def stop(link: Link, run: RunHandle, grace: float = 60.0) -> JobState:
    """Ask the run to end: TERM so that it saves, after `grace` seconds KILL. Returns its state.

    A run that is not going is left as it is.
    """
    answer = _ask(link, "stop.sh", str(run.folder.path), str(int(grace)), timeout=grace + _SLACK_S)
    if answer == "alive":
        raise Problem("remote.job.stop_failed", ExitCode.INTERNAL, run=run.run, server=link.name)
    if answer not in ("gone", "ended", "killed"):
        raise _bad_answer(link, "stop.sh", answer)
    return state(link, run)


def events(link_source: LinkSource, run: RunHandle, *, offset: int = 0, seq: int = -1) -> EventTail:
    """The run's event stream from a known place on; ends by itself when the run is over."""
    folder = run.folder
    tail = Tail(link_source, str(folder.events), offset, run_folder=str(folder.path))
    return EventTail(tail, seq=seq)


def log(link_source: LinkSource, run: RunHandle, *, offset: int = 0) -> Tail:
    """The run's log from a byte offset on, across rotation."""
    folder = run.folder
    return Tail(
        link_source, str(folder.log), offset,
        run_folder=str(folder.path), rotated=str(folder.path / "log.1.txt"),
    )  # fmt: skip


def _figures(link: Link, folder: PurePosixPath, *ids: str) -> tuple[Figures, ...]:
    result = link.script(script("state.sh"), [str(folder), *ids])
    text = result.out.decode("utf-8", "replace")
    found = read_figures(text)
    if result.code != 0 or len(found) < len(ids):
        raise _bad_answer(link, "state.sh", text + result.err.decode("utf-8", "replace"))
    return found


def _ask(link: Link, name: str, *args: str, timeout: float = 60.0) -> str:
    # The answer is the last line: a server's shell start-up files may print before it.
    result = link.script(script(name), args, timeout=timeout)
    answer = result.out.decode("utf-8", "replace").strip().rpartition("\n")[2]
    if result.code != 0 or not answer:
        raise _bad_answer(link, name, result.err.decode("utf-8", "replace"))
    return answer


def _bad_answer(link: Link, command: str, why: str) -> Problem:
    return Problem(
        "remote.job.bad_answer", ExitCode.INTERNAL,
        server=link.name, command=command, why=why.strip()[-300:],
    )  # fmt: skip
