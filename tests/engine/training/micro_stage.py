"""A whole training stage around a micro task, writing into a temporary folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from micro_voice import ALONE, CPU

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.contract.time_model import SavedClips
from sovdeck.engine.runtime import rng
from sovdeck.engine.runtime.checkpoint import CheckpointStore
from sovdeck.engine.runtime.distributed import Peers
from sovdeck.engine.runtime.signals import StopFlag
from sovdeck.engine.training.context import Export, RunContext, StageHooks, StageOutcome
from sovdeck.engine.training.meters import Position
from sovdeck.engine.training.stage import TrainingStage


class Record:
    """An `emit` that keeps what it got."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, type: str, stage: str | None = None, **payload: Any) -> None:
        self.events.append((type, payload))

    def of(self, type: str) -> list[dict[str, Any]]:
        return [payload for kind, payload in self.events if kind == type]

    def codes(self) -> list[str]:
        return [payload["code"] for payload in self.of("warning")]


def make_stage(
    task: Any,
    work: Path,
    record: Record | None = None,
    stop: StopFlag | None = None,
    facts: Mapping[str, Any] | None = None,
    run: str = "r1",
    peers: Peers = ALONE,
    validate: Callable[[], Mapping[str, float]] = dict,
    **params: Any,
) -> TrainingStage:
    """A stage as `crafting` would build it, with plain torch files as exports."""
    spec = RunSpec(run, "micro", "tiny", params={**DEFAULTS, **params})
    spec.validate()
    run_context = RunContext(
        spec, Layout.at(work.as_posix()), record or Record(), stop or StopFlag(), CPU, peers
    )
    checkpoints = CheckpointStore(work / "states" / task.name)
    model = task.generator if task.name == "sovits" else task.model
    start = {name: value.clone() for name, value in model.state_dict().items()}

    def export(epoch: int, position: Position, metrics: Mapping[str, float]) -> Export:
        path = work / f"{task.name}-e{epoch}.pt"
        torch.save(model.state_dict(), path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return Export(path, task.name, path.stat().st_size, digest)

    def change(path: Path) -> float:
        after = torch.load(path, weights_only=True)
        return float(sum((after[name] - start[name]).double().norm() for name in start))

    hooks = StageHooks(
        task,
        task.settings.sizes.batch,
        {"dataset": "d1", **(facts or {})},
        task.state_dict,
        task.load_state_dict,
        export,
        validate,
        change,
        lambda epoch, path: None,
        lambda: 0.0,
        SavedClips.of(4, 0, [2.0] * 4),
    )
    return TrainingStage(run_context, hooks, checkpoints.find_newest(), checkpoints)


DEFAULTS = {
    "sovits.epochs": 2,
    "gpt.epochs": 2,
    "sovits.save_every_epochs": 1,
    "gpt.save_every_epochs": 1,
    "train.save_every_minutes": 0,
}


def run_stage(task: Any, work: Path, **options: Any) -> StageOutcome:
    rng.seed_all(5)
    return make_stage(task, work, **options).run()


def weights(task: Any) -> dict[str, torch.Tensor]:
    """Every number a stage carries on: models and optimiser."""
    flat: dict[str, torch.Tensor] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            flat[name] = value.detach().clone()
        elif isinstance(value, dict):
            for key, item in value.items():
                walk(f"{name}.{key}", item)
        elif isinstance(value, (list, tuple)):
            for number, item in enumerate(value):
                walk(f"{name}.{number}", item)

    walk("", task.state_dict())
    return flat


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Bit for bit."""
    assert one.keys() == other.keys() and len(one) > 10
    return all(torch.equal(one[name], other[name]) for name in one)
