"""The SoVITS stage: generator against discriminators, compat SPEC 3.8-3.11."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sovdeck.engine.audio.spectrogram import mel_spectrogram, spectrogram
from sovdeck.engine.models.sovits.discriminator import Discriminator
from sovdeck.engine.models.sovits.masks import length_mask, take_slices
from sovdeck.engine.models.sovits.synthesizer import Synthesizer, SynthesizerOutput
from sovdeck.engine.runtime import rng
from sovdeck.engine.runtime.checkpoint import load_optimizer
from sovdeck.engine.runtime.device import Device, Precision
from sovdeck.engine.runtime.distributed import Peers
from sovdeck.engine.training import losses, upstream_schedule
from sovdeck.engine.training.batch_schedule import BatchSizes, Update, batch_schedule, largest_batch
from sovdeck.engine.training.features import HOP_LENGTH, TrainingClip
from sovdeck.engine.training.gradient_checkpointing import enable_gradient_checkpointing
from sovdeck.engine.training.loss_scale import MEAN_LOSS_SCALE, CheckedGradScaler
from sovdeck.engine.training.sovits_data import SovitsBatch, load_sovits_batch
from sovdeck.engine.training.task import Phase

LEARNING_RATE = 1e-4
LEARNING_RATE_DECAY = 0.999875  # an epoch
_BETAS = (0.8, 0.99)
_EPS = 1e-9


@dataclass(frozen=True)
class SovitsSettings:
    """What the user may choose about the SoVITS stage; `sizes.batch` clips a GPU."""

    sizes: BatchSizes
    seed: int = 1234
    schedule: str = "fixed"
    repeats: int = 1  # of the set in an epoch of the fixed schedule
    text_lr_scale: float = 0.4
    learning_rate: float = LEARNING_RATE


class SovitsTask:
    """Trains one generator and its discriminator; a `Task` for the training loop."""

    name = "sovits"

    def __init__(
        self,
        generator: Synthesizer,
        discriminator: Discriminator,
        clips: Sequence[TrainingClip],
        settings: SovitsSettings,
        device: Device,
        precision: Precision,
        peers: Peers,
        *,
        gradient_checkpointing: bool = False,
    ) -> None:
        """`gradient_checkpointing` saves memory and costs time: backward runs blocks again."""
        self.generator = generator.to(device.torch_device).train()
        self.discriminator = discriminator.to(device.torch_device).train()
        self.settings = settings
        self.learning_rate = settings.learning_rate
        groups = generator.parameter_groups(settings.learning_rate, settings.text_lr_scale)
        options: dict[str, Any] = {"betas": _BETAS, "eps": _EPS, "fused": True}
        self.generator_optimizer = torch.optim.AdamW(groups, settings.learning_rate, **options)
        self.discriminator_optimizer = torch.optim.AdamW(
            discriminator.parameters(), settings.learning_rate, **options
        )
        self._scaler = CheckedGradScaler(
            device.kind, MEAN_LOSS_SCALE, enabled=precision.needs_loss_scaling
        )
        self._lr_scales = [group["lr"] / settings.learning_rate for group in groups]
        self._device = device.torch_device
        self._precision = precision
        self._peers = peers
        self._clips = list(clips)
        if settings.schedule == "upstream":
            repeated = upstream_schedule.shuffle_clips(upstream_schedule.repeat_clips(len(clips)))
            self._clips = [clips[number] for number in repeated]
        if gradient_checkpointing:
            for block in (generator.dec, generator.enc_p, generator.enc_q, generator.flow):
                enable_gradient_checkpointing(block)
            for discriminator_part in discriminator.discriminators:
                enable_gradient_checkpointing(discriminator_part)
        self._kept_output: SynthesizerOutput | None = None
        self._rng_states: list[dict[str, Any]] = []

    # What is trained when -------------------------------------------------------------

    def epoch_updates(self, epoch: int) -> tuple[Update, ...]:
        """The updates of one epoch, by the fixed or upstream's schedule."""
        frames = [clip.frames for clip in self._clips]
        if self.settings.schedule == "upstream":
            return upstream_schedule.sovits_schedule(frames, self.settings.sizes, epoch=epoch)
        return batch_schedule(
            frames,
            self.settings.sizes,
            epoch=epoch,
            seed=self.settings.seed,
            repeats=self.settings.repeats,
        )

    def load_batches(self, epoch: int, index: int, update: Update) -> list[SovitsBatch]:
        """Read this process's rows of each micro-batch of one update."""
        batches = []
        for number, batch in enumerate(update):
            # Keyed by position, not drawn in passing: the same noise after a resume, in smaller
            # micro-batches, or on more processes.
            key = f"{self.settings.seed}:{epoch}:{index}:{number}".encode()
            generator = torch.Generator().manual_seed(zlib.crc32(key))
            clips = [self._clips[clip] for clip in batch]
            channels = self.generator.config.inter_channels
            full_batch = load_sovits_batch(clips, channels, generator)
            batches.append(full_batch.select_rows(self._peers.rank, None, self._peers.world_size))
        return batches

    def largest_batch(self) -> list[SovitsBatch]:
        """Read this process's rows of the batch of the longest clips."""
        frames = [clip.frames for clip in self._clips]
        return self.load_batches(1, 0, largest_batch(frames, self.settings.sizes))

    def set_learning_rate(self, epoch: int) -> None:
        """Decay once an epoch; upstream has decayed once before its first (SPEC 3.10)."""
        decays = epoch if self.settings.schedule == "upstream" else epoch - 1
        self.learning_rate = self.settings.learning_rate * LEARNING_RATE_DECAY**decays
        for group, scale in zip(
            self.generator_optimizer.param_groups, self._lr_scales, strict=True
        ):
            group["lr"] = self.learning_rate * scale
        for group in self.discriminator_optimizer.param_groups:
            group["lr"] = self.learning_rate

    # One update -----------------------------------------------------------------------

    def phases(self) -> tuple[Phase, ...]:
        """Two phases: the discriminator's gradients and step, then the generator's."""
        return (
            Phase(self._compute_discriminator_gradients, self._step_discriminator),
            Phase(self._compute_generator_gradients, self._step_generator),
        )

    @property
    def optimizers(self) -> tuple[torch.optim.Optimizer, ...]:
        """Every optimiser that `phases` step."""
        return self.discriminator_optimizer, self.generator_optimizer

    def check_loss_scale(self) -> int:
        """How many updates loss scaling has skipped since last asked; Problem when it failed."""
        return self._scaler.check_scale(self.name)

    def discard_gradients(self) -> None:
        """Drop all gradients and kept activations."""
        self._kept_output = None
        self.generator_optimizer.zero_grad(set_to_none=True)
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        self.discriminator.requires_grad_(True)

    def _compute_discriminator_gradients(
        self, micro_batches: Sequence[SovitsBatch]
    ) -> Mapping[str, Tensor]:
        """Gradients of the discriminator on real and generated segments."""
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        self._rng_states = []
        total = torch.zeros((), device=self._device)
        for micro_batch in micro_batches:
            weight, _ = micro_batch.fractions
            batch = micro_batch.to(self._device)
            output = self._run_generator(batch, keep=len(micro_batches) == 1)
            real = _real_slices(batch, output, self.generator.config.segment_frames)
            with self._precision.autocast():
                # Together: every weight is normalised and laid out once, not twice.
                scores_and_maps = self.discriminator(torch.cat((real, output.wav.detach())))
            pairs = [score.chunk(2) for score, _ in scores_and_maps]
            loss = losses.discriminator_loss(*zip(*pairs, strict=True)) * weight
            torch.autograd.backward(self._scaler.scale(loss))
            total += loss.detach()
        return {"discriminator": total}

    def _compute_generator_gradients(
        self, micro_batches: Sequence[SovitsBatch]
    ) -> Mapping[str, Tensor]:
        """Gradients of the generator against the discriminator that has just learned."""
        self.generator_optimizer.zero_grad(set_to_none=True)
        self.discriminator.requires_grad_(False)  # its gradients would be thrown away
        sums: dict[str, Tensor] = {}
        for number, micro_batch in enumerate(micro_batches):
            batch = micro_batch.to(self._device)
            output = self._rerun_generator(batch, number, len(micro_batches))
            terms = self._generator_losses(batch, output, *micro_batch.fractions)
            torch.autograd.backward(self._scaler.scale(terms["total"]))
            for name, value in terms.items():
                sums[name] = sums[name] + value.detach() if name in sums else value.detach()
        self.discriminator.requires_grad_(True)
        return sums

    def _generator_losses(
        self, batch: SovitsBatch, output: SynthesizerOutput, weight: float, frame_weight: float
    ) -> dict[str, Tensor]:
        frames = self.generator.config.segment_frames
        real = _real_slices(batch, output, frames)
        with self._precision.autocast():
            with torch.no_grad():
                real_features = [maps for _, maps in self.discriminator(real)]
            scores_and_maps = self.discriminator(output.wav)
        target = mel_spectrogram(take_slices(batch.spec, output.ids_slice, frames))
        predicted = mel_spectrogram(spectrogram(output.wav.float()[:, 0]))
        mask = length_mask(batch.lengths, batch.spec.shape[-1])
        terms = losses.GeneratorLosses(
            adversarial=losses.adversarial_loss([score for score, _ in scores_and_maps]) * weight,
            features=losses.feature_loss(real_features, [maps for _, maps in scores_and_maps])
            * weight,
            mel=losses.mel_loss(target, predicted) * weight,
            kl=losses.kl_loss(output.z_p, output.logs_q, output.m_p, output.logs_p, mask)
            * frame_weight,
        )
        return {
            "total": terms.total,
            "mel": terms.mel,
            "kl": terms.kl,
            "features": terms.features,
            "adversarial": terms.adversarial,
        }

    def _step_discriminator(self) -> Mapping[str, Tensor]:
        norm = self._sum_gradients(self.discriminator, self.discriminator_optimizer)
        self._scaler.step(self.discriminator_optimizer)
        return {} if self._precision.needs_loss_scaling else {"grad_norm_d": norm}

    def _step_generator(self) -> Mapping[str, Tensor]:
        norm = self._sum_gradients(self.generator, self.generator_optimizer)
        self._scaler.step(self.generator_optimizer)
        self._scaler.update()
        self._kept_output = None
        # Loss scaling meets infinite norms as a matter of course, and skips those updates.
        return {} if self._precision.needs_loss_scaling else {"grad_norm": norm}

    def _sum_gradients(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Tensor:
        """Bring the gradients of all processes together; the norm of what came of it."""
        self._peers.sum_gradients(model.parameters())
        self._scaler.unscale_(optimizer)
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        return torch.nn.utils.get_total_norm(gradients)

    # The generator's pass is shared by both phases where it fits ------------------------

    def _run_generator(self, batch: SovitsBatch, *, keep: bool) -> SynthesizerOutput:
        """Run the generator forward; keep the graph, or the RNG state to repeat it with."""
        if not keep:
            self._rng_states.append(rng.capture())
        with torch.set_grad_enabled(keep), self._precision.autocast():
            output: SynthesizerOutput = self.generator(
                batch.ssl,
                batch.spec,
                batch.lengths,
                batch.text,
                batch.text_lengths,
                speaker=batch.speaker,
                posterior_noise=batch.noise,
                slice_uniform=batch.uniform,
            )
        self._kept_output = output if keep else None
        return output

    def _rerun_generator(self, batch: SovitsBatch, number: int, count: int) -> SynthesizerOutput:
        if self._kept_output is not None and count == 1:
            return self._kept_output
        if count == len(self._rng_states):
            rng.restore(self._rng_states[number])
        return self._run_generator(batch, keep=True)

    # Saved states ---------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
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

    def load_state_dict(self, parts: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned; every key must fit."""
        self.generator.load_state_dict(parts["model"])
        self.discriminator.load_state_dict(parts["discriminator"])
        load_optimizer(self.generator_optimizer, parts["optimizer"]["generator"])
        load_optimizer(self.discriminator_optimizer, parts["optimizer"]["discriminator"])
        self._scaler.load_state_dict(parts["optimizer"]["scaler"])


def _real_slices(batch: SovitsBatch, output: SynthesizerOutput, frames: int) -> Tensor:
    """The recorded wave (B, 1, frames * 640) where `output` speaks."""
    return take_slices(batch.wav, output.ids_slice * HOP_LENGTH, frames * HOP_LENGTH)
