"""Deploys for real: the plan of `remote.deploy`, shown step by step."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import get_args

from engine.contract.problem import Problem
from remote.deploy import Step, StepReport
from tui.services.protocols import Cancel, Emit
from tui.services.studios import Studios, now_ms
from tui.services.telling import judged_facts
from tui.state import events as ev
from tui.state.work import DeployStep, StepState

_STATES: dict[str, StepState] = {"doing": "running", "done": "done", "kept": "skipped"}
assert set(_STATES.values()) < set(get_args(StepState))


class LiveDeploys:
    def __init__(self, studios: Studios) -> None:
        self._studios = studios

    def plan(self, server: str, emit: Emit, cancel: Cancel) -> None:
        steps = self._studios.get(server).plan_deploy()
        emit(ev.DeployPlanned(server, tuple(_shown(step) for step in steps)))

    def apply(self, server: str, emit: Emit, cancel: Cancel) -> None:
        shown: dict[str, DeployStep] = {}
        begun: dict[str, float] = {}

        def confirm(steps: tuple[Step, ...]) -> None:
            shown.update({step.name: _shown(step) for step in steps})
            emit(ev.DeployPlanned(server, tuple(shown.values())))

        def report(said: StepReport) -> None:
            step = shown.get(said.name)
            if step is None:
                return  # nothing had to be planned: all stood already
            begun.setdefault(said.name, time.monotonic())
            seconds = time.monotonic() - begun[said.name] if said.state == "done" else None
            shown[said.name] = replace(
                step, state=_STATES[said.state], detail=said.detail, seconds=seconds
            )
            emit(ev.DeployStepChanged(server, shown[said.name]))

        try:
            studio = self._studios.get(server)
            studio.deploy(report, confirm)
        except Problem:
            for step in shown.values():
                if step.state == "running":
                    emit(ev.DeployStepChanged(server, replace(step, state="failed")))
            raise
        emit(ev.FactsSeen(server, judged_facts(studio), now_ms()))


def _shown(step: Step) -> DeployStep:
    return DeployStep(step.name, step.what, "waiting" if step.needed else "skipped")
