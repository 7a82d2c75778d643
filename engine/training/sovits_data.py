"""Batches for the SoVITS stage: content features, spectrogram, wave and phones of some clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import soundfile
import torch
from torch import Tensor
from torch.nn import functional as F

from sovdeck.engine.audio.spectrogram import spectrogram
from sovdeck.engine.training.features import HOP_LENGTH, TrainingClip


@dataclass(frozen=True)
class SovitsBatch:
    """Some clips, padded with zeros on the right; T is even and past the longest clip.

    ssl (B, D, T), spec (B, 1025, T), lengths (B,) in frames, wav (B, 1, T * 640),
    text (B, L), text_lengths (B,), speaker (B, S) for v2Pro. `noise` (B, C, T) and `uniform`
    (B,) are the random numbers of the full batch, drawn at once so that splitting it
    changes nothing.
    `full_size` is (clips, frames) of the batch that these rows were selected from.
    """

    clips: tuple[str, ...]
    full_size: tuple[int, int]
    ssl: Tensor
    spec: Tensor
    lengths: Tensor
    wav: Tensor
    text: Tensor
    text_lengths: Tensor
    noise: Tensor
    uniform: Tensor
    speaker: Tensor | None = None

    def __len__(self) -> int:
        return len(self.clips)

    def select_rows(self, start: int, stop: int | None, stride: int = 1) -> SovitsBatch:
        """Select rows and keep the padding, so that a part computes what the full batch would."""
        part = slice(start, stop, stride)
        return SovitsBatch(
            self.clips[part],
            self.full_size,
            self.ssl[part],
            self.spec[part],
            self.lengths[part],
            self.wav[part],
            self.text[part],
            self.text_lengths[part],
            self.noise[part],
            self.uniform[part],
            None if self.speaker is None else self.speaker[part],
        )

    def to(self, device: torch.device) -> SovitsBatch:
        """Copy every tensor to `device`."""
        moved = (
            None if tensor is None else tensor.to(device, non_blocking=True)
            for tensor in (
                self.ssl,
                self.spec,
                self.lengths,
                self.wav,
                self.text,
                self.text_lengths,
                self.noise,
                self.uniform,
                self.speaker,
            )
        )
        return SovitsBatch(self.clips, self.full_size, *moved)  # type: ignore[arg-type]

    @property
    def fractions(self) -> tuple[float, float]:
        """The share of the full batch, in clips and in frames.

        Read it before the batch moves to a GPU, which would have to be waited for.
        """
        clips, frames = self.full_size
        return len(self) / clips, int(self.lengths.sum()) / frames


def load_sovits_batch(
    clips: Sequence[TrainingClip], channels: int, generator: torch.Generator
) -> SovitsBatch:
    """Read clips from disk; `channels` is the width of the posterior's noise."""
    ordered = sorted(clips, key=lambda clip: -clip.frames)
    loaded = [_load_clip(clip) for clip in ordered]
    frames = 2 * (max(spec.shape[-1] for _, spec, _ in loaded) // 2 + 1)
    phones = max(len(clip.phones) for clip in ordered)
    lengths = torch.tensor([spec.shape[-1] for _, spec, _ in loaded])
    return SovitsBatch(
        tuple(clip.name for clip in ordered),
        (len(ordered), int(lengths.sum())),
        torch.stack([_padded(ssl, frames) for ssl, _, _ in loaded]),
        torch.stack([_padded(spec, frames) for _, spec, _ in loaded]),
        lengths,
        torch.stack([_padded(wav, frames * HOP_LENGTH) for _, _, wav in loaded]),
        torch.stack([_padded(torch.tensor(clip.phones), phones) for clip in ordered]),
        torch.tensor([len(clip.phones) for clip in ordered]),
        torch.randn(len(ordered), channels, frames, generator=generator),
        torch.rand(len(ordered), generator=generator),
        load_speakers(ordered),
    )


def load_speakers(clips: Sequence[TrainingClip]) -> Tensor | None:
    """Vectors (B, S) of the clips' own speaker, float32; None where they have none (v2)."""
    files = [clip.speaker for clip in clips if clip.speaker is not None]
    if not files:
        return None
    vectors = [torch.load(file, map_location="cpu", weights_only=True) for file in files]
    return torch.cat([vector.detach().float() for vector in vectors])


def _load_clip(clip: TrainingClip) -> tuple[Tensor, Tensor, Tensor]:
    """Read one clip: ssl (D, T), spec (1025, T), wav (1, T * 640)."""
    samples, _ = soundfile.read(clip.wav, dtype="float32")
    wav = torch.from_numpy(samples)
    spec = spectrogram(wav[None])[0]
    ssl = torch.load(clip.ssl, map_location="cpu", weights_only=True).detach().float()[0]
    missing = spec.shape[-1] - ssl.shape[-1]
    if missing > 0:  # the content encoder sees a frame less; the last one is repeated
        ssl = F.pad(ssl[None], (0, missing), mode="replicate")[0]
    return ssl[:, : spec.shape[-1]], spec, wav[None, : spec.shape[-1] * HOP_LENGTH]


def _padded(tensor: Tensor, length: int) -> Tensor:
    return F.pad(tensor, (0, length - tensor.shape[-1]))
