"""Follow a run in the terminal: its stages and losses as lines, until it has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.fold import RunState, StageState, fold
from sovdeck.engine.contract.format import format_short_duration
from sovdeck.engine.contract.problem import ExitCode
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.jobs.client import RunHandle
from sovdeck.remote.jobs.state import JobState
from sovdeck.remote.servers.server import ServerSession
from sovdeck.tui.cli.console import Console
from sovdeck.tui.state.run_lines import run_lines


@dataclass(frozen=True)
class FollowedRun:
    """How a followed run ended: the state of its process, and the fold over its events."""

    job: JobState
    state: RunState

    @property
    def exit_code(self) -> int:
        """The run's own exit code; INTERNAL where the server never recorded one."""
        if self.job.code is not None:
            return self.job.code
        return int(ExitCode.OK if self.job.state == "succeeded" else ExitCode.INTERNAL)


def follow_run(
    session: ServerSession,
    handle: RunHandle,
    console: Console,
    *,
    quiet_if_ended: bool = False,
    on_events: Callable[[Sequence[Event]], None] = lambda events: None,
) -> FollowedRun:
    """Print every event of the run as it comes; return when the run has ended.

    The stream resumes at its byte offset, so a lost connection only delays lines.
    quiet_if_ended: print nothing of a run that has ended already. on_events: gets every batch.
    """
    quiet = quiet_if_ended and job_client.fetch_state(session.connection(), handle).ended
    state, last_step_t = RunState(), 0
    for batch in job_client.follow_events(session.connection, handle).batches():
        state = fold(state, batch)
        on_events(batch)
        for event in batch if not quiet else ():
            envelope = {"seq": event.seq, "t": event.t, "attempt": event.attempt}
            console.print_json(
                {"event": event.type, "stage": event.stage, **envelope, **event.payload}
            )
            lines, last_step_t = run_lines([event], last_step_t)
            for line in lines or (format_notice(event, console),):
                if line:
                    console.print_line(line)
        stage = state.stage(state.current) if state.current else None
        if stage is not None and not quiet:
            console.show_status(format_stage_progress(stage))
    return FollowedRun(job_client.fetch_state(session.connection(), handle), state)


def format_notice(event: Event, console: Console) -> str:
    """A warning or an error of the run as a line; empty for other events."""
    if event.type not in ("warning", "error"):
        return ""
    mark = "!" if event.type == "warning" else "!!"
    texts = event.payload["message"], event.payload["hint"]
    parts = (str(one.get(console.language, "")) for one in texts if isinstance(one, dict))
    return f"{mark} {' '.join(parts)}".rstrip()


def format_stage_progress(stage: StageState) -> str:
    """`sovits 12/80  loss 31.42  eta 0:40`."""
    loss = "" if stage.last_loss is None else f"  loss {stage.last_loss:.3f}"
    return (
        f"{stage.name} {stage.step}/{stage.total}{loss}  eta {format_short_duration(stage.eta_s)}"
    )
