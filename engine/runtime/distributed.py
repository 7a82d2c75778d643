"""The processes of one training stage: who they are, what they agree on, summed gradients.

Gradients are summed by hand, after every rank has said that its own passes went well, instead
of by DistributedDataParallel: inside DDP's backward one rank that runs out of memory leaves the
others waiting in a collective for ever. With one process nothing here touches a tensor.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import Parameter

from engine.contract.problem import ExitCode, Problem
from engine.runtime.memory_end import is_out_of_memory

_PREFLIGHT = timedelta(seconds=30)
_STEP = timedelta(minutes=10)
_PATIENCE = timedelta(days=1)
_BLOCKING_WAIT = "TORCH_NCCL_BLOCKING_WAIT"
_BUCKET = 1 << 24  # numbers summed in one collective: 64 MiB of float32


@dataclass(frozen=True)
class Peers:
    """`rank` of `world` processes. Flags go over a CPU group, so they never stall a GPU."""

    rank: int = 0
    world: int = 1
    flags: Any = field(default=None, repr=False)
    tensors: Any = field(default=None, repr=False)

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
        """Replace each gradient by its sum over the processes, bucket by bucket.

        Raises torch.OutOfMemoryError in every process when one has no room for a bucket.
        """
        if self.world == 1:
            return
        flat, buckets = None, []
        try:
            buckets = list(_buckets(_gradients(parameters)))
            flat = buckets[0][0].new_empty(max(_size(bucket) for bucket in buckets))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # Asked before the first sum: in it, those who have the room would wait for the others.
        (failed,) = self.any(flat is None)
        if flat is None or failed:
            raise torch.OutOfMemoryError("no room in which to sum the gradients")
        for bucket in buckets:
            _sum_bucket(bucket, flat[: _size(bucket)], self.tensors)

    def sum(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Sum each scalar over the processes, for the record."""
        if self.world == 1 or not losses:
            return losses
        stacked = torch.stack([value.detach().float() for value in losses.values()])
        dist.all_reduce(stacked, group=self.tensors)
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


def is_peer_lost(error: BaseException) -> bool:
    """What is seen of a process that has gone; what that one said is the reason."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)


@contextmanager
def joined(kind: str) -> Iterator[Peers]:
    """The peers that torchrun started together with this process.

    Problem when they cannot add one number within 30 seconds: a network or a GPU that hangs is
    better found before training than in it.
    """
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    backend = "nccl" if kind == "cuda" else "gloo"
    if kind == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    try:
        dist.init_process_group("gloo", timeout=_PREFLIGHT)
        probe = torch.ones(1, device=kind)
        with _waiting_in_the_open():
            group = dist.new_group(backend=backend, timeout=_PREFLIGHT)
        dist.all_reduce(probe, group=group)
        if int(probe.item()) != world:
            raise RuntimeError(f"the sum over {world} processes came to {probe.item():g}")
    except RuntimeError as error:
        raise Problem(
            "engine.run.peers_silent", ExitCode.DISTRIBUTED,
            world=world, why=str(error).splitlines()[0][:200],
        ) from error  # fmt: skip
    # While rank 0 saves, or waits for disk space, the others wait for it; a peer that dies is
    # noticed by its closed connection.
    flags = dist.new_group(backend="gloo", timeout=_PATIENCE)
    tensors = dist.new_group(backend=backend, timeout=_STEP)
    try:
        yield Peers(rank, world, flags, tensors)
    finally:
        dist.destroy_process_group()


@contextmanager
def _waiting_in_the_open() -> Iterator[None]:
    """NCCL groups made in here raise when their time is over.

    Otherwise a thread of NCCL ends the process, and nobody says why. Only for the preflight: a
    group that waits like this keeps the host from working ahead of the GPU.
    """
    before = os.environ.get(_BLOCKING_WAIT)
    os.environ[_BLOCKING_WAIT] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_BLOCKING_WAIT]
        else:
            os.environ[_BLOCKING_WAIT] = before


def _gradients(parameters: Iterable[Parameter]) -> Iterator[Tensor]:
    for parameter in parameters:
        if parameter.requires_grad:
            if parameter.grad is None:  # every process must bring the same tensors
                parameter.grad = torch.zeros_like(parameter)
            yield parameter.grad


def _buckets(gradients: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for gradient in gradients:
        bucket.append(gradient)
        if _size(bucket) >= _BUCKET:
            yield bucket
            bucket = []
    if bucket:
        yield bucket


def _size(bucket: list[Tensor]) -> int:
    return sum(gradient.numel() for gradient in bucket)


def _sum_bucket(gradients: list[Tensor], flat: Tensor, group: Any) -> None:
    torch.cat([gradient.flatten() for gradient in gradients], out=flat)
    dist.all_reduce(flat, group=group)
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))
