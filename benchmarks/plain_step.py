"""The plain formulation of both training steps: what the lean one is measured against.

The same networks and losses; but the discriminator computes gradients in the generator's step
that are thrown away, real features keep a graph, norms are read tensor by tensor, AdamW is not
fused, ScaledAdam stacks parameters of one shape, and attention gets a float mask for each head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sovdeck.engine.audio.spectrogram import mel_spectrogram, spectrogram
from sovdeck.engine.models.gpt import masks
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.masks import length_mask, take_slices
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.training import losses
from sovdeck.engine.training.features import HOP_LENGTH
from sovdeck.engine.training.gpt_data import GptBatch
from sovdeck.engine.training.sovits_data import SovitsBatch


class PlainSovits:
    """Generator, discriminator and their optimisers, stepped in upstream's order."""

    def __init__(self, generator: Synthesizer, discriminator: Discriminator, autocast: Any) -> None:
        self.generator, self.discriminator, self.autocast = generator, discriminator, autocast
        options: dict[str, Any] = {"betas": (0.8, 0.99), "eps": 1e-9, "foreach": False}
        self.generator_optimizer = torch.optim.AdamW(
            generator.parameter_groups(1e-4, 0.4), 1e-4, **options
        )
        self.discriminator_optimizer = torch.optim.AdamW(
            discriminator.parameters(), 1e-4, **options
        )

    def step(self, batch: SovitsBatch, *, apply: bool = True) -> dict[str, float]:
        frames = self.generator.config.segment_frames
        with self.autocast():
            output = self.generator(
                batch.ssl,
                batch.spec,
                batch.lengths,
                batch.text,
                batch.text_lengths,
                speaker=batch.speaker,
                posterior_noise=batch.noise,
                slice_uniform=batch.uniform,
            )
            real = take_slices(batch.wav, output.ids_slice * HOP_LENGTH, frames * HOP_LENGTH)
            real_side = self.discriminator(real)
            fake_side = self.discriminator(output.wav.detach())
        judged = losses.discriminator_loss([s for s, _ in real_side], [s for s, _ in fake_side])
        self.discriminator_optimizer.zero_grad()
        judged.backward()
        norms(self.discriminator)
        if apply:
            self.discriminator_optimizer.step()

        with self.autocast():
            real_side, fake_side = self.discriminator(real), self.discriminator(output.wav)
        target = take_slices(mel_spectrogram(batch.spec), output.ids_slice, frames)
        mask = length_mask(batch.lengths, batch.spec.shape[-1])
        terms = losses.GeneratorLosses(
            adversarial=losses.adversarial_loss([s for s, _ in fake_side]),
            features=losses.feature_loss([m for _, m in real_side], [m for _, m in fake_side]),
            mel=losses.mel_loss(target, mel_spectrogram(spectrogram(output.wav.float()[:, 0]))),
            kl=losses.kl_loss(output.z_p, output.logs_q, output.m_p, output.logs_p, mask),
        )
        self.generator_optimizer.zero_grad()
        terms.total.backward()
        norms(self.generator)
        if apply:
            self.generator_optimizer.step()
        return {"discriminator": judged.item(), "total": terms.total.item()}


class PlainGpt:
    """The GPT's step with torch's own attention call, one float mask a head, and read metrics."""

    def __init__(self, model: Text2Semantic) -> None:
        self.model = model
        self.optimizer = StackedScaledAdam(list(model.parameters()), 0.002)

    def passes(self, batch: GptBatch) -> float:
        """Leave the gradients of the summed cross-entropy; returns the loss a target."""
        model, config = self.model, self.model.config
        model.zero_grad(set_to_none=True)
        B, L = batch.phones.shape
        real = masks.right_padded_mask(batch.token_lengths, batch.tokens.shape[1])
        targets = F.pad(batch.tokens.masked_fill(~real, config.eos), (0, 1), value=config.eos)
        audio = model.embed_audio(targets[:, :-1])
        x = torch.cat((model.embed_text(batch.phones, batch.bert), audio), dim=1)
        seen = torch.cat((masks.right_padded_mask(batch.phone_lengths, L), real), dim=1)
        allowed = masks.with_padding(masks.prefix_mask(L, audio.shape[1], x.device), seen)
        hidden = torch.zeros(allowed.shape, dtype=x.dtype).masked_fill(~allowed, float("-inf"))
        mask = hidden.expand(-1, config.head, -1, -1).reshape(-1, *hidden.shape[-2:])
        for layer in model.h.layers:
            x = self._layer(layer, x, mask)
        first = x[torch.arange(B), batch.phone_lengths - 1]
        logits = model.ar_predict_layer(torch.cat((first.unsqueeze(1), x[:, L:]), dim=1))
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
        counted = targets != config.eos
        hit = (logits.topk(3, dim=-1).indices == targets.unsqueeze(-1)).any(-1) & counted
        self.accuracy = hit.sum().item() / counted.sum().item()
        loss.backward()
        return loss.item() / targets.numel()

    def _layer(self, layer: Any, x: Tensor, mask: Tensor) -> Tensor:
        own, config = layer.self_attn, self.model.config
        rows = x.transpose(0, 1)  # (T, B, C), as the call wants it
        attended, _ = F.multi_head_attention_forward(
            rows,
            rows,
            rows,
            config.hidden_dim,
            config.head,
            own.in_proj_weight,
            own.in_proj_bias,
            None,
            None,
            False,
            own.dropout,
            own.out_proj.weight,
            own.out_proj.bias,
            attn_mask=mask,
            need_weights=False,
        )
        x = layer.norm1(x + layer.dropout(attended.transpose(0, 1)))
        hidden = layer.dropout(F.relu(layer.linear1(x)))
        return layer.norm2(x + layer.dropout(layer.linear2(hidden)))


