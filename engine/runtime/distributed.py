"""The processes of one training stage: who they are, what they agree on, summed gradients.

Gradients are summed by hand, after every rank has said that its own passes went well, instead
of by DistributedDataParallel: inside DDP's backward one rank that runs out of memory leaves the
others waiting in a collective for ever. With one process nothing here touches a tensor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import Parameter

_BUCKET = 1 << 24  # numbers summed in one collective: 64 MiB of float32


@dataclass(frozen=True)
class Peers:
    """`rank` of `world` processes. Flags go over a CPU group, so they never stall a GPU."""

    rank: int = 0
    world: int = 1
    flags: Any = field(default=None, repr=False)

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """True where any process says so: the one answer all of them act on."""
        if self.world == 1:
            return flags
        votes = torch.tensor([float(flag) for flag in flags])
        dist.all_reduce(votes, op=dist.ReduceOp.MAX, group=self.flags)
        return tuple(bool(vote) for vote in votes.tolist())

    def sum_gradients(self, parameters: Iterable[Parameter]) -> None:
        """Replace each gradient by its sum over the processes, bucket by bucket."""
        if self.world == 1:
            return
        bucket: list[Tensor] = []
        size = 0
        for parameter in parameters:
            if not parameter.requires_grad:
                continue
            if parameter.grad is None:  # every process must bring the same tensors
                parameter.grad = torch.zeros_like(parameter)
            bucket.append(parameter.grad)
            size += parameter.grad.numel()
            if size >= _BUCKET:
                _sum_bucket(bucket)
                bucket, size = [], 0
        if bucket:
            _sum_bucket(bucket)

    def sum(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Sum each scalar over the processes, for the record."""
        if self.world == 1 or not losses:
            return losses
        stacked = torch.stack([value.detach().float() for value in losses.values()])
        dist.all_reduce(stacked)
        return dict(zip(losses, stacked.unbind(), strict=True))

    def gather(self, mine: Any) -> list[Any]:
        """Everybody's value, by rank."""
        if self.world == 1:
            return [mine]
        everyone: list[Any] = [None] * self.world
        dist.all_gather_object(everyone, mine, group=self.flags)
        return everyone

    def wait(self) -> None:
        """Until every process is here: rank 0 writes files the others go on from."""
        if self.world > 1:
            dist.barrier(group=self.flags)


def _sum_bucket(gradients: list[Tensor]) -> None:
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))
