"""bf16 and fp16 train too, and less memory means the same gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from micro_stage import run_stage, weights
from micro_voice import ALONE, CPU, SOVITS, gpt_task, sovits_task

from engine.contract.problem import Problem
from engine.models.sovits.discriminator import Discriminator
from engine.models.sovits.synthesizer import Synthesizer
from engine.runtime.device import Precision
from engine.training.features import Clip
from engine.training.order import Sizes
from engine.training.sovits_task import DECAY, LEARNING_RATE, SovitsSettings, SovitsTask


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("name", ["sovits", "gpt"])
def test_half_formats_train_and_keep_float32_weights(
    name: str, precision: str, clips: list[Clip], tmp_path: Path
) -> None:
    task = (sovits_task if name == "sovits" else gpt_task)(clips, precision=precision)
    outcome = run_stage(task, tmp_path)
    assert outcome.updates == 2 * len(task.order(1)) and outcome.change > 0
    state = weights(task)
    assert {v.dtype for k, v in state.items() if k.startswith(".model")} == {torch.float32}
    assert all(value.isfinite().all() for value in state.values())
    again = (sovits_task if name == "sovits" else gpt_task)(clips, precision=precision)
    again.restore(task.state())  # the loss scale is part of the state
    assert weights(again).keys() == state.keys()


@pytest.mark.parametrize(("before", "after"), [("fp32", "fp16"), ("fp16", "fp32")])
def test_another_card_may_go_on_in_another_format(
    before: str, after: str, clips: list[Clip], tmp_path: Path
) -> None:
    run_stage(gpt_task(clips, precision=before), tmp_path)
    task = gpt_task(clips, precision=after)
    outcome = run_stage(task, tmp_path, run="r2", **{"gpt.epochs": 3})
    assert outcome.updates == len(task.order(1))


@pytest.mark.parametrize("name", ["sovits", "gpt"])
def test_gradients_that_overflow_at_every_scale_end_the_run(
    name: str, clips: list[Clip], tmp_path: Path
) -> None:
    """Losses stay finite and each update is skipped: without a word, nothing would be trained."""
    task = (sovits_task if name == "sovits" else gpt_task)(clips, precision="fp16")
    model = task.generator if name == "sovits" else task.model
    start = weights(task)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.register_hook(lambda gradient: gradient * float("inf"))
    epochs = {f"{name}.epochs": 30}
    with pytest.raises(Problem) as problem:
        run_stage(task, tmp_path, **epochs)
    assert problem.value.key == "engine.training.no_scale"
    kept = {key: value for key, value in weights(task).items() if key.startswith(".model")}
    assert all(torch.equal(start[key], value) for key, value in kept.items())


def test_recomputed_activations_give_the_same_gradients(clips: list[Clip]) -> None:
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(1)
        generator, discriminator = Synthesizer(SOVITS), Discriminator(SOVITS)
        torch.manual_seed(2)
        task = SovitsTask(
            generator, discriminator, clips, SovitsSettings(Sizes(2)), CPU,
            Precision("fp32", "cpu"), ALONE, recompute=recompute,
        )  # fmt: skip
        keys = set(task.generator.state_dict())
        batches = task.load(1, 0, task.order(1)[0])
        judge, imitate = task.phases()
        judge.compute(batches)
        imitate.compute(batches)
        gradients.append([p.grad for p in task.generator.parameters() if p.grad is not None])
        assert keys == set(Synthesizer(SOVITS).state_dict())
    assert len(gradients[0]) == len(gradients[1]) > 50
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*gradients, strict=True))


def test_rates_decay_once_an_epoch_and_text_learns_slower(clips: list[Clip]) -> None:
    task = sovits_task(clips, text_lr_scale=0.25)
    task.begin_epoch(1)
    rates = [group["lr"] for group in task.generator_optimizer.param_groups]
    assert rates == pytest.approx([LEARNING_RATE, *[LEARNING_RATE * 0.25] * 3])
    resumed = sovits_task(clips, text_lr_scale=0.25)
    resumed.restore(task.state())
    for _ in range(2):  # however often an epoch is begun
        resumed.begin_epoch(9)
    assert resumed.rate == pytest.approx(LEARNING_RATE * DECAY**8)
    upstream = sovits_task(clips, schedule="upstream")
    upstream.begin_epoch(1)
    assert upstream.rate == pytest.approx(LEARNING_RATE * DECAY)


def test_the_discriminator_keeps_no_gradient_from_the_generators_step(clips: list[Clip]) -> None:
    task = sovits_task(clips)
    batches = task.load(1, 0, task.order(1)[0])
    judge, imitate = task.phases()
    judge.compute(batches)
    before = [p.grad.clone() for p in task.discriminator.parameters() if p.grad is not None]
    imitate.compute(batches)
    after = [p.grad for p in task.discriminator.parameters() if p.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(p.requires_grad for p in task.discriminator.parameters())
