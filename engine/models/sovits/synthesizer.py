"""The SoVITS generator: training forward, token extraction and decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sovdeck.engine.models.sovits.config import SovitsConfig
from sovdeck.engine.models.sovits.decoder import Decoder
from sovdeck.engine.models.sovits.flow import Flow
from sovdeck.engine.models.sovits.masks import length_mask, slice_starts, take_slices
from sovdeck.engine.models.sovits.posterior import PosteriorEncoder
from sovdeck.engine.models.sovits.prior import PriorEncoder, init_embedding
from sovdeck.engine.models.sovits.quantizer import Quantizer
from sovdeck.engine.models.sovits.reference import ReferenceEncoder

# Trained at `lr * text_lr_scale`, one optimiser group each.
TEXT_SIDE_MODULES = ("enc_p.text_embedding", "enc_p.encoder_text", "enc_p.mrte")


@dataclass(frozen=True)
class SynthesizerOutput:
    """One training forward. Latents are (B, C, T); `wav` holds one segment of each item."""

    wav: Tensor  # (B, 1, segment samples)
    ids_slice: Tensor  # (B,) first frame of the segment
    y_mask: Tensor  # (B, 1, T) boolean, valid frames
    z: Tensor
    z_p: Tensor
    m_p: Tensor
    logs_p: Tensor
    m_q: Tensor
    logs_q: Tensor


class Synthesizer(nn.Module):
    """Tokens, phones and reference spectrograms to a wave."""

    def __init__(self, config: SovitsConfig) -> None:
        super().__init__()
        self.config = config
        self.enc_p = PriorEncoder(config)
        self.dec = Decoder(config)
        self.enc_q = PosteriorEncoder(config)
        self.flow = Flow(config)
        self.ref_enc = ReferenceEncoder(config)
        self.ssl_proj = nn.Conv1d(config.ssl_dim, config.ssl_dim, 2, stride=2)
        self.quantizer = Quantizer(config)
        if config.takes_speaker:
            self.sv_emb = nn.Linear(config.speaker_numbers, config.gin_channels)
            self.ge_to512 = nn.Linear(config.gin_channels, config.mrte_channels)
            self.prelu = nn.PReLU(config.gin_channels)
        init_embedding(self.enc_p.text_embedding)
        # Tokens must mean the same before and after training, so what extracts them is frozen.
        self.ssl_proj.requires_grad_(False)

    def forward(
        self,
        ssl: Tensor,
        spec: Tensor,
        spec_lengths: Tensor,
        text: Tensor,
        text_lengths: Tensor,
        *,
        speaker: Tensor | None = None,
        posterior_noise: Tensor | None = None,
        slice_uniform: Tensor | None = None,
    ) -> SynthesizerOutput:
        """Reconstruct a random segment of each item.

        ssl (B, ssl_dim, T) content features, spec (B, bins, T) the target's own spectrogram,
        T even; text (B, L) phone numbers; lengths (B,). v2Pro needs `speaker` (B, S), the vector
        of each item's own clip. `posterior_noise` (B, C, T) and `slice_uniform` (B,) in [0, 1)
        replace the random draws.
        """
        mask = length_mask(spec_lengths, spec.shape[-1])
        text_mask = length_mask(text_lengths, text.shape[-1])
        timbre = self._conditioned(self.ref_enc(spec, mask), speaker)
        content = self._dequantize(self.extract_tokens(ssl))
        m_p, logs_p, _ = self.enc_p(content, mask, text, text_mask, self.prior_timbre(timbre))
        z, m_q, logs_q = self.enc_q(spec, mask, timbre.detach(), posterior_noise)
        z_p = self.flow(z, mask, timbre)
        if slice_uniform is None:
            slice_uniform = torch.rand(spec.shape[0], device=spec.device)
        starts = slice_starts(spec_lengths, slice_uniform, self.config.segment_frames)
        wav = self.dec(take_slices(z, starts, self.config.segment_frames), timbre)
        return SynthesizerOutput(wav, starts, mask, z, z_p, m_p, logs_p, m_q, logs_q)

    @torch.no_grad()
    def extract_tokens(self, ssl: Tensor) -> Tensor:
        """Content features (B, D, T) at 50 Hz -> codes (B, T // 2) at 25 Hz; no gradient.

        Never in mixed precision, nor in TF32, which cuDNN uses unasked: rounded distances would
        select other codewords than on another device.
        """
        with (
            torch.autocast(ssl.device.type, enabled=False),
            torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
        ):
            return self.quantizer.encode(self.ssl_proj(ssl.to(self.ssl_proj.weight.dtype)))

    def extract_latent(self, ssl: Tensor) -> Tensor:
        """Content features (B, D, T) at 50 Hz -> semantic tokens (B, 1, T // 2)."""
        return self.extract_tokens(ssl)[:, None]

    @torch.inference_mode()
    def decode(
        self,
        codes: Tensor,
        text: Tensor,
        references: Sequence[Tensor],
        *,
        speakers: Sequence[Tensor] | None = None,
        noise_scale: float = 0.5,
        speed: float = 1.0,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Decode tokens: codes (1, 1, S), phones (1, L) -> wave (1, 1, N).

        `references` are spectrograms (1, bins, T), whose timbres are averaged; v2Pro needs the
        speaker vector (1, S) of each in `speakers`. `speed` above 1 is faster. `noise`
        (1, C, frames) replaces the random draw, which uses torch's global generator. N is 640
        samples a frame: 2S frames, or `int(2S / speed) + 1`.
        """
        timbre = self.average_timbre(references, speakers)
        z = self.latent(codes, text, timbre, noise_scale=noise_scale, speed=speed, noise=noise)
        return self.dec(z, timbre)

    @torch.inference_mode()
    def latent(
        self,
        codes: Tensor,
        text: Tensor,
        timbre: Tensor,
        *,
        noise_scale: float = 0.5,
        speed: float = 1.0,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Codes (1, 1, S), phones (1, L) and timbre (1, gin, 1) -> what `dec` decodes (1, C, T).

        Every frame depends on all tokens; what `dec` makes of one only on the frames around it.
        Arguments as in `decode`.
        """
        content = self._dequantize(codes[:, 0])
        mask = content.new_ones(content.shape[0], 1, content.shape[-1], dtype=torch.bool)
        text_mask = torch.ones_like(text, dtype=torch.bool)[:, None]
        mean, log_std, mask = self.enc_p(
            content, mask, text, text_mask, self.prior_timbre(timbre), speed=speed
        )
        if noise is None:
            noise = torch.randn_like(mean, dtype=torch.float32).to(mean.dtype)
        z_p = mean + noise * log_std.exp() * noise_scale
        return self.flow(z_p, mask, timbre, inverse=True) * mask

    def average_timbre(
        self, references: Sequence[Tensor], speakers: Sequence[Tensor] | None = None
    ) -> Tensor:
        """Spectrograms, each (1, bins, T), and speaker vectors -> mean timbre (1, gin, 1)."""
        if not references:
            raise ValueError("at least one reference spectrogram is needed")
        vectors: Sequence[Tensor | None] = speakers or [None] * len(references)
        each = []
        for spec, speaker in zip(references, vectors, strict=True):
            mask = spec.new_ones(spec.shape[0], 1, spec.shape[-1], dtype=torch.bool)
            each.append(self._conditioned(self.ref_enc(spec, mask), speaker))
        return torch.stack(each).mean(0)

    def prior_timbre(self, timbre: Tensor) -> Tensor:
        """Timbre (B, gin, 1) as the prior encoder takes it, (B, mrte, 1): the same in v2."""
        if not self.config.takes_speaker:
            return timbre
        return self.ge_to512(timbre[..., 0])[..., None]

    def _conditioned(self, style: Tensor, speaker: Tensor | None) -> Tensor:
        """Style (B, gin, 1) of the reference encoder and speaker vectors (B, S) -> timbre.

        ValueError when a v2Pro network gets no vector, or a v2 network gets one.
        """
        if (speaker is not None) != self.config.takes_speaker:
            raise ValueError(f"a {self.config.version} network and speaker vector {speaker!r:.20}")
        if speaker is None:
            return style
        return self.prelu(style + self.sv_emb(speaker)[..., None])

    def parameter_groups(self, lr: float, text_lr_scale: float) -> list[dict[str, Any]]:
        """Four optimiser groups: all else at `lr`, each of TEXT_SIDE_MODULES at `lr * scale`.

        Parameters without a gradient (the frozen `ssl_proj`) are left out.
        """
        groups: list[dict[str, Any]] = [{"params": [], "lr": lr}]
        groups += [{"params": [], "lr": lr * text_lr_scale} for _ in TEXT_SIDE_MODULES]
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                side = [
                    i for i, part in enumerate(TEXT_SIDE_MODULES) if name.startswith(part + ".")
                ]
                groups[side[0] + 1 if side else 0]["params"].append(parameter)
        return groups

    def _dequantize(self, codes: Tensor) -> Tensor:
        """Codes (B, S) at 25 Hz -> content (B, D, 2S) at 50 Hz, each one twice; no gradient."""
        return self.quantizer.decode(codes).repeat_interleave(2, dim=-1)
