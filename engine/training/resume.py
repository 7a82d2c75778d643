"""Going on from saved states: the newest that verifies, and only with the same data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from engine.contract.problem import ExitCode, Problem
from engine.runtime.checkpoint import Fault, SavedState
from engine.runtime.durable import is_no_space
from engine.runtime.journal import Emit
from engine.runtime.signals import StopFlag
from engine.training.progress import Position

Result = TypeVar("Result")
_RETRY_S = 5.0


@dataclass(frozen=True)
class Resumed:
    """A saved state to go on from. `changed` names facts that differ from the run's own."""

    state: SavedState
    position: Position
    changed: tuple[str, ...] = ()


def announce(faults: Sequence[Fault], emit: Emit, stage: str) -> None:
    """Say which saved states do not verify."""
    for fault in faults:
        notice = Problem(
            "engine.training.state_damaged", ExitCode.DATA,
            stage=stage, state=fault.name, why=fault.why,
        )  # fmt: skip
        emit("warning", stage, **notice.as_json())


def agree(everyone: Sequence[Mapping[str, Any]], stage: str) -> None:
    """Raise Problem when a process would go on from another state, or from other data.

    `everyone` holds the facts of each process by rank. Hosts without a shared work folder would
    otherwise train two voices into one.
    """
    first = everyone[0]
    for rank, facts in enumerate(everyone):
        differing = [name for name, value in first.items() if facts.get(name) != value]
        if differing:
            raise Problem(
                "engine.training.peers_differ", ExitCode.DISTRIBUTED,
                stage=stage, rank=rank, what=", ".join(differing),
            )  # fmt: skip


def decide(
    state: SavedState | None,
    any_damaged: bool,
    facts: Mapping[str, Any],
    on_change: str,
    stage: str,
) -> Resumed | None:
    """What to go on from: a saved state, or the base (None).

    `facts` are what must not change: dataset, settings, base. When one did, `on_change` says
    "stop" (Problem naming it), "continue" (at the next epoch: clips have other numbers now)
    or "restart" (from the base). When there are only states that do not verify: Problem, as
    the base is never taken silently.
    """
    if state is None:
        if any_damaged and on_change != "restart":
            raise Problem("engine.training.no_state_left", ExitCode.DATA, stage=stage)
        return None
    position = Position.from_facts(state.facts["position"])
    kept = state.facts["must_match"]
    changed = tuple(name for name, value in facts.items() if kept.get(name) != value)
    if not changed:
        return Resumed(state, position)
    if on_change == "stop":
        raise Problem(
            "engine.training.changed", ExitCode.CONFIG, stage=stage, what=", ".join(changed)
        )
    if on_change == "restart":
        return None
    if position.index:
        position = position.after_epoch()
    return Resumed(state, Position(position.epoch, 0, position.step), changed)


def patiently(
    write: Callable[[], Result],
    emit: Emit,
    stop: StopFlag,
    stage: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Run `write`; while the disk is full, say so, wait, and try again.

    What was there before survives: every writer here writes beside and renames. Raises Stopped
    when the run is asked to stop meanwhile.
    """
    began: float | None = None
    while True:
        try:
            result = write()
        except OSError as error:
            if not is_no_space(error):
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
