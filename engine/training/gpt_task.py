"""The GPT stage: phones to semantic tokens, compat SPEC 5.3-5.6."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from sovdeck.engine.models.gpt.text2semantic import GptOutput, Text2Semantic
from sovdeck.engine.runtime.checkpoint import load_optimizer
from sovdeck.engine.runtime.device import Device, Precision
from sovdeck.engine.runtime.distributed import Peers
from sovdeck.engine.training import upstream_schedule
from sovdeck.engine.training.batch_schedule import BatchSizes, Update, batch_schedule, largest_batch
from sovdeck.engine.training.dpo import dpo_loss, make_rejected
from sovdeck.engine.training.features import TrainingClip
from sovdeck.engine.training.gpt_data import GptBatch, load_gpt_batch
from sovdeck.engine.training.loss_scale import CheckedGradScaler, summed_loss_scale
from sovdeck.engine.training.scaled_adam import ScaledAdam
from sovdeck.engine.training.task import Phase

LEARNING_RATE = 0.002
UPSTREAM_FIRST_LEARNING_RATE = 0.01  # of upstream's very first update (SPEC 5.5)
TOKENS_PER_SECOND = 25


@dataclass(frozen=True)
class GptSettings:
    """What the user may choose about the GPT stage; `sizes.batch` clips a GPU."""

    sizes: BatchSizes
    seed: int = 1234
    schedule: str = "fixed"
    repeats: int = 1  # of the set in an epoch of the fixed schedule
    dpo: bool = False
    learning_rate: float = LEARNING_RATE


class GptTask:
    """Trains one text-to-semantic model; a `Task` for the training loop."""

    name = "gpt"

    def __init__(
        self,
        model: Text2Semantic,
        clips: Sequence[TrainingClip],
        settings: GptSettings,
        device: Device,
        precision: Precision,
        peers: Peers,
    ) -> None:
        self.model = model.to(device.torch_device).train()
        self.settings = settings
        self._upstream = settings.schedule == "upstream"
        self.learning_rate = (
            UPSTREAM_FIRST_LEARNING_RATE if self._upstream else settings.learning_rate
        )
        self.optimizer = ScaledAdam(model.parameters(), self.learning_rate)
        self._device = device.torch_device
        self._precision = precision
        self._peers = peers
        self._clips = list(clips)
        if self._upstream:
            self._clips = [clips[number] for number in upstream_schedule.repeat_clips(len(clips))]
        longest = max((len(clip.tokens) + 1 for clip in clips), default=1)
        self._scaler = CheckedGradScaler(
            device.kind,
            summed_loss_scale(settings.sizes.batch * longest),
            enabled=precision.needs_loss_scaling,
        )

    # What is trained when -------------------------------------------------------------

    def epoch_updates(self, epoch: int) -> tuple[Update, ...]:
        """The updates of one epoch, by the fixed or upstream's schedule."""
        sizes = self.settings.sizes
        if self._upstream:
            seconds = [len(clip.tokens) / TOKENS_PER_SECOND for clip in self._clips]
            return upstream_schedule.gpt_schedule(seconds, sizes, epoch=epoch)
        tokens = [len(clip.tokens) for clip in self._clips]
        return batch_schedule(
            tokens,
            sizes,
            epoch=epoch,
            seed=self.settings.seed,
            repeats=self.settings.repeats,
        )

    def load_batches(self, epoch: int, index: int, update: Update) -> list[GptBatch]:
        """Read this process's rows of each micro-batch of one update."""
        batches = []
        for number, batch in enumerate(update):
            clips = [self._clips[clip] for clip in batch]
            full_batch = load_gpt_batch(clips, self.model.config.bert_dim)
            if self.settings.dpo:
                # Keyed by position: the same damage after a resume or on more processes.
                key = f"{self.settings.seed}:{epoch}:{index}:{number}".encode()
                generator = torch.Generator().manual_seed(zlib.crc32(key))
                rows, lengths = make_rejected(
                    full_batch.tokens,
                    full_batch.token_lengths,
                    upstream=self._upstream,
                    generator=generator,
                )
                full_batch = replace(full_batch, rejected=rows, rejected_lengths=lengths)
            batches.append(full_batch.select_rows(self._peers.rank, None, self._peers.world_size))
        return batches

    def largest_batch(self) -> list[GptBatch]:
        """Read this process's rows of the batch of the longest clips."""
        lengths = [len(clip.phones) + len(clip.tokens) for clip in self._clips]
        return self.load_batches(1, 0, largest_batch(lengths, self.settings.sizes))

    def set_learning_rate(self, epoch: int) -> None:
        """Do nothing: the rate is constant; see `_apply_gradients` for upstream's first update."""

    # One update -----------------------------------------------------------------------

    def phases(self) -> tuple[Phase, ...]:
        """One phase: all gradients, then the step of ScaledAdam."""
        return (Phase(self._compute_gradients, self._apply_gradients),)

    @property
    def optimizers(self) -> tuple[torch.optim.Optimizer, ...]:
        """Every optimiser that `phases` step."""
        return (self.optimizer,)

    def check_loss_scale(self) -> int:
        """How many updates loss scaling has skipped since last asked; Problem when it failed."""
        return self._scaler.check_scale(self.name)

    def discard_gradients(self) -> None:
        """Drop all gradients."""
        self.optimizer.zero_grad(set_to_none=True)

    def _compute_gradients(self, micro_batches: Sequence[GptBatch]) -> Mapping[str, Tensor]:
        """Gradients of the summed cross-entropy; the record is per target token."""
        self.optimizer.zero_grad(set_to_none=True)
        # Every micro-batch of the update once, however finely it was split.
        targets = sum(
            positions * len(micro_batch) / clips
            for micro_batch in micro_batches
            for clips, positions in [micro_batch.full_size]
        )
        targets *= self._peers.world_size
        sums: dict[str, Tensor] = {}
        for micro_batch in micro_batches:
            batch = micro_batch.to(self._device)
            weight = len(micro_batch) / micro_batch.full_size[0]
            with self._precision.autocast():
                loss, output, terms = self._compute_loss(batch, weight)
            torch.autograd.backward(self._scaler.scale(loss))
            share = output.targets.numel() / targets
            terms |= {"total": output.loss.detach() / targets, "accuracy": output.accuracy * share}
            for name, value in terms.items():
                sums[name] = sums[name] + value.detach() if name in sums else value.detach()
        return {"total": sums.pop("total"), **sums}

    def _compute_loss(
        self, batch: GptBatch, weight: float
    ) -> tuple[Tensor, GptOutput, dict[str, Tensor]]:
        rows = (batch.phones, batch.phone_lengths, batch.tokens, batch.token_lengths, batch.bert)
        if batch.rejected is None or batch.rejected_lengths is None:
            output: GptOutput = self.model(*rows, upstream_mask=self._upstream)
            return output.loss, output, {}
        rejected = (batch.rejected, batch.rejected_lengths)
        terms, output = dpo_loss(self.model, *rows, rejected, upstream=self._upstream)
        preference = terms.preference * weight
        return terms.cross_entropy + preference, output, {"preference": preference}

    def _apply_gradients(self) -> Mapping[str, Tensor]:
        self._peers.sum_gradients(self.model.parameters())
        self._scaler.unscale_(self.optimizer)
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self.learning_rate = self.settings.learning_rate
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        # Loss scaling meets infinite norms as a matter of course, and skips those updates.
        return {} if self._precision.needs_loss_scaling else {"grad_norm": norm}

    # Saved states ---------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Parts of a saved state, by name."""
        return {
            "model": self.model.state_dict(),
            "optimizer": {
                "gpt": self.optimizer.state_dict(),
                "scaler": self._scaler.state_dict(),
            },
        }

    def load_state_dict(self, parts: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned; every key must fit."""
        self.model.load_state_dict(parts["model"])
        load_optimizer(self.optimizer, parts["optimizer"]["gpt"])
        self._scaler.load_state_dict(parts["optimizer"]["scaler"])
        self.learning_rate = self.optimizer.param_groups[0]["lr"]
