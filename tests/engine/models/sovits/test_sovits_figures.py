"""A few of upstream's own figures, kept here so that they hold without the golden files.

Upstream ran on the CPU in float32 with the weights and inputs of `sovits_fill`.
"""

from __future__ import annotations

import pytest
import torch
from sovits_fill import fill, integers, normal, signal, stats
from sovits_step import sides

from sovdeck.engine.audio.spectrogram import mel_filter_bank, mel_spectrogram, spectrogram
from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.training.losses import adversarial_loss, discriminator_loss, feature_loss

CODES = [
    957,
    92,
    831,
    595,
    405,
    770,
    73,
    412,
    830,
    957,
    707,
    1010,
    443,
    156,
    838,
    595,
    371,
    401,
    538,
    800,
    831,
    419,
    677,
    736,
    70,
    69,
    407,
    672,
    382,
    21,
    27,
    633,
    329,
    691,
    538,
]


def test_mel_figures() -> None:
    spec = spectrogram(signal("mel_signal", 6523))
    assert [spec[0, i, j].item() for i, j in ((0, 0), (14, 5), (211, 9))] == pytest.approx(
        [10.991435, 154.472275, 39.097012], rel=1e-5
    )
    bands = mel_spectrogram(spec)
    assert [bands[0, i, j].item() for i, j in ((0, 0), (40, 5), (127, 9))] == pytest.approx(
        [-0.45322, -2.297195, -2.677308], abs=3e-5
    )
    assert mel_filter_bank().argmax(1)[[0, 31, 63, 127]].tolist() == [2, 59, 151, 994]


def test_tokens_and_timbre_figures(generator, scene) -> None:
    assert generator.extract_latent(normal("ssl1", 1, 768, 71))[0, 0].tolist() == CODES
    assert scene.timbre[:, :3, 0].flatten().tolist() == pytest.approx(
        [0.488801, 0.846595, 0.078533, 0.593051, 0.654433, 0.221534], abs=2e-5
    )


@torch.no_grad()
def test_flow_figures(generator, scene) -> None:
    x = normal("flow_z", 2, 192, 72) * scene.mask
    there = generator.flow(x, scene.mask, scene.timbre)
    back = generator.flow(x, scene.mask, scene.timbre, inverse=True)
    got = [there[0, c, t].item() for c, t in ((0, 0), (95, 10), (191, 50))]
    assert got == pytest.approx([1.396667, 0.399015, 1.232111], abs=5e-5)
    got = [back[1, c, t].item() for c, t in ((0, 0), (95, 10), (191, 50))]
    assert got == pytest.approx([0.1521, -2.128182, 0.078178], abs=5e-5)


def test_decode_figures(generator) -> None:
    wav = generator.decode(
        integers("decode_codes", (1, 1, 24), 0, 1024),
        integers("decode_text", (1, 13), 0, 732),
        [spectrogram(signal("ref1", 64000)), spectrogram(0.5 * signal("ref2", 85120))],
        noise=normal("decode_noise", 1, 192, 48),
    )
    assert stats(wav) == pytest.approx(
        [30720, 0.02196653, 0.17655376, 0.14187993, 0.59344679, -0.0119357, 0.01135193],
        rel=1e-4,
        abs=2e-6,
    )


@torch.no_grad()
def test_discriminator_figures(discriminator) -> None:
    real, real_maps = sides(discriminator(0.3 * normal("mpd_real", 2, 1, 20480)))
    fake, fake_maps = sides(discriminator(0.3 * normal("mpd_fake", 2, 1, 20480)))
    got = [
        discriminator_loss(real, fake),
        adversarial_loss(fake),
        feature_loss(real_maps, fake_maps),
    ]
    assert [float(x) for x in got] == pytest.approx([5.9618201, 5.892971, 5.8050618], rel=1e-5)


@pytest.mark.long
def test_training_loss_figures(step) -> None:
    losses = step["losses"]
    got = [
        step["loss_disc"],
        losses.adversarial,
        losses.features,
        losses.mel,
        losses.kl,
        losses.total,
    ]
    assert [x.item() for x in got] == pytest.approx(
        [5.7224393, 5.6833043, 1.8059205, 20.9990578, 185.44004, 213.928314], rel=1e-5
    )
    assert step["out"].ids_slice.tolist() == [12, 23]


@torch.no_grad()
def test_other_weights_give_another_voice() -> None:
    """The figures above come from the weights, not from the shapes."""
    tiny = Synthesizer(SovitsConfig.tiny()).eval()
    waves = []
    for salt in (0, 1, 0):
        fill(tiny.state_dict(), salt)
        spec = spectrogram(signal("ref1", 16000))
        codes, text = integers("c", (1, 1, 5), 0, 1024), integers("t", (1, 7), 0, 732)
        waves.append(tiny.decode(codes, text, [spec], noise=normal("n", 1, 32, 10)))
    assert torch.equal(waves[0], waves[2]) and not torch.allclose(waves[0], waves[1], atol=1e-2)
