"""One batch through generator and discriminators, gradients kept, as the golden files did it."""

from __future__ import annotations

import copy
from typing import Any

import torch
from sovits_fill import integers, normal
from torch import Tensor

from sovdeck.engine.audio.spectrogram import HOP, mel_spectrogram, spectrogram
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.masks import length_mask, take_slices
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.training.losses import (
    GeneratorLosses,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
    kl_loss,
    mel_loss,
)

SLICE_UNIFORM = (0.31, 0.77)


class Scene:
    """The common inputs of the SoVITS golden files: two items of 70 and 61 frames."""

    def __init__(self, generator: Synthesizer) -> None:
        self.lengths = torch.tensor([70, 61])
        self.mask = length_mask(self.lengths, 72)
        self.spec = normal("spec", 2, 1025, 72).abs() * self.mask
        self.text_lengths = torch.tensor([17, 11])
        self.text_mask = length_mask(self.text_lengths, 17)
        self.text = integers("text", (2, 17), 0, 732) * self.text_mask[:, 0]
        with torch.no_grad():
            self.timbre = generator.ref_enc(self.spec, self.mask)


def sides(judgements: list) -> tuple[list[Tensor], list[list[Tensor]]]:
    """Scores and feature maps of every judge."""
    return [score for score, _ in judgements], [maps for _, maps in judgements]


def training_step(
    generator: Synthesizer, discriminator: Discriminator, scene: Scene
) -> dict[str, Any]:
    """Both losses and all gradients; the discriminator is not stepped in between."""
    generator, discriminator = copy.deepcopy(generator), copy.deepcopy(discriminator)
    spec = normal("train_spec", 2, 1025, 72).abs() * scene.mask
    wav = 0.1 * normal("train_wav", 2, 1, 46080) * scene.mask.repeat_interleave(HOP, dim=-1)
    out = generator(
        normal("train_ssl", 2, 768, 72) * scene.mask,
        spec,
        scene.lengths,
        scene.text,
        scene.text_lengths,
        posterior_noise=normal("train_eps", 2, 192, 72),
        slice_uniform=torch.tensor(SLICE_UNIFORM),
    )
    real_wav = take_slices(wav, out.ids_slice * HOP, 20480)
    real, real_maps = sides(discriminator(real_wav))
    fake, _ = sides(discriminator(out.wav.detach()))
    loss_disc = discriminator_loss(real, fake)
    loss_disc.backward()
    disc_norms = {n: float(p.grad.norm()) for n, p in discriminator.named_parameters()}

    y_mel, y_hat_mel = (
        take_slices(mel_spectrogram(spec), out.ids_slice, 32),
        mel_spectrogram(spectrogram(out.wav[:, 0])),
    )
    # What it sees in the recording is known already, and its own gradients have been read.
    real_maps = [[one.detach() for one in maps] for maps in real_maps]
    discriminator.requires_grad_(False)
    fake, fake_maps = sides(discriminator(out.wav))
    losses = GeneratorLosses(
        adversarial=adversarial_loss(fake),
        features=feature_loss(real_maps, fake_maps),
        mel=mel_loss(y_mel, y_hat_mel),
        kl=kl_loss(out.z_p, out.logs_q, out.m_p, out.logs_p, out.y_mask),
    )
    losses.total.backward()
    return {
        "out": out,
        "loss_disc": loss_disc,
        "losses": losses,
        "y_mel": y_mel,
        "y_hat_mel": y_hat_mel,
        "generator": generator,
        "disc_norms": disc_norms,
    }
