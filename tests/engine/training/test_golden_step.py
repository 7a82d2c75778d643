"""The tasks' own steps against upstream's golden vectors: losses, gradients, first update."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.synthetic import fill, integers, normal
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.runtime.device import Device, Precision
from sovdeck.engine.runtime.distributed import Peers
from sovdeck.engine.training.batch_schedule import BatchSizes
from sovdeck.engine.training.features import HOP_LENGTH
from sovdeck.engine.training.gpt_data import GptBatch
from sovdeck.engine.training.gpt_task import GptSettings, GptTask
from sovdeck.engine.training.sovits_data import SovitsBatch
from sovdeck.engine.training.sovits_task import SovitsSettings, SovitsTask

GOLDEN = Path(__file__).resolve().parents[2] / "data" / "golden"
CPU = Device("cpu", "CPU", 1 << 34)

pytestmark = pytest.mark.slow


def within(got: Any, want: Any, bound: float) -> bool:
    return bool(np.allclose(got, want, rtol=bound, atol=bound * 1e-2))


@pytest.fixture(scope="module")
def golden_sovits() -> SovitsBatch:
    lengths, text_lengths = torch.tensor([70, 61]), torch.tensor([17, 11])
    mask = (torch.arange(72) < lengths[:, None])[:, None]
    text = integers("text", (2, 17), 0, 732) * (torch.arange(17) < text_lengths[:, None])
    return SovitsBatch(
        ("a", "b"),
        (2, 131),
        normal("train_ssl", 2, 768, 72) * mask,
        normal("train_spec", 2, 1025, 72).abs() * mask,
        lengths,
        0.1 * normal("train_wav", 2, 1, 46080) * mask.repeat_interleave(HOP_LENGTH, dim=-1),
        text,
        text_lengths,
        normal("train_eps", 2, 192, 72),
        torch.tensor([0.31, 0.77]),
    )


def make_task(recompute: bool = False) -> SovitsTask:
    config = SovitsConfig.v2()
    generator, discriminator = Synthesizer(config), Discriminator(config)
    fill(generator)
    fill(discriminator)
    settings = SovitsSettings(BatchSizes(2), schedule="upstream")
    fp32 = Precision("fp32", "cpu")
    task = SovitsTask(
        generator, discriminator, [], settings, CPU, fp32, Peers(), gradient_checkpointing=recompute
    )
    task.generator.eval()
    task.set_learning_rate(1)
    return task


@pytest.mark.long
@pytest.mark.parametrize("cut", [1, 2])
def test_the_lean_step_is_upstreams(golden_sovits: SovitsBatch, cut: int) -> None:
    want = np.load(GOLDEN / "train_s2.npz")
    norms = json.loads((GOLDEN / "train_s2_gradnorms.json").read_text())
    task = make_task(recompute=cut == 2)
    judge, imitate = task.phases()
    # The golden discriminator is not stepped in between, so neither is ours.
    size = 2 // cut
    pieces = [golden_sovits.select_rows(start, start + size) for start in range(0, 2, size)]
    got = dict(judge.compute(pieces))
    for name, parameter in task.discriminator.named_parameters():
        assert parameter.grad is not None
        assert within(float(parameter.grad.norm()), norms["discriminator"][name], 1e-3), name
    got |= imitate.compute(pieces)
    for ours, theirs in {
        "discriminator": "loss_disc",
        "total": "loss_gen_all",
        "mel": "loss_mel",
        "kl": "loss_kl",
        "features": "loss_fm",
        "adversarial": "loss_gen",
    }.items():
        assert float(got[ours]) == pytest.approx(float(want[theirs]), rel=1e-5), ours
    before = {name: p.detach().clone() for name, p in task.generator.named_parameters()}
    for name, parameter in task.generator.named_parameters():
        norm = -1.0 if parameter.grad is None else float(parameter.grad.norm())
        assert norm == pytest.approx(norms["generator"][name], rel=1e-3, abs=2e-5), name
    assert task.learning_rate == pytest.approx(1e-4 * 0.999875)
    imitate.apply()
    checked = 0
    for name, parameter in task.generator.named_parameters():
        key = f"delta::{name}"
        if key in want:
            delta = (parameter.detach() - before[name]).flatten()[:64].numpy()
            near = np.isclose(delta, want[key], rtol=2e-3, atol=2e-6)
            assert near.mean() > 0.95, name  # but where a gradient is nearly zero
            checked += 1
    assert checked > 5


def test_gpt_losses_are_upstreams() -> None:
    want = np.load(GOLDEN / "gpt_train.npz")
    norms = json.loads((GOLDEN / "gpt_gradnorms.json").read_text())
    model = Text2Semantic(GptConfig.v2())
    fill(model, "model.")
    task = GptTask(
        model,
        [],
        GptSettings(BatchSizes(3), schedule="upstream"),
        CPU,
        Precision("fp32", "cpu"),
        Peers(),
    )
    model.eval()
    lengths, tokens = torch.tensor([14, 9, 12]), torch.tensor([20, 13, 17])
    text = torch.arange(14) < lengths[:, None]
    real = torch.arange(20) < tokens[:, None]
    batch = GptBatch(
        ("a", "b", "c"),
        (3, 3 * 21),
        integers("gpt_x", (3, 14), 0, 732) * text,
        lengths,
        torch.where(real, integers("gpt_y", (3, 20), 0, 1024), 1024),
        tokens,
        0.5 * normal("gpt_bert", 3, 1024, 14) * text[:, None],
    )
    (phase,) = task.phases()
    got = phase.compute([batch])
    assert float(got["total"]) * 63 == pytest.approx(float(want["loss"]), rel=1e-5)
    assert float(got["accuracy"]) == pytest.approx(float(want["acc"]), rel=1e-6)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        # An alpha is one number summed over all frames: it shows the order of sums most.
        bound = 5e-3 if name.endswith("alpha") else 1e-3
        assert float(parameter.grad.norm()) == pytest.approx(norms[f"model.{name}"], rel=bound), (
            name
        )


def test_upstreams_first_gpt_update_is_five_times_larger() -> None:
    model = Text2Semantic(GptConfig.tiny())
    task = GptTask(
        model,
        [],
        GptSettings(BatchSizes(1), schedule="upstream"),
        CPU,
        Precision("fp32", "cpu"),
        Peers(),
    )
    assert task.learning_rate == 0.01
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    task.phases()[0].apply()
    assert task.learning_rate == task.optimizer.param_groups[0]["lr"] == 0.002
