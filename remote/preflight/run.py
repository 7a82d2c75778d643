"""Before a run is promised: the server confirms what it needs, and what is in its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sovdeck.engine.contract.catalogue import LANGUAGES
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.hosts.address import to_printable
from sovdeck.remote.preflight.other_runs import find_active_runs
from sovdeck.remote.preflight.weights import WeightsState, find_weights
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.json_lines import object_list_field, parse_engine_problem, parse_object

ENGINE_TIMEOUT_S = 180.0
_MAX_FINDINGS = 20
_PLAN_FIGURES = ("seconds", "cost", "memory", "disk", "clips", "audio_seconds")
_MAX_LINES, _MAX_LINE = 20, 400


@dataclass(frozen=True)
class RunPreflight:
    """weights: of the preset, None for a run from nothing. active: ids of runs that go on.

    problems: what would keep it from training. warnings: what to think over before it. plan: what
    the run would take, as lines for a person in each language, and in figures; empty where it
    cannot be known.
    """

    weights: WeightsState | None
    problems: tuple[Problem, ...]
    active: tuple[str, ...]
    warnings: tuple[Problem, ...] = ()
    plan_lines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lacks_weights(self) -> bool:
        """Whether the preset's weights are not all there."""
        return self.weights is not None and not self.weights.whole


def check_run(session: ServerSession, spec: RunSpec) -> RunPreflight:
    """Ask the server about weights, other runs, dataset, batches, disk and GPU.

    Missing weights are not among `problems`: they can be fetched.
    """
    weights = None
    if spec.pretrained is not None:
        weights = find_weights(session, spec.preset, spec.pretrained)
    active = find_active_runs(session)
    lacks = weights is not None and not weights.whole
    problems, warnings, plan = _ask_engine(session, spec)
    return RunPreflight(
        weights,
        tuple(
            problem
            for problem in problems
            if not (lacks and problem.key == "engine.training.no_pretrained")
        ),
        tuple(run for run in active if run != spec.run),
        warnings,
        _clean_lines(plan.get("lines")),
        {name: plan[name] for name in _PLAN_FIGURES if isinstance(plan.get(name), (int, float))},
    )


def require_ready(session: ServerSession, spec: RunSpec) -> RunPreflight:
    """Raise the first Problem that keeps the run from training, missing weights included."""
    checked = check_run(session, spec)
    if checked.weights is not None and checked.lacks_weights:
        raise missing_weights(session, checked.weights)
    if checked.problems:
        raise checked.problems[0]
    return checked


def missing_weights(session: ServerSession, weights: WeightsState) -> Problem:
    """The problem of a run whose starting weights are not there."""
    return Problem(
        "remote.models.missing",
        ExitCode.CONFIG,
        server=session.name,
        version=weights.version,
        count=len(weights.missing),
        megabytes=weights.megabytes,
    )


def _clean_lines(lines: Any) -> dict[str, tuple[str, ...]]:
    """The lines of a plan, without anything that would move a cursor, and no more than fit."""
    if not isinstance(lines, dict):
        return {}
    return {
        language: tuple(to_printable(str(line), _MAX_LINE) for line in rows[:_MAX_LINES])
        for language in LANGUAGES
        if isinstance(rows := lines.get(language), list)
    }


def _ask_engine(
    session: ServerSession, spec: RunSpec
) -> tuple[tuple[Problem, ...], tuple[Problem, ...], Mapping[str, Any]]:
    """What keeps the run from training, what to think over and the plan, as the engine says."""
    connection, deployed = session.connection(), session.require_deployment()
    server = session.server
    price = [] if server.price_per_hour is None else ["--price", str(server.price_per_hour)]
    options = ["--work", str(deployed.layout.work), "--json", *price]
    argv = deployed.engine_argv(["check", *options, "--currency", server.currency])
    result = connection.run(argv, stdin=spec.to_json().encode(), timeout=ENGINE_TIMEOUT_S)
    last = parse_object(result.out.strip().rpartition(b"\n")[2]) or {}

    def read(name: str) -> tuple[Problem, ...]:
        rows = map(parse_engine_problem, object_list_field(last, name, _MAX_FINDINGS))
        return tuple(problem for problem in rows if problem is not None)

    problems = read("problems")
    if result.code != 0 and not problems:
        why = result.err.decode("utf-8", "replace").strip()[-300:] or f"code {result.code}"
        raise parse_engine_problem(last) or Problem(
            "remote.job.bad_answer",
            ExitCode.INTERNAL,
            server=connection.name,
            command="engine check",
            why=why,
        )
    plan = last.get("plan")
    return problems, read("warnings"), plan if isinstance(plan, dict) else {}
