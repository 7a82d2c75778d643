"""One run from its spec to `run_finished`: stages in order, one event stream, one result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from sovdeck.engine import __version__
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.pretrained_set import resolve_preset
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.runs.planned_stages import plan_figures, plan_stages
from sovdeck.engine.runs.preflight import check_prepared, run_preflight
from sovdeck.engine.runs.run_lock import lock_run
from sovdeck.engine.runs.unexpected_error import describe_unexpected_error
from sovdeck.engine.runtime.arithmetic import prepare_determinism
from sovdeck.engine.runtime.device import Device, check_gpus_exist, choose_device, set_visible_gpus
from sovdeck.engine.runtime.event_writer import EventWriter
from sovdeck.engine.runtime.memory_sampler import MemorySampler
from sovdeck.engine.runtime.nvml import count_gpus
from sovdeck.engine.runtime.signals import StopFlag, Stopped
from sovdeck.engine.runtime.stall_watchdog import StallWatchdog
from sovdeck.engine.runtime.tensorboard import TensorBoardWriter, with_tensorboard
from sovdeck.engine.training.context import RunContext, StageOutcome

if TYPE_CHECKING:
    from sovdeck.engine.runs.stages import RunProgress


@dataclass(frozen=True)
class RunResult:
    """How a run ended; `problem` is the reason when it did not succeed."""

    status: str
    exit_code: ExitCode
    problem: Problem | None = None


def execute_run(spec_file: Path, work: Path | None = None) -> RunResult:
    """Run `runs/<id>/spec.json`; events go beside it. `work` is three levels up by default.

    Raises Problem only for a spec that cannot be read, for a run that another engine works on and
    for events that somebody else changed; everything else becomes an event.
    """
    spec_file = spec_file.resolve()
    layout = Layout.at((work.resolve() if work else spec_file.parents[2]).as_posix())
    spec = resolve_preset(_read_spec(spec_file), layout)
    with (
        lock_run(spec_file.parent) as lock,
        EventWriter(spec_file.parent / "events.jsonl", spec.run) as events,
        StopFlag() as stop,
    ):
        lock.note_attempt(events.attempt)
        started = time.monotonic()
        progress: RunProgress | None = None
        try:
            device = _choose_device(spec)
            events.emit(
                "run_started",
                voice=spec.voice,
                stages=list(spec.stages),
                device=device.as_json(),
                engine=__version__,
                preset=spec.preset,
            )
            events.emit("plan", stages=plan_stages(spec, layout))
            tensorboard = TensorBoardWriter(
                Path(layout.features(spec.voice)) / "tensorboard" / spec.run
            )
            watchdog = StallWatchdog(with_tensorboard(events.emit, tensorboard))
            context = RunContext(
                spec, layout, watchdog.emit, stop, device, release_events=events.released
            )
            # Imported only now: loading torch and the models takes seconds, after `run_started`.
            from sovdeck.engine.runs.stages import begin_run, run_stage

            with closing(tensorboard), watchdog, MemorySampler(events.emit, device):
                progress = begin_run(context)
                plan = run_preflight(spec, layout)
                if plan.clips:
                    events.emit("plan", **plan_figures(plan, spec.stages))
                for stage in spec.stages:
                    stop.raise_if_set()
                    run_stage(stage, context, progress)
                    if stage == "prepare":
                        check_prepared(spec, layout)
            result = judge_run(spec, progress)
        except Stopped as stopped:
            # `sovdeck stop` writes this file before the signal, which a preemption sends too.
            asked = (spec_file.parent / "stop").exists()
            result = RunResult("stopped" if asked else stopped.status, stopped.exit_code)
        except Problem as problem:
            result = RunResult("failed", problem.exit_code, problem)
        except Exception as error:  # noqa: BLE001  # a defect of ours must still end the stream
            result = RunResult(
                "failed", ExitCode.INTERNAL, describe_unexpected_error(error, spec_file.parent)
            )
        _emit_run_finished(events, result, progress, layout, time.monotonic() - started)
    return result


def judge_run(spec: RunSpec, progress: RunProgress) -> RunResult:
    """Whether a run succeeded: updates were made, weights changed, files exist, the proof spoke."""
    trained = [name for name in spec.stages if name in ("sovits", "gpt")]
    if trained and not sum(outcome.updates for outcome in progress.outcomes):
        return _no_op_result("engine.run.nothing_trained", stages=", ".join(trained))
    for outcome in progress.outcomes:
        if not outcome.weight_change > 0:
            return _no_op_result("engine.run.weights_unmoved", stage=outcome.name)
        # A stage that was finished before has nothing to lose any more.
        from_nothing = not progress.initial_weights.pretrained
        if from_nothing and outcome.updates and not outcome.loss_fell:
            return _no_op_result(
                "engine.run.loss_not_fallen",
                stage=outcome.name,
                before=f"{outcome.loss_before:.4g}",
                after=f"{outcome.loss_after:.4g}",
            )
    missing = [str(export.path.name) for export in progress.exports if not export.path.is_file()]
    if missing or len(progress.outcomes) != len(trained):
        problem = Problem("engine.run.export_missing", ExitCode.INTERNAL, files=", ".join(missing))
        return RunResult("failed", ExitCode.INTERNAL, problem)
    if "proof" in spec.stages and not progress.proof_seconds:
        problem = Problem("engine.run.silent_proof", ExitCode.DATA)
        return RunResult("failed", ExitCode.DATA, problem)
    return RunResult("succeeded", ExitCode.OK)


def _no_op_result(key: str, **facts: Any) -> RunResult:
    return RunResult("no_op", ExitCode.NO_OP, Problem(key, ExitCode.NO_OP, **facts))


def _read_spec(path: Path) -> RunSpec:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")  # then it is no JSON of ours
    except OSError as error:
        raise Problem(
            "engine.run.no_spec", ExitCode.CONFIG, file=path.name, why=error.strerror or "?"
        ) from error
    return RunSpec.from_json(text)


def _choose_device(spec: RunSpec) -> Device:
    wanted, gpus = spec.settings.train.device, spec.settings.train.gpus
    prepare_determinism(spec.settings.train.deterministic)
    if wanted != "cpu" and not torch.cuda.is_initialized():
        set_visible_gpus(gpus)
        check_gpus_exist(gpus, torch.cuda.device_count(), count_gpus())
    return choose_device(wanted)


def _emit_run_finished(
    events: EventWriter,
    result: RunResult,
    progress: RunProgress | None,
    layout: Layout,
    seconds: float,
) -> None:
    if result.problem is not None:
        events.emit("error", **result.problem.as_json())
    exports = progress.exports if progress else []
    work = Path(layout.work)
    events.emit(
        "run_finished",
        status=result.status,
        exit_code=int(result.exit_code),
        seconds=seconds,
        exports=[
            {
                "path": export.path.relative_to(work).as_posix(),
                "kind": export.kind,
                "bytes": export.bytes,
                "sha256": export.sha256,
            }
            for export in exports
            if export.path.is_file()
        ],
        stages=_summarize_outcomes(progress.outcomes if progress else []),
    )


def _summarize_outcomes(outcomes: Sequence[StageOutcome]) -> list[dict[str, Any]]:
    return [
        {
            "name": outcome.name,
            "updates": outcome.updates,
            "change": outcome.weight_change,
            "first_loss": outcome.first_loss,
            "last_loss": outcome.last_loss,
        }
        for outcome in outcomes
    ]
