"""One run as the dashboard keeps it: the contract's fold plus curves, log tail and job state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from engine.contract.events import Event
from engine.contract.fold import LossPoint, RunState, StageState, fold
from tui.state.saved_losses import SavedLosses, with_saves
from tui.state.series import Series
from tui.state.work import ENDED, JobStatus

LOG_LIMIT = 5000

RunKey = tuple[str, str]
Curves = Mapping[str, Mapping[str, Series]]


@dataclass(frozen=True)
class RunView:
    """`state.points` is always empty here: points move into `curves[stage][loss]`."""

    server: str
    run: str
    state: RunState = field(default_factory=RunState)
    job: JobStatus | None = None
    curves: Curves = field(default_factory=dict)
    saved: SavedLosses = field(default_factory=SavedLosses)
    log: tuple[str, ...] = ()
    log_dropped: int = 0
    heard_at: int | None = None

    @property
    def key(self) -> RunKey:
        return (self.server, self.run)

    @property
    def status(self) -> str:
        """The supervisor's word where it is final, else the stream's, else unknown."""
        if self.job is not None and self.job.state in ENDED:
            return self.job.state
        if self.state.status is not None:
            return self.state.status
        if self.job is not None:
            return self.job.state
        return "running" if self.state.current else "unknown"

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def voice(self) -> str:
        return self.state.voice or (self.job.voice if self.job else "")

    @property
    def stage(self) -> StageState | None:
        """The stage at work, else the last that has run."""
        if self.state.current:
            return self.state.stage(self.state.current)
        done = [stage for stage in self.state.stages if stage.state != "waiting"]
        return done[-1] if done else None

    @property
    def eta_s(self) -> float | None:
        """Seconds left in the stage at work; None where the stream gave none."""
        stage = self.stage
        return stage.eta_s if stage is not None and stage.state == "running" else None


def with_events(view: RunView, events: Iterable[Event], at: int) -> RunView:
    events = tuple(events)
    state = fold(view.state, events)
    curves = with_points(view.curves, state.points)
    saved = with_saves(view.saved, (event for event in events if event.seq > view.state.seq))
    return replace(view, state=replace(state, points=()), curves=curves, saved=saved, heard_at=at)


def with_points(curves: Curves, points: Iterable[LossPoint]) -> Curves:
    """Return `curves` grown by `points`; stages and losses appear as they are first seen."""
    batches: dict[str, dict[str, list[tuple[float, float | None]]]] = {}
    for point in points:
        losses = batches.setdefault(point.stage, {})
        for name, value in point.losses.items():
            losses.setdefault(name, []).append((point.step, value))
    if not batches:
        return curves
    grown = {stage: dict(losses) for stage, losses in curves.items()}
    for stage, losses in batches.items():
        kept = grown.setdefault(stage, {})
        for name, batch in losses.items():
            kept[name] = kept.get(name, Series()).extended(batch)
    return grown


def saved_loss(runs: Iterable[RunView], server: str, path: str) -> float | None:
    """The loss at which the newest run that wrote `path` had saved it; None while unknown."""
    wrote = [run for run in runs if run.server == server and path in run.saved.at]
    newest = max(wrote, key=lambda run: run.state.as_of, default=None)
    return newest.saved.at[path] if newest is not None else None


def with_log(view: RunView, lines: tuple[str, ...], at: int) -> RunView:
    log = view.log + lines
    dropped = max(0, len(log) - LOG_LIMIT)
    return replace(view, log=log[dropped:], log_dropped=view.log_dropped + dropped, heard_at=at)
