"""Discriminators, losses, gradients and the first optimiser step, against upstream's."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from conftest import COMPAT
from sovits_fill import normal, stats
from torch import Tensor

from engine.audio.spectrogram import HOP, mel, spectrogram
from engine.models.sovits.masks import take_slices
from engine.training.losses import (
    GeneratorLosses,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
    kl_loss,
    mel_loss,
)


def sides(judgements: list) -> tuple[list[Tensor], list[list[Tensor]]]:
    return [score for score, _ in judgements], [maps for _, maps in judgements]


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


@pytest.fixture(scope="module")
def step(generator, discriminator, scene, golden) -> dict:
    """One batch through both networks, gradients kept; D is not stepped before G's loss."""
    want = golden("train_s2")
    generator, discriminator = copy.deepcopy(generator), copy.deepcopy(discriminator)
    ssl = normal("train_ssl", 2, 768, 72) * scene.mask
    spec = normal("train_spec", 2, 1025, 72).abs() * scene.mask
    sample_mask = scene.mask.repeat_interleave(HOP, dim=-1)
    wav = 0.1 * normal("train_wav", 2, 1, 46080) * sample_mask
    out = generator(
        ssl, spec, scene.lengths, scene.text, scene.text_lengths,
        posterior_noise=normal("train_eps", 2, 192, 72),
        slice_uniform=torch.from_numpy(want["u"]),
    )  # fmt: skip
    real_wav = take_slices(wav, out.ids_slice * HOP, 20480)
    real, _ = sides(discriminator(real_wav))
    fake, _ = sides(discriminator(out.wav.detach()))
    loss_disc = discriminator_loss(real, fake)
    loss_disc.backward()
    disc_norms = {n: float(p.grad.norm()) for n, p in discriminator.named_parameters()}

    y_mel = take_slices(mel(spec), out.ids_slice, 32)
    y_hat_mel = mel(spectrogram(out.wav[:, 0]))
    with torch.no_grad():
        _, real_maps = sides(discriminator(real_wav))
    fake, fake_maps = sides(discriminator(out.wav))
    losses = GeneratorLosses(
        adversarial=adversarial_loss(fake),
        features=feature_loss(real_maps, fake_maps),
        mel=mel_loss(y_mel, y_hat_mel),
        kl=kl_loss(out.z_p, out.logs_q, out.m_p, out.logs_p, out.y_mask),
    )
    losses.total.backward()
    return {
        "want": want, "out": out, "loss_disc": loss_disc, "losses": losses, "y_mel": y_mel,
        "y_hat_mel": y_hat_mel, "generator": generator, "disc_norms": disc_norms,
    }  # fmt: skip


def test_training_forward(step, close) -> None:
    want, out = step["want"], step["out"]
    assert out.ids_slice.tolist() == want["ids_slice"].tolist()
    close(out.wav[0, 0], want["y_hat"])
    np.testing.assert_allclose(stats(out.wav), want["y_hat_stats"], rtol=1e-4, atol=1e-6)
    close(step["y_mel"][0], want["y_mel"])
    close(step["y_hat_mel"][0], want["y_hat_mel"])


def test_every_loss(step) -> None:
    want, losses = step["want"], step["losses"]
    got = {
        "loss_disc": step["loss_disc"], "loss_gen": losses.adversarial, "loss_fm": losses.features,
        "loss_mel": losses.mel, "loss_kl": losses.kl, "loss_gen_all": losses.total,
    }  # fmt: skip
    for name, value in got.items():
        assert value.item() == pytest.approx(float(want[name]), rel=1e-5), name
    assert float(want["kl_ssl"]) == 0


def test_gradient_norms(step) -> None:
    path = COMPAT / "golden" / "train_s2_gradnorms.json"
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


def test_first_optimiser_step(step) -> None:
    want, generator = step["want"], step["generator"]
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
