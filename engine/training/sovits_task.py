"""The SoVITS stage: generator against discriminators, compat SPEC 3.8-3.11."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.audio.spectrogram import mel, spectrogram
from engine.models.sovits.discriminator import Discriminator
from engine.models.sovits.masks import length_mask, take_slices
from engine.models.sovits.synthesizer import Synthesizer, TrainOutput
from engine.runtime import chance
from engine.runtime.device import Device, Precision
from engine.runtime.distributed import Peers
from engine.training import losses, upstream_order
from engine.training.features import HOP, Clip
from engine.training.loss_scale import LossScale
from engine.training.order import Sizes, Update, fixed_order, heaviest
from engine.training.recompute import recomputed
from engine.training.sovits_data import SovitsBatch, load_sovits_batch
from engine.training.task import Phase

LEARNING_RATE = 1e-4
DECAY = 0.999875  # an epoch
_BETAS = (0.8, 0.99)
_EPS = 1e-9


@dataclass(frozen=True)
class SovitsSettings:
    """What a person may choose about this stage; `sizes.batch` clips per GPU."""

    sizes: Sizes
    seed: int = 1234
    schedule: str = "fixed"
    text_lr_scale: float = 0.4
    rate: float = LEARNING_RATE


class SovitsTask:
    """Drives one generator and its discriminator; the loop calls the rest."""

    name = "sovits"

    def __init__(
        self,
        generator: Synthesizer,
        discriminator: Discriminator,
        clips: Sequence[Clip],
        settings: SovitsSettings,
        device: Device,
        precision: Precision,
        peers: Peers,
        *,
        recompute: bool = False,
    ) -> None:
        """`recompute` trades time for memory: blocks run again in the backward pass."""
        self.generator = generator.to(device.torch).train()
        self.discriminator = discriminator.to(device.torch).train()
        self.settings = settings
        self.rate = settings.rate
        groups = generator.parameter_groups(settings.rate, settings.text_lr_scale)
        options: dict[str, Any] = {"betas": _BETAS, "eps": _EPS, "fused": True}
        self.generator_optimizer = torch.optim.AdamW(groups, settings.rate, **options)
        self.discriminator_optimizer = torch.optim.AdamW(
            discriminator.parameters(), settings.rate, **options
        )
        self._scaler = LossScale(device.kind, enabled=precision.scaled)
        self._scales = [group["lr"] / settings.rate for group in groups]
        self._device = device.torch
        self._precision = precision
        self._peers = peers
        self._clips = list(clips)
        if settings.schedule == "upstream":
            repeated = upstream_order.shuffled_once(upstream_order.repeated(len(clips)))
            self._clips = [clips[number] for number in repeated]
        if recompute:
            for block in (generator.dec, generator.enc_p, generator.enc_q, generator.flow):
                recomputed(block)
            for judge in discriminator.discriminators:
                recomputed(judge)
        self._pass: TrainOutput | None = None
        self._starts: list[dict[str, Any]] = []

    # What is trained when -------------------------------------------------------------

    def order(self, epoch: int) -> tuple[Update, ...]:
        frames = [clip.frames for clip in self._clips]
        if self.settings.schedule == "upstream":
            return upstream_order.sovits_order(frames, self.settings.sizes, epoch=epoch)
        return fixed_order(frames, self.settings.sizes, epoch=epoch, seed=self.settings.seed)

    def load(self, epoch: int, index: int, update: Update) -> list[SovitsBatch]:
        batches = []
        for number, batch in enumerate(update):
            # Keyed by place, not drawn in passing: the same noise after a resume, in smaller
            # pieces, or on more processes.
            key = f"{self.settings.seed}:{epoch}:{index}:{number}".encode()
            draw = torch.Generator().manual_seed(zlib.crc32(key))
            clips = [self._clips[clip] for clip in batch]
            channels = self.generator.config.inter_channels
            whole = load_sovits_batch(clips, channels, draw)
            batches.append(whole.rows(self._peers.rank, None, self._peers.world))
        return batches

    def heaviest(self) -> list[SovitsBatch]:
        frames = [clip.frames for clip in self._clips]
        return self.load(1, 0, heaviest(frames, self.settings.sizes))

    def begin_epoch(self, epoch: int) -> None:
        """Decay once an epoch; upstream has decayed once before its first (SPEC 3.10)."""
        passed = epoch if self.settings.schedule == "upstream" else epoch - 1
        self.rate = self.settings.rate * DECAY**passed
        for group, scale in zip(self.generator_optimizer.param_groups, self._scales, strict=True):
            group["lr"] = self.rate * scale
        for group in self.discriminator_optimizer.param_groups:
            group["lr"] = self.rate

    # One update -----------------------------------------------------------------------

    def phases(self) -> tuple[Phase, ...]:
        return (
            Phase(self._judge, self._step_discriminator),
            Phase(self._imitate, self._step_generator),
        )

    @property
    def optimizers(self) -> tuple[torch.optim.Optimizer, ...]:
        return self.discriminator_optimizer, self.generator_optimizer

    def check(self) -> None:
        self._scaler.check(self.name)

    def forget(self) -> None:
        self._pass = None
        self.generator_optimizer.zero_grad(set_to_none=True)
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        self.discriminator.requires_grad_(True)

    def _judge(self, pieces: Sequence[SovitsBatch]) -> Mapping[str, Tensor]:
        """Gradients of the discriminator on real and generated segments."""
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        self._starts = []
        total = torch.zeros((), device=self._device)
        for cut in pieces:
            weight, _ = cut.shares
            piece = cut.to(self._device)
            output = self._generate(piece, keep=len(pieces) == 1)
            real = _real_slices(piece, output, self.generator.config.segment_frames)
            with self._precision.autocast():
                # Together: every weight is normalised and laid out once, not twice.
                judged = self.discriminator(torch.cat((real, output.wav.detach())))
            pairs = [score.chunk(2) for score, _ in judged]
            loss = losses.discriminator_loss(*zip(*pairs, strict=True)) * weight
            torch.autograd.backward(self._scaler.scale(loss))
            total += loss.detach()
        return {"discriminator": total}

    def _imitate(self, pieces: Sequence[SovitsBatch]) -> Mapping[str, Tensor]:
        """Gradients of the generator against the discriminator that has just learned."""
        self.generator_optimizer.zero_grad(set_to_none=True)
        self.discriminator.requires_grad_(False)  # its gradients would be thrown away
        sums: dict[str, Tensor] = {}
        for number, cut in enumerate(pieces):
            piece = cut.to(self._device)
            output = self._again(piece, number, len(pieces))
            terms = self._generator_losses(piece, output, *cut.shares)
            torch.autograd.backward(self._scaler.scale(terms["total"]))
            for name, value in terms.items():
                sums[name] = sums[name] + value.detach() if name in sums else value.detach()
        self.discriminator.requires_grad_(True)
        return sums

    def _generator_losses(
        self, piece: SovitsBatch, output: TrainOutput, weight: float, frame_weight: float
    ) -> dict[str, Tensor]:
        frames = self.generator.config.segment_frames
        real = _real_slices(piece, output, frames)
        with self._precision.autocast():
            with torch.no_grad():
                real_features = [maps for _, maps in self.discriminator(real)]
            judged = self.discriminator(output.wav)
        target = mel(take_slices(piece.spec, output.ids_slice, frames))
        predicted = mel(spectrogram(output.wav.float()[:, 0]))
        mask = length_mask(piece.lengths, piece.spec.shape[-1])
        terms = losses.GeneratorLosses(
            adversarial=losses.adversarial_loss([score for score, _ in judged]) * weight,
            features=losses.feature_loss(real_features, [maps for _, maps in judged]) * weight,
            mel=losses.mel_loss(target, predicted) * weight,
            kl=losses.kl_loss(output.z_p, output.logs_q, output.m_p, output.logs_p, mask)
            * frame_weight,
        )
        return {
            "total": terms.total, "mel": terms.mel, "kl": terms.kl,
            "features": terms.features, "adversarial": terms.adversarial,
        }  # fmt: skip

    def _step_discriminator(self) -> Mapping[str, Tensor]:
        norm = self._summed_norm(self.discriminator, self.discriminator_optimizer)
        self._scaler.step(self.discriminator_optimizer)
        return {} if self._precision.scaled else {"grad_norm_d": norm}

    def _step_generator(self) -> Mapping[str, Tensor]:
        norm = self._summed_norm(self.generator, self.generator_optimizer)
        self._scaler.step(self.generator_optimizer)
        self._scaler.update()
        self._pass = None
        # Loss scaling meets infinite norms as a matter of course, and skips those updates.
        return {} if self._precision.scaled else {"grad_norm": norm}

    def _summed_norm(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Tensor:
        """Bring the gradients of all processes together; the norm of what came of it."""
        self._peers.sum_gradients(model.parameters())
        self._scaler.unscale_(optimizer)
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        return torch.nn.utils.get_total_norm(gradients)

    # The generator's pass is shared by both phases where it fits ------------------------

    def _generate(self, piece: SovitsBatch, *, keep: bool) -> TrainOutput:
        """The generator's forward. Kept with its graph, or to be repeated with the same dice."""
        if not keep:
            self._starts.append(chance.capture())
        with torch.set_grad_enabled(keep), self._precision.autocast():
            output: TrainOutput = self.generator(
                piece.ssl, piece.spec, piece.lengths, piece.text, piece.text_lengths,
                posterior_noise=piece.noise, slice_uniform=piece.uniform,
            )  # fmt: skip
        self._pass = output if keep else None
        return output

    def _again(self, piece: SovitsBatch, number: int, count: int) -> TrainOutput:
        if self._pass is not None and count == 1:
            return self._pass
        if count == len(self._starts):
            chance.restore(self._starts[number])
        return self._generate(piece, keep=True)

    # Saved states ---------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Parts of a saved state, by name."""
        return {
            "model": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimizer": {
                "generator": self.generator_optimizer.state_dict(),
                "discriminator": self.discriminator_optimizer.state_dict(),
                "scaler": self._scaler.state_dict(),
            },
        }

    def restore(self, parts: Mapping[str, Any]) -> None:
        """Put back what `state` gave; every key must fit."""
        self.generator.load_state_dict(parts["model"])
        self.discriminator.load_state_dict(parts["discriminator"])
        self.generator_optimizer.load_state_dict(parts["optimizer"]["generator"])
        self.discriminator_optimizer.load_state_dict(parts["optimizer"]["discriminator"])
        self._scaler.load_state_dict(parts["optimizer"]["scaler"])


def _real_slices(piece: SovitsBatch, output: TrainOutput, frames: int) -> Tensor:
    """The recorded wave (B, 1, frames * 640) where `output` speaks."""
    return take_slices(piece.wav, output.ids_slice * HOP, frames * HOP)
