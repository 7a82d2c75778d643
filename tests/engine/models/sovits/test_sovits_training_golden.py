"""Discriminators, losses, gradients and the first optimiser step, against upstream's."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from sovits_fill import DATA, normal, stats
from sovits_step import SLICE_UNIFORM, sides

from sovdeck.engine.training.losses import adversarial_loss, discriminator_loss, feature_loss


@torch.no_grad()
def test_discriminators(discriminator, golden, close) -> None:
    want = golden("mpd")
    real, real_maps = sides(discriminator(0.3 * normal("mpd_real", 2, 1, 20480)))
    fake, fake_maps = sides(discriminator(0.3 * normal("mpd_fake", 2, 1, 20480)))
    for i in range(6):
        close(real[i], want[f"logit_real_{i}"])
        close(fake[i], want[f"logit_fake_{i}"])
        shapes = [list(m.shape) + [0] * (4 - m.dim()) for m in real_maps[i]]
        assert shapes == want[f"fmap_shapes_{i}"].tolist()
        got = np.array([stats(m) for m in real_maps[i]])
        np.testing.assert_allclose(got, want[f"fmap_real_stats_{i}"], rtol=1e-4, atol=2e-5)
        one = ([real[i]], [fake[i]])
        parts = [float((1 - real[i]).square().mean()), float(fake[i].square().mean())]
        np.testing.assert_allclose(parts, [want["r_losses"][i], want["g_losses"][i]], rtol=1e-5)
        assert float(discriminator_loss(*one)) == pytest.approx(sum(parts), rel=1e-6)
    assert float(discriminator_loss(real, fake)) == pytest.approx(want["loss_disc"], rel=1e-5)
    assert float(adversarial_loss(fake)) == pytest.approx(want["loss_gen"], rel=1e-5)
    assert float(feature_loss(real_maps, fake_maps)) == pytest.approx(want["loss_fm"], rel=1e-5)


def test_training_forward(step, golden, close) -> None:
    want, out = golden("train_s2"), step["out"]
    np.testing.assert_allclose(want["u"], SLICE_UNIFORM)
    assert out.ids_slice.tolist() == want["ids_slice"].tolist()
    close(out.wav[0, 0], want["y_hat"])
    np.testing.assert_allclose(stats(out.wav), want["y_hat_stats"], rtol=1e-4, atol=1e-6)
    close(step["y_mel"][0], want["y_mel"])
    close(step["y_hat_mel"][0], want["y_hat_mel"])


def test_every_loss(step, golden) -> None:
    want, losses = golden("train_s2"), step["losses"]
    got = {
        "loss_disc": step["loss_disc"],
        "loss_gen": losses.adversarial,
        "loss_fm": losses.features,
        "loss_mel": losses.mel,
        "loss_kl": losses.kl,
        "loss_gen_all": losses.total,
    }
    for name, value in got.items():
        assert value.item() == pytest.approx(float(want[name]), rel=1e-5), name
    assert float(want["kl_ssl"]) == 0


def test_gradient_norms(step) -> None:
    path = DATA / "golden" / "train_s2_gradnorms.json"
    want = json.loads(path.read_text(encoding="utf-8"))
    got = {
        name: -1.0 if p.grad is None else float(p.grad.norm())
        for name, p in step["generator"].named_parameters()
    }
    assert got.keys() == want["generator"].keys()
    assert {n for n, v in got.items() if v == -1} == {"ssl_proj.weight", "ssl_proj.bias"}
    # Biases of keys shift every score of a row alike: their gradient is rounding, not signal.
    for name, value in got.items():
        assert value == pytest.approx(want["generator"][name], rel=1e-3, abs=2e-5), name
    for name, value in step["disc_norms"].items():
        assert value == pytest.approx(want["discriminator"][name], rel=1e-3), name


def test_first_optimiser_step(step, golden) -> None:
    want, generator = golden("train_s2"), copy.deepcopy(step["generator"])
    for ours, theirs in zip(generator.parameters(), step["generator"].parameters(), strict=True):
        ours.grad = theirs.grad
    lr = 1e-4 * 0.999875
    names = [k.removeprefix("delta::") for k in want if k.startswith("delta::")]
    before = {n: p.detach().clone() for n, p in generator.named_parameters() if n in names}
    groups = generator.parameter_groups(lr, 0.4)
    assert [group["lr"] for group in groups] == [lr, lr * 0.4, lr * 0.4, lr * 0.4]
    torch.optim.AdamW(groups, lr=lr, betas=(0.8, 0.99), eps=1e-9).step()
    after = dict(generator.named_parameters())
    for name in names:
        got = (after[name] - before[name]).detach().flatten()[:64].numpy()
        reference = want[f"delta::{name}"]
        gradient = after[name].grad
        if gradient is None:
            assert not got.any() and not reference.any()
            continue
        size = gradient.flatten()[:64].abs().numpy()
        firm = (size > 1e-7) | (size == 0)  # Adam turns a gradient of rounding into a full step
        assert firm.sum() > 32
        np.testing.assert_allclose(got[firm], reference[firm], rtol=2e-3, atol=2e-8, err_msg=name)