def norms(model: nn.Module) -> float:
    """The norm of all gradients, read tensor by tensor."""
    squares = [p.grad.norm().item() ** 2 for p in model.parameters() if p.grad is not None]
    return sum(squares) ** 0.5


class StackedScaledAdam:
    """ScaledAdam over stacks of parameters of equal shape, copied in and out at each step.

    The arithmetic of compat SPEC 5.5 without clipping, which starts after 1000 updates.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], lr: float) -> None:
        groups: dict[tuple[int, ...], list[nn.Parameter]] = {}
        for parameter in parameters:
            groups.setdefault(tuple(parameter.shape), []).append(parameter)
        self.groups, self.lr, self.count = list(groups.values()), lr, 0
        self.state: list[dict[str, Tensor]] = [{} for _ in self.groups]

    @torch.no_grad()
    def step(self) -> None:
        for group, state in zip(self.groups, self.state, strict=True):
            p = torch.stack(list(group))
            g = torch.stack([parameter.grad for parameter in group])  # type: ignore[misc]
            if not state:
                state |= {"delta": torch.zeros_like(p), "square": torch.zeros_like(p)}
                state |= {"rms": _rms(p), "size": torch.zeros(4, *_rms(p).shape)}
                state["size_square"] = torch.zeros_like(state["rms"])
            moved = self._scalars(p, g, state) if p[0].numel() == 1 else self._tensors(p, g, state)
            for parameter, value in zip(group, moved, strict=True):
                parameter.copy_(value)
        self.count += 1

    def _tensors(self, p: Tensor, g: Tensor, state: dict[str, Tensor]) -> Tensor:
        k = self.count
        delta, square = state["delta"].mul_(0.9), state["square"]
        dims = tuple(range(1, p.dim()))
        state["size"][k % 4] = (p * g).sum(dim=dims, keepdim=True)
        if k % 4 == 3:
            rms = state["rms"].copy_(_rms(p))
            decay = 0.95**4
            state["size_square"].mul_(decay).add_(state["size"].square().mean(0), alpha=1 - decay)
            correction = (1 - decay ** ((k + 1) // 4)) ** 0.5
            move = -self.lr * 0.1 * correction * state["size"].sum(0)
            move = move / (state["size_square"].sqrt() + 1e-8)
            move = move.masked_fill(rms < 1e-5, 0.0).masked_fill(rms > 3.0, -self.lr * 0.1 * 4)
            delta.add_(p * move, alpha=0.1)
        square.mul_(0.95).addcmul_(g, g, value=0.05)
        correction = 1 - 0.95 ** (k + 1)
        corrected = square / correction if correction < 0.99 else square
        rate = -self.lr * 0.1 * state["rms"].clamp(min=1e-5)
        delta.add_(rate * g / (corrected.sqrt() + 1e-8))
        return p + delta

    def _scalars(self, p: Tensor, g: Tensor, state: dict[str, Tensor]) -> Tensor:
        state["square"].mul_(0.95).addcmul_(g, g, value=0.05)
        corrected = state["square"] / (1 - 0.95 ** (self.count + 1))
        state["delta"].mul_(0.9).add_(g / (corrected.sqrt() + 1e-8), alpha=-self.lr * 0.1 * 0.1)
        return p.clamp(-10, 10) + state["delta"]


def _rms(p: Tensor) -> Tensor:
    return p.square().mean(dim=tuple(range(1, p.dim())), keepdim=True).sqrt()
