"""Metrics of held-out clips, without randomness: comparable from save to save."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sovdeck.engine.audio.spectrogram import mel_spectrogram, spectrogram
from sovdeck.engine.models.gpt.text2semantic import GptOutput, Text2Semantic
from sovdeck.engine.models.sovits.masks import take_slices
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.training.features import TrainingClip
from sovdeck.engine.training.gpt_data import load_gpt_batch
from sovdeck.engine.training.sovits_data import load_sovits_batch

_FIXED_SEED = 0


@torch.no_grad()
def sovits_metrics(
    model: Synthesizer, clips: Sequence[TrainingClip], device: torch.device
) -> dict[str, float]:
    """`mel`: mean absolute difference of log mel bands, of the middle segment of each clip."""
    if not clips:
        return {}
    model.eval()
    frames = model.config.segment_frames
    differences = []
    for clip in clips:
        generator = torch.Generator().manual_seed(_FIXED_SEED)
        batch = load_sovits_batch([clip], model.config.inter_channels, generator).to(device)
        output = model(
            batch.ssl,
            batch.spec,
            batch.lengths,
            batch.text,
            batch.text_lengths,
            speaker=batch.speaker,
            posterior_noise=torch.zeros_like(batch.noise),
            slice_uniform=torch.full_like(batch.uniform, 0.5),
        )
        target = mel_spectrogram(take_slices(batch.spec, output.ids_slice, frames))
        predicted = mel_spectrogram(spectrogram(output.wav[:, 0]))
        differences.append((target - predicted).abs().mean())
    model.train()
    return {"mel": float(torch.stack(differences).mean())}


@torch.no_grad()
def gpt_metrics(
    model: Text2Semantic, clips: Sequence[TrainingClip], device: torch.device
) -> dict[str, float]:
    """`cross_entropy` a target token; `accuracy`: the true token is among the three likeliest."""
    if not clips:
        return {}
    model.eval()
    loss, targets, accuracy = 0.0, 0, 0.0
    for clip in clips:
        batch = load_gpt_batch([clip], model.config.bert_dim).to(device)
        output: GptOutput = model(
            batch.phones, batch.phone_lengths, batch.tokens, batch.token_lengths, batch.bert
        )
        count = output.targets.numel()
        loss += float(output.loss)
        accuracy += float(output.accuracy) * count
        targets += count
    model.train()
    return {"cross_entropy": loss / targets, "accuracy": accuracy / targets}
