"""Going on from saved states: the newest that verifies, and only with the same data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sovdeck.engine.contract.atomic_io import is_disk_full
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime.checkpoint import DamagedCheckpoint, SavedCheckpoint
from sovdeck.engine.runtime.event_writer import Emit
from sovdeck.engine.runtime.signals import StopFlag
from sovdeck.engine.training.meters import Position

Result = TypeVar("Result")
_RETRY_S = 5.0
# What a setting was before there was a choice: a state that is older than it does not name it.
_BEFORE_A_CHOICE = {"repeats": 1}
_ADJUSTABLE = frozenset({"batch_size"})  # what a person may change between two runs of a voice


@dataclass(frozen=True)
class ResumePoint:
    """A saved state to go on from. `changed` names facts that differ from the run's own."""

    state: SavedCheckpoint
    position: Position
    changed: tuple[str, ...] = ()


def warn_damaged_states(faults: Sequence[DamagedCheckpoint], emit: Emit, stage: str) -> None:
    """Emit a warning for each saved state that does not verify."""
    for fault in faults:
        notice = Problem(
            "engine.training.state_damaged",
            ExitCode.DATA,
            stage=stage,
            state=fault.name,
            why=fault.why,
        )
        emit("warning", stage, **notice.as_json())


def check_peers_agree(facts_by_rank: Sequence[Mapping[str, Any]], stage: str) -> None:
    """Raise Problem when a process would go on from another state, or from other data.

    `facts_by_rank` holds the facts of each process. Hosts without a shared work folder would
    otherwise train two voices into one.
    """
    first = facts_by_rank[0]
    for rank, facts in enumerate(facts_by_rank):
        differing = [name for name, value in first.items() if facts.get(name) != value]
        if differing:
            raise Problem(
                "engine.training.peers_differ",
                ExitCode.DISTRIBUTED,
                stage=stage,
                rank=rank,
                what=", ".join(differing),
            )


def choose_resume_point(
    state: SavedCheckpoint | None,
    any_damaged: bool,
    facts: Mapping[str, Any],
    on_change: str,
    stage: str,
) -> ResumePoint | None:
    """The saved state to go on from; None starts from the initial weights.

    `facts` are what must not change: dataset, settings, initial weights. A batch size may: to
    lower it after a stop is what the guide advises, and training goes on. When another one did,
    `on_change` says "stop" (Problem naming it), "continue" (at the next epoch: clips have other
    numbers now) or "restart" (from the initial weights). When there are only states that do not
    verify: Problem, as training never starts over silently.
    """
    if state is None:
        if any_damaged and on_change != "restart":
            raise Problem("engine.training.no_state_left", ExitCode.DATA, stage=stage)
        return None
    position = Position.from_facts(state.facts["position"])
    saved = saved_settings(state)
    # A state imported from GPT-SoVITS says little of its settings: what it does not say fits.
    is_imported = not state.facts["run"]
    changed = tuple(
        name
        for name, value in facts.items()
        if saved.get(name) != value and (name in saved or not is_imported)
    )
    if set(changed) <= _ADJUSTABLE and on_change != "restart":
        on_change = "continue"
    if not changed:
        older = "repeats" in facts and "repeats" not in state.facts["must_match"]
        if position.index and older and not is_imported:
            position = position.after_epoch()  # it also held more clips out: others come next
        return ResumePoint(state, position)
    if on_change == "stop":
        raise Problem(
            "engine.training.changed", ExitCode.CONFIG, stage=stage, what=", ".join(changed)
        )
    if on_change == "restart":
        return None
    if position.index:
        position = position.after_epoch()
    return ResumePoint(state, Position(position.epoch, 0, position.step), changed)


def saved_settings(state: SavedCheckpoint) -> Mapping[str, Any]:
    """What must match of the run that saved `state`, with what did not need a name then."""
    before = _BEFORE_A_CHOICE if state.facts["run"] else {}
    return {**before, **state.facts["must_match"]}


def retry_while_disk_full(
    write: Callable[[], Result],
    emit: Emit,
    stop: StopFlag,
    stage: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Run `write`; while the disk is full, emit a warning, wait, and try again.

    What was there before survives: every writer here writes beside and renames. Raises Stopped
    when the run is asked to stop meanwhile.
    """
    began: float | None = None
    while True:
        try:
            result = write()
        except OSError as error:
            if not is_disk_full(error):
                raise
            if began is None:
                began = time.monotonic()
                notice = Problem("engine.training.disk_full", ExitCode.DATA, why=str(error))
                emit("warning", stage, **notice.as_json())
            stop.raise_if_set()
            sleep(_RETRY_S)
            continue
        if began is not None:
            emit("stall", stage, seconds=time.monotonic() - began, why="disk_full")
        return result
