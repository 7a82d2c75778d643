"""A plan's arithmetic in its simplest form, for the fakes; the real one is the engine's."""

from __future__ import annotations

from collections.abc import Iterable

from engine.contract.params import PARAMS
from tui.services import fake_scene as scene
from tui.state.facts import Remark
from tui.state.work import StagePlan, TrainDraft, TrainPlan


def made_plan(draft: TrainDraft, clips: int = 214) -> TrainPlan:
    """Updates, time, money and memory of `draft` on a dataset of `clips`."""

    def value(name: str, auto: int) -> int:
        chosen = draft.params.get(name, PARAMS[name].default)
        return auto if chosen == "auto" else int(chosen)

    stages = []
    for name, auto, seconds in (("sovits", 12, 0.32), ("gpt", 8, 0.21)):
        batch = value(f"{name}.batch_size", auto)
        epochs = value(f"{name}.epochs", 8)
        updates = clips // batch // (4 if name == "gpt" else 1)
        stages.append(StagePlan(name, epochs, batch, updates, epochs * updates * seconds))
    remarks: Iterable[Remark] = ()
    if any(stage.updates_per_epoch == 0 for stage in stages):
        remarks = (scene.NO_UPDATES,)
    total = sum(stage.seconds or 0 for stage in stages) + 95
    batch = stages[0].batch
    return TrainPlan(
        clips, tuple(stages), total, total / 3600 * 0.42, "EUR",
        int((4.1 + 0.62 * batch) * 2**30), 24 * 2**30, 4_200_000_000, 61_000_000_000,
        tuple(remarks),
    )  # fmt: skip
