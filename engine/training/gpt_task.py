"""The GPT stage: phones to semantic tokens, compat SPEC 5.3-5.6."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from engine.models.gpt.text2semantic import GptOutput, Text2Semantic
from engine.runtime.device import Device, Precision
from engine.runtime.distributed import Peers
from engine.training import upstream_order
from engine.training.dpo import dpo_loss, reject
from engine.training.features import Clip
from engine.training.gpt_data import GptBatch, load_gpt_batch
from engine.training.loss_scale import LossScale
from engine.training.order import Sizes, Update, fixed_order, heaviest
from engine.training.scaled_adam import ScaledAdam
from engine.training.task import Phase

LEARNING_RATE = 0.002
UPSTREAM_FIRST_RATE = 0.01  # of upstream's very first update (SPEC 5.5)
TOKENS_A_SECOND = 25


@dataclass(frozen=True)
class GptSettings:
    """What a person may choose about this stage; `sizes.batch` clips per GPU."""

    sizes: Sizes
    seed: int = 1234
    schedule: str = "fixed"
    dpo: bool = False
    rate: float = LEARNING_RATE


class GptTask:
    """Drives one text-to-semantic model; the loop calls the rest."""

    name = "gpt"

    def __init__(
        self,
        model: Text2Semantic,
        clips: Sequence[Clip],
        settings: GptSettings,
        device: Device,
        precision: Precision,
        peers: Peers,
    ) -> None:
        self.model = model.to(device.torch).train()
        self.settings = settings
        self._upstream = settings.schedule == "upstream"
        self.rate = UPSTREAM_FIRST_RATE if self._upstream else settings.rate
        self.optimizer = ScaledAdam(model.parameters(), self.rate)
        self._scaler = LossScale(device.kind, enabled=precision.scaled)
        self._device = device.torch
        self._precision = precision
        self._peers = peers
        self._clips = list(clips)
        if self._upstream:
            self._clips = [clips[number] for number in upstream_order.repeated(len(clips))]

    # What is trained when -------------------------------------------------------------

    def order(self, epoch: int) -> tuple[Update, ...]:
        sizes = self.settings.sizes
        if self._upstream:
            seconds = [len(clip.tokens) / TOKENS_A_SECOND for clip in self._clips]
            return upstream_order.gpt_order(seconds, sizes, epoch=epoch)
        tokens = [len(clip.tokens) for clip in self._clips]
        return fixed_order(tokens, sizes, epoch=epoch, seed=self.settings.seed)

    def load(self, epoch: int, index: int, update: Update) -> list[GptBatch]:
        batches = []
        for number, batch in enumerate(update):
            clips = [self._clips[clip] for clip in batch]
            whole = load_gpt_batch(clips, self.model.config.bert_dim)
            if self.settings.dpo:
                # Keyed by place: the same damage after a resume or on more processes.
                key = f"{self.settings.seed}:{epoch}:{index}:{number}".encode()
                draw = torch.Generator().manual_seed(zlib.crc32(key))
                rows, lengths = reject(
                    whole.tokens, whole.token_lengths, upstream=self._upstream, generator=draw
                )
                whole = replace(whole, rejected=rows, rejected_lengths=lengths)
            batches.append(whole.rows(self._peers.rank, None, self._peers.world))
        return batches

    def heaviest(self) -> list[GptBatch]:
        lengths = [len(clip.phones) + len(clip.tokens) for clip in self._clips]
        return self.load(1, 0, heaviest(lengths, self.settings.sizes))

    def begin_epoch(self, epoch: int) -> None:
        """The rate is constant; see `_step` for upstream's first update."""

    # One update -----------------------------------------------------------------------

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(self._predict, self._step),)

    @property
    def optimizers(self) -> tuple[torch.optim.Optimizer, ...]:
        return (self.optimizer,)

    def check(self) -> None:
        self._scaler.check(self.name)

    def forget(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)

    def _predict(self, pieces: Sequence[GptBatch]) -> Mapping[str, Tensor]:
        """Gradients of the summed cross-entropy; the record is per target token."""
        self.optimizer.zero_grad(set_to_none=True)
        # Every micro-batch of the update once, however finely it was cut.
        targets = sum(
            positions * len(cut) / clips for cut in pieces for clips, positions in [cut.whole]
        )
        targets *= self._peers.world
        sums: dict[str, Tensor] = {}
        for cut in pieces:
            piece = cut.to(self._device)
            weight = len(cut) / cut.whole[0]
            with self._precision.autocast():
                loss, output, terms = self._loss(piece, weight)
            torch.autograd.backward(self._scaler.scale(loss))
            share = output.targets.numel() / targets
            terms |= {"total": output.loss.detach() / targets, "accuracy": output.accuracy * share}
            for name, value in terms.items():
                sums[name] = sums[name] + value.detach() if name in sums else value.detach()
        return {"total": sums.pop("total"), **sums}

    def _loss(self, piece: GptBatch, weight: float) -> tuple[Tensor, GptOutput, dict[str, Tensor]]:
        rows = (piece.phones, piece.phone_lengths, piece.tokens, piece.token_lengths, piece.bert)
        if piece.rejected is None or piece.rejected_lengths is None:
            output: GptOutput = self.model(*rows, upstream_mask=self._upstream)
            return output.loss, output, {}
        rejected = (piece.rejected, piece.rejected_lengths)
        terms, output = dpo_loss(self.model, *rows, rejected, upstream=self._upstream)
        preference = terms.preference * weight
        return terms.cross_entropy + preference, output, {"preference": preference}

    def _step(self) -> Mapping[str, Tensor]:
        self._peers.sum_gradients(self.model.parameters())
        self._scaler.unscale_(self.optimizer)
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self.rate = self.settings.rate
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        # Loss scaling meets infinite norms as a matter of course, and skips those updates.
        return {} if self._precision.scaled else {"grad_norm": norm}

    # Saved states ---------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Parts of a saved state, by name."""
        return {
            "model": self.model.state_dict(),
            "optimizer": {
                "gpt": self.optimizer.state_dict(),
                "scaler": self._scaler.state_dict(),
            },
        }

    def restore(self, parts: Mapping[str, Any]) -> None:
        """Put back what `state` gave; every key must fit."""
        self.model.load_state_dict(parts["model"])
        self.optimizer.load_state_dict(parts["optimizer"]["gpt"])
        self._scaler.load_state_dict(parts["optimizer"]["scaler"])
        self.rate = self.optimizer.param_groups[0]["lr"]
