"""Batches for the GPT stage: phones, their BERT features and semantic tokens of some clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.training.features import TrainingClip

PAD_TOKEN = 1024  # also end of speech


@dataclass(frozen=True)
class GptBatch:
    """Some clips, padded on the right.

    Phones (B, L) with 0, tokens (B, S) with 1024, bert (B, 1024, L). `rejected` (B, S') with
    `rejected_lengths` (B,) are damaged copies of the tokens, for DPO. `full_size` is
    (clips, target positions) of the batch that these rows were selected from.
    """

    clips: tuple[str, ...]
    full_size: tuple[int, int]
    phones: Tensor
    phone_lengths: Tensor
    tokens: Tensor
    token_lengths: Tensor
    bert: Tensor
    rejected: Tensor | None = None
    rejected_lengths: Tensor | None = None

    def __len__(self) -> int:
        return len(self.clips)

    def select_rows(self, start: int, stop: int | None, stride: int = 1) -> GptBatch:
        """Select rows and keep the padding, so that a part computes what the full batch would."""
        part = slice(start, stop, stride)
        return GptBatch(
            self.clips[part],
            self.full_size,
            self.phones[part],
            self.phone_lengths[part],
            self.tokens[part],
            self.token_lengths[part],
            self.bert[part],
            None if self.rejected is None else self.rejected[part],
            None if self.rejected_lengths is None else self.rejected_lengths[part],
        )

    def to(self, device: torch.device) -> GptBatch:
        """Copy every tensor to `device`."""
        moved = (
            None if tensor is None else tensor.to(device, non_blocking=True)
            for tensor in (
                self.phones,
                self.phone_lengths,
                self.tokens,
                self.token_lengths,
                self.bert,
                self.rejected,
                self.rejected_lengths,
            )
        )
        return GptBatch(self.clips, self.full_size, *moved)  # type: ignore[arg-type]


def load_gpt_batch(clips: Sequence[TrainingClip], bert_dim: int) -> GptBatch:
    """Read clips; BERT features are zeros where a clip has none (all languages but Chinese)."""
    phones = max(len(clip.phones) for clip in clips)
    tokens = max(len(clip.tokens) for clip in clips)
    bert = torch.zeros(len(clips), bert_dim, phones)
    for row, clip in enumerate(clips):
        if clip.bert is not None:
            features = torch.load(clip.bert, map_location="cpu", weights_only=True).float()
            if features.shape[-1] != len(clip.phones):
                raise Problem(
                    "engine.training.bert_length",
                    ExitCode.DATA,
                    name=clip.name,
                    have=features.shape[-1],
                    want=len(clip.phones),
                )
            bert[row, :, : len(clip.phones)] = features
    return GptBatch(
        tuple(clip.name for clip in clips),
        (len(clips), len(clips) * (tokens + 1)),
        torch.stack([_padded(clip.phones, phones, 0) for clip in clips]),
        torch.tensor([len(clip.phones) for clip in clips]),
        torch.stack([_padded(clip.tokens, tokens, PAD_TOKEN) for clip in clips]),
        torch.tensor([len(clip.tokens) for clip in clips]),
        bert,
    )


def _padded(numbers: Sequence[int], length: int, pad: int) -> Tensor:
    return F.pad(torch.tensor(numbers), (0, length - len(numbers)), value=pad)
