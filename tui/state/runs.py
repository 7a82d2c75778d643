"""One run as the dashboard keeps it: the contract's fold plus curves, log tail and job state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sovdeck.engine.contract.catalogue import LANGUAGES, Text
from sovdeck.engine.contract.curves import Curves, with_points
from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.fold import RunState, StageState, fold
from sovdeck.engine.contract.run_summary import RunSummary
from sovdeck.engine.contract.saved_losses import SavedLosses, with_saved_losses
from sovdeck.remote.jobs.state import ENDED_STATES
from sovdeck.tui.state.models import JobStatus
from sovdeck.tui.state.run_lines import run_lines

LOG_LIMIT = 5000
# Ends that nobody asked for; a stopped run has nothing to explain.
_FAILED_STATES = ("failed", "killed", "lost", "stale", "no_op", "preempted")

RunKey = tuple[str, str]


@dataclass(frozen=True)
class RunView:
    """`state.points` is always empty here: points move into `curves[stage][loss]`."""

    server: str
    run: str
    state: RunState = field(default_factory=RunState)
    job: JobStatus | None = None
    curves: Curves = field(default_factory=dict)
    saved_losses: SavedLosses = field(default_factory=SavedLosses)
    log: tuple[str, ...] = ()
    log_dropped: int = 0
    last_step_t: int = 0  # of the last update that has a line in the log
    heard_at: int | None = None

    @property
    def key(self) -> RunKey:
        """The run's key in the state."""
        return (self.server, self.run)

    @property
    def status(self) -> str:
        """The supervisor's state where it is final, else the stream's, else unknown."""
        if self.job is not None and self.job.state in ENDED_STATES:
            return self.job.state
        if self.state.status is not None:
            return self.state.status
        if self.job is not None:
            return self.job.state
        return "running" if self.state.current else "unknown"

    @property
    def ended(self) -> bool:
        """Whether the run is over and writes no more."""
        return self.status in ENDED_STATES

    @property
    def failure(self) -> Text | None:
        """Why the run did not succeed; None while it goes on or where it did."""
        return failure_text(self.status, self.state, self.job.detail if self.job else None)

    @property
    def voice(self) -> str:
        """The voice that is trained, as far as it is known."""
        return self.state.voice or (self.job.voice if self.job else "")

    @property
    def stage(self) -> StageState | None:
        """The running stage, else the last that has run."""
        if self.state.current:
            return self.state.stage(self.state.current)
        done = [stage for stage in self.state.stages if stage.state != "waiting"]
        return done[-1] if done else None

    @property
    def eta_s(self) -> float | None:
        """Seconds left in the running stage; None where the stream gave none."""
        stage = self.stage
        return stage.eta_s if stage is not None and stage.state == "running" else None


def failure_text(status: str, run: RunState, why: Text | None) -> Text | None:
    """Why a run in this state did not succeed, and what to do: its own last error, else `why`."""
    if status not in _FAILED_STATES:
        return None
    errors = [event.payload for event in run.notices if event.type == "error"]
    if not errors:
        return why
    both = [errors[-1].get("message"), errors[-1].get("hint")]
    en, zh = (
        " ".join(str(one.get(language, "")) for one in both if isinstance(one, dict)).strip()
        for language in LANGUAGES
    )
    return Text(en, zh)


def with_events(view: RunView, events: Iterable[Event], at: int) -> RunView:
    """`view` after `events`, in order; points move into its curves."""
    events = tuple(events)
    state = fold(view.state, events)
    curves = with_points(view.curves, state.points)
    fresh = [event for event in events if event.seq > view.state.seq]
    lines, last_step_t = run_lines(fresh, view.last_step_t)
    view = with_log(view, lines, at)
    return replace(
        view,
        state=replace(state, points=()),
        curves=curves,
        saved_losses=with_saved_losses(view.saved_losses, fresh),
        last_step_t=last_step_t,
    )


def with_summary(view: RunView, summary: RunSummary, at: int) -> RunView:
    """`view` as of a summary of its events; one that is older than the view changes nothing."""
    if summary.state.seq <= view.state.seq:
        return view
    fresh = [event for event in summary.recent if event.seq > view.state.seq]
    lines, last_step_t = run_lines(fresh, view.last_step_t)
    return replace(
        with_log(view, lines, at),
        state=summary.state,
        curves=summary.curves,
        saved_losses=summary.saved_losses,
        last_step_t=last_step_t,
        heard_at=at,
    )


def saved_loss(runs: Iterable[RunView], server: str, path: str) -> float | None:
    """The loss at which the newest run that wrote `path` had saved it; None while unknown."""
    wrote = [run for run in runs if run.server == server and path in run.saved_losses.by_path]
    newest = max(wrote, key=lambda run: run.state.as_of, default=None)
    return newest.saved_losses.by_path[path] if newest is not None else None


def with_log(view: RunView, lines: tuple[str, ...], at: int) -> RunView:
    """`view` with more log lines; the oldest beyond LOG_LIMIT are dropped and counted."""
    if not lines:
        return replace(view, heard_at=at)
    log = view.log + lines
    dropped = max(0, len(log) - LOG_LIMIT)
    return replace(view, log=log[dropped:], log_dropped=view.log_dropped + dropped, heard_at=at)
