"""One run from its spec to `run_finished`: stages in order, one journal, one honest ending."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import engine
from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from engine.contract.spec import RunSpec
from engine.defect import unforeseen
from engine.readiness import check_ready
from engine.run_plan import planned_stages
from engine.runtime.device import Device, choose, limit_gpus, require_gpus
from engine.runtime.journal import Journal
from engine.runtime.memory import MemoryWatch
from engine.runtime.nvml import gpu_count
from engine.runtime.signals import StopFlag, Stopped
from engine.runtime.stall import StallWatch
from engine.runtime.tensorboard import TensorBoard, teed
from engine.training.room import Room, StageOutcome

if TYPE_CHECKING:
    from engine.stages import Progress


@dataclass(frozen=True)
class Ending:
    """How a run ended; `problem` says why when it did not succeed."""

    status: str
    exit_code: ExitCode
    problem: Problem | None = None


def execute(spec_file: Path, work: Path | None = None) -> Ending:
    """Run `runs/<id>/spec.json`; events go beside it. `work` is three levels up by default.

    Raises Problem only for a spec that cannot be read; everything later becomes an event.
    """
    spec_file = spec_file.resolve()
    spec = _read_spec(spec_file)
    layout = Layout.at((work.resolve() if work else spec_file.parents[2]).as_posix())
    with Journal(spec_file.parent / "events.jsonl", spec.run) as journal, StopFlag() as stop:
        started = time.monotonic()
        progress: Progress | None = None
        try:
            device = _device(spec)
            journal.emit(
                "run_started", voice=spec.voice, stages=list(spec.stages),
                device=device.as_json(), engine=engine.__version__, preset=spec.preset,
            )  # fmt: skip
            journal.emit("plan", stages=planned_stages(spec, layout))
            board = TensorBoard(Path(layout.features(spec.voice)) / "tensorboard" / spec.run)
            watch = StallWatch(teed(journal.emit, board))
            room = Room(spec, layout, watch.emit, stop, device, lend=journal.lent)
            # Loaded only now: the models' libraries take seconds, and a person is watching.
            from engine.stages import begin, run_stage

            with closing(board), watch, MemoryWatch(journal.emit, device):
                progress = begin(room)
                check_ready(spec, layout)
                for stage in spec.stages:
                    stop.raise_if_set()
                    run_stage(stage, room, progress)
            ending = judge(spec, progress)
        except Stopped as stopped:
            # `sovdeck stop` leaves this file before it sends the signal a lost server sends too.
            asked = (spec_file.parent / "stop").exists()
            ending = Ending("stopped" if asked else stopped.status, stopped.exit_code)
        except Problem as problem:
            ending = Ending("failed", problem.exit_code, problem)
        except Exception as error:  # noqa: BLE001  # a defect of ours must still end the stream
            ending = Ending("failed", ExitCode.INTERNAL, unforeseen(error, spec_file.parent))
        _finish(journal, ending, progress, layout, time.monotonic() - started)
    return ending


def judge(spec: RunSpec, progress: Progress) -> Ending:
    """Succeeded, or why not: files exist, weights moved, updates were made, the proof spoke."""
    trained = [name for name in spec.stages if name in ("sovits", "gpt")]
    if trained and not sum(outcome.updates for outcome in progress.outcomes):
        return _no_op("engine.run.nothing_trained", stages=", ".join(trained))
    for outcome in progress.outcomes:
        if not outcome.change > 0:
            return _no_op("engine.run.weights_unmoved", stage=outcome.name)
        if not progress.base.pretrained and not outcome.loss_fell:
            return _no_op(
                "engine.run.loss_not_fallen", stage=outcome.name,
                before=f"{outcome.before:.4g}", after=f"{outcome.after:.4g}",
            )  # fmt: skip
    missing = [str(export.path.name) for export in progress.exports if not export.path.is_file()]
    if missing or len(progress.outcomes) != len(trained):
        problem = Problem("engine.run.export_missing", ExitCode.INTERNAL, files=", ".join(missing))
        return Ending("failed", ExitCode.INTERNAL, problem)
    if "proof" in spec.stages and not progress.proof_seconds:
        problem = Problem("engine.run.silent_proof", ExitCode.DATA)
        return Ending("failed", ExitCode.DATA, problem)
    return Ending("succeeded", ExitCode.OK)


def _no_op(key: str, **facts: Any) -> Ending:
    return Ending("no_op", ExitCode.NO_OP, Problem(key, ExitCode.NO_OP, **facts))


def _read_spec(path: Path) -> RunSpec:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Problem(
            "engine.run.no_spec", ExitCode.CONFIG, file=path.name, why=error.strerror or "?"
        ) from error
    return RunSpec.from_json(text)


def _device(spec: RunSpec) -> Device:
    wanted = spec.value("train.device")
    if wanted != "cpu" and not torch.cuda.is_initialized():
        gpus = spec.value("train.gpus")
        limit_gpus(gpus)
        require_gpus(gpus, torch.cuda.device_count(), gpu_count())
    return choose(wanted)


def _finish(
    journal: Journal, ending: Ending, progress: Progress | None, layout: Layout, seconds: float
) -> None:
    if ending.problem is not None:
        journal.emit("error", **ending.problem.as_json())
    exports = progress.exports if progress else []
    work = Path(layout.work)
    journal.emit(
        "run_finished", status=ending.status, exit_code=int(ending.exit_code), seconds=seconds,
        exports=[
            {
                "path": export.path.relative_to(work).as_posix(), "kind": export.kind,
                "bytes": export.bytes, "sha256": export.sha256,
            }
            for export in exports if export.path.is_file()
        ],
        stages=_summary(progress.outcomes if progress else []),
    )  # fmt: skip


def _summary(outcomes: Sequence[StageOutcome]) -> list[dict[str, Any]]:
    return [
        {
            "name": outcome.name, "updates": outcome.updates, "change": outcome.change,
            "first_loss": outcome.first_loss, "last_loss": outcome.last_loss,
        }
        for outcome in outcomes
    ]  # fmt: skip
