"""A plan's arithmetic in its simplest form, for the fakes; the real one is the engine's."""

from __future__ import annotations

from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.plan import PlanDevice, RunPlan, StagePlan
from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.services.fakes import sample_data
from sovdeck.tui.state.models import TrainDraft, TrainPlan


def fake_plan(draft: TrainDraft, clips: int = 214) -> TrainPlan:
    """Updates, time, money and memory of `draft` on a dataset of `clips`."""

    def value(name: str, auto: int) -> int:
        chosen = draft.params.get(name, PARAMS[name].default)
        return auto if chosen == "auto" else int(chosen)

    stages = []
    for name, auto, seconds in (("sovits", 12, 0.32), ("gpt", 8, 0.21)):
        batch = value(f"{name}.batch_size", auto)
        epochs = value(f"{name}.epochs", 8)
        updates = clips // batch // (4 if name == "gpt" else 1)
        took = epochs * updates * seconds
        stages.append(StagePlan(name, clips, 0, epochs, batch, updates, took, False, 0))
    refusals: tuple[Problem, ...] = ()
    if any(stage.updates_per_epoch == 0 for stage in stages):
        refusals = (sample_data.NO_UPDATES,)
    total = sum(stage.seconds for stage in stages) + 95
    run = RunPlan(
        clips=clips,
        audio_seconds=clips * 4.2,
        stages=tuple(stages),
        seconds=total,
        cost=total / 3600 * 0.42,
        currency="EUR",
        memory=int((4.1 + 0.62 * stages[0].batch) * 2**30),
        disk=4_200_000_000,
        refusals=refusals,
        warnings=(),
    )
    return TrainPlan(run, PlanDevice("NVIDIA GeForce RTX 4090", 24 * 2**30, 16, 61_000_000_000))
