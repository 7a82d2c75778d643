"""Batches for the SoVITS stage: content features, spectrogram, wave and phones of some clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import soundfile
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.audio.spectrogram import spectrogram
from engine.training.features import HOP, Clip


@dataclass(frozen=True)
class SovitsBatch:
    """Padded with zeros on the right; T is even and past the longest clip.

    ssl (B, D, T), spec (B, 1025, T), lengths (B,) in frames, wav (B, 1, T * 640),
    text (B, L), text_lengths (B,). `noise` (B, C, T) and `uniform` (B,) are the random
    numbers of this batch, drawn for the whole of it so that splitting it changes nothing.
    `whole` is (clips, frames) of the batch this is a part of.
    """

    clips: tuple[str, ...]
    whole: tuple[int, int]
    ssl: Tensor
    spec: Tensor
    lengths: Tensor
    wav: Tensor
    text: Tensor
    text_lengths: Tensor
    noise: Tensor
    uniform: Tensor

    def __len__(self) -> int:
        return len(self.clips)

    def rows(self, start: int, stop: int | None, stride: int = 1) -> SovitsBatch:
        """Some rows, padding kept, so that a part computes what the whole would."""
        part = slice(start, stop, stride)
        return SovitsBatch(
            self.clips[part], self.whole, self.ssl[part], self.spec[part], self.lengths[part],
            self.wav[part], self.text[part], self.text_lengths[part],
            self.noise[part], self.uniform[part],
        )  # fmt: skip

    def to(self, device: torch.device) -> SovitsBatch:
        moved = (
            one.to(device, non_blocking=True)
            for one in (
                self.ssl, self.spec, self.lengths, self.wav, self.text, self.text_lengths,
                self.noise, self.uniform,
            )
        )  # fmt: skip
        return SovitsBatch(self.clips, self.whole, *moved)

    @property
    def shares(self) -> tuple[float, float]:
        """This part of the whole, in clips and in frames. Ask before moving it to a GPU."""
        clips, frames = self.whole
        return len(self) / clips, int(self.lengths.sum()) / frames


def load_sovits_batch(clips: Sequence[Clip], channels: int, chance: torch.Generator) -> SovitsBatch:
    """Read clips from disk; `channels` is the width of the posterior's noise."""
    ordered = sorted(clips, key=lambda clip: -clip.frames)
    loaded = [_load(clip) for clip in ordered]
    frames = 2 * (max(spec.shape[-1] for _, spec, _ in loaded) // 2 + 1)
    phones = max(len(clip.phones) for clip in ordered)
    lengths = torch.tensor([spec.shape[-1] for _, spec, _ in loaded])
    return SovitsBatch(
        tuple(clip.name for clip in ordered),
        (len(ordered), int(lengths.sum())),
        torch.stack([_padded(ssl, frames) for ssl, _, _ in loaded]),
        torch.stack([_padded(spec, frames) for _, spec, _ in loaded]),
        lengths,
        torch.stack([_padded(wav, frames * HOP) for _, _, wav in loaded]),
        torch.stack([_padded(torch.tensor(clip.phones), phones) for clip in ordered]),
        torch.tensor([len(clip.phones) for clip in ordered]),
        torch.randn(len(ordered), channels, frames, generator=chance),
        torch.rand(len(ordered), generator=chance),
    )


def _load(clip: Clip) -> tuple[Tensor, Tensor, Tensor]:
    """ssl (D, T), spec (1025, T), wav (1, T * 640 + rest) of one clip."""
    samples, _ = soundfile.read(clip.wav, dtype="float32")
    wav = torch.from_numpy(samples)
    spec = spectrogram(wav[None])[0]
    ssl = torch.load(clip.ssl, map_location="cpu", weights_only=True).detach().float()[0]
    missing = spec.shape[-1] - ssl.shape[-1]
    if missing > 0:  # the content encoder sees a frame less; the last one is repeated
        ssl = F.pad(ssl[None], (0, missing), mode="replicate")[0]
    return ssl[:, : spec.shape[-1]], spec, wav[None, : spec.shape[-1] * HOP]


def _padded(tensor: Tensor, length: int) -> Tensor:
    return F.pad(tensor, (0, length - tensor.shape[-1]))
