"""Follows a run from a verb: stages and losses as lines, until it has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.contract.events import Event
from engine.contract.fold import RunState, StageState, fold
from engine.contract.problem import ExitCode
from tui.console import Console, duration

if TYPE_CHECKING:
    from remote.job import RunHandle
    from remote.job_state import JobState
    from remote.studio import Studio


@dataclass(frozen=True)
class Ended:
    """How a followed run ended: the supervisor's word, and what the events say."""

    job: JobState
    state: RunState

    @property
    def code(self) -> int:
        """The run's own exit code; INTERNAL where the server never said one."""
        if self.job.code is not None:
            return self.job.code
        return int(ExitCode.OK if self.job.state == "succeeded" else ExitCode.INTERNAL)


def follow(
    studio: Studio,
    handle: RunHandle,
    console: Console,
    *,
    silent_past: bool = False,
    listen: Callable[[Sequence[Event]], None] = lambda events: None,
) -> Ended:
    """Show every event of the run as it comes; returns when the run is over.

    The stream resumes by offset, so a cut link only delays lines. silent_past: say nothing of a
    run that is over already; somebody watched it elsewhere. listen: hears every event too.
    """
    from remote import job

    quiet = silent_past and job.state(studio.link(), handle).ended
    state = RunState()
    for batch in job.events(studio.link, handle).batches():
        state = fold(state, batch)
        listen(batch)
        for event in batch if not quiet else ():
            console.emit({"event": event.type, "stage": event.stage, **event.payload})
            line = describe(event, console)
            if line:
                console.write(line)
        stage = state.stage(state.current) if state.current else None
        if stage is not None and not quiet:
            console.live(progress_line(stage))
    return Ended(job.state(studio.link(), handle), state)


def describe(event: Event, console: Console) -> str:
    """A line for the events a person wants to keep on screen; empty for the others."""
    payload = event.payload
    if event.type == "stage_started":
        return f"> {event.stage}: {payload['total']} {payload['unit']}"
    if event.type == "epoch":
        return f"  {event.stage}: {payload['epoch']}/{payload['epochs']}"
    if event.type == "stage_finished":
        return f"< {event.stage}: {duration(payload['seconds'])}"
    if event.type == "export":
        return f"+ {payload['path']}"
    if event.type in ("warning", "error"):
        mark = "!" if event.type == "warning" else "!!"
        said = payload["message"], payload["hint"]
        words = (str(one.get(console.language, "")) for one in said if isinstance(one, dict))
        return f"{mark} {' '.join(words)}".rstrip()
    return ""


def progress_line(stage: StageState) -> str:
    """`sovits 12/80  loss 31.42  eta 0:40`."""
    loss = "" if stage.last_loss is None else f"  loss {stage.last_loss:.3f}"
    return f"{stage.name} {stage.step}/{stage.total}{loss}  eta {duration(stage.eta_s)}"
