"""Deploys to real servers: the plan of `remote.deploy`, shown step by step."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import get_args

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import TINY_PRESETS
from sovdeck.remote.deploy import DeployStep, StepReport
from sovdeck.remote.preflight.weights import (
    FetchProgress,
    WeightsState,
    fetch_weights,
    find_weights,
)
from sovdeck.tui.services.connections import ConnectionRegistry, now_ms
from sovdeck.tui.services.converters import probe_server
from sovdeck.tui.services.protocols import Cancel, Emit
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import DeployStepRow, DeployStepState, WeightsRow

_STEP_STATES: dict[str, DeployStepState] = {"doing": "running", "done": "done", "kept": "skipped"}
assert set(_STEP_STATES.values()) < set(get_args(DeployStepState))


class LiveDeploys:
    """Plans and applies deploys."""

    def __init__(self, connections: ConnectionRegistry) -> None:
        self._connections = connections

    def plan(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Emit the steps that a deploy would take."""
        steps = self._connections.session(server).plan_deploy().steps
        emit(ev.DeployPlanned(server, tuple(_deploy_step(step) for step in steps)))

    def apply(self, server: str, emit: Emit, cancel: Cancel) -> None:
        """Deploy, emit each step's progress, then what a new probe found."""
        shown: dict[str, DeployStepRow] = {}
        started_at: dict[str, float] = {}

        def confirm(steps: tuple[DeployStep, ...]) -> None:
            shown.update({step.name: _deploy_step(step) for step in steps})
            emit(ev.DeployPlanned(server, tuple(shown.values())))

        def report(step_report: StepReport) -> None:
            step = shown.get(step_report.name)
            if step is None:
                return  # nothing had to be planned: all stood already
            started_at.setdefault(step_report.name, time.monotonic())
            seconds = (
                time.monotonic() - started_at[step_report.name]
                if step_report.state == "done"
                else None
            )
            shown[step_report.name] = replace(
                step,
                state=_STEP_STATES[step_report.state],
                detail=step_report.detail,
                seconds=seconds,
            )
            emit(ev.DeployStepChanged(server, shown[step_report.name]))

        try:
            session = self._connections.session(server)
            session.deploy(report, confirm)
        except Problem:
            for step in shown.values():
                if step.state == "running":
                    emit(ev.DeployStepChanged(server, replace(step, state="failed")))
            raise
        emit(ev.FactsSeen(server, probe_server(session), now_ms()))

    def read_weights(self, server: str, preset: str, emit: Emit, cancel: Cancel) -> None:
        """Emit what the preset's weights lack; nothing before a deploy, or for a tiny preset."""
        session = self._connections.session(server)
        if preset in TINY_PRESETS or session.find_deployment() is None:
            return
        found = find_weights(session, preset, session.config.train.pretrained)
        emit(ev.WeightsSeen(_weights_row(server, preset, found)))

    def fetch_weights(self, server: str, preset: str, emit: Emit, cancel: Cancel) -> None:
        """Let the server fetch what lacks; emit each file's progress, then what is there."""
        session = self._connections.session(server)
        name = session.config.train.pretrained
        lacking = _weights_row(server, preset, find_weights(session, preset, name))

        def report(progress: FetchProgress) -> None:
            now = replace(lacking, fetching=progress.file, have=progress.have, total=progress.total)
            emit(ev.WeightsSeen(now))

        report(FetchProgress("…", 0, None))
        try:
            fetch_weights(session, lacking.version, report=report, cancel=cancel, set_name=name)
        finally:
            emit(ev.WeightsSeen(_weights_row(server, preset, find_weights(session, preset, name))))


def _weights_row(server: str, preset: str, found: WeightsState) -> WeightsRow:
    return WeightsRow(server, preset, found.version, len(found.missing), found.megabytes)


def _deploy_step(step: DeployStep) -> DeployStepRow:
    return DeployStepRow(step.name, step.description, "waiting" if step.needed else "skipped")
