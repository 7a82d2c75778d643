"""The processes of one training stage: ranks, agreement between them, summed gradients.

Gradients are summed explicitly, after every rank has reported that its own passes went well,
instead of by DistributedDataParallel: inside DDP's backward one rank that runs out of memory
leaves the others waiting in a collective for ever. With one process nothing here touches a tensor.
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

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime.collectives import free_shared_memory, lacks_shared_memory
from sovdeck.engine.runtime.oom import is_out_of_memory

_PREFLIGHT_TIMEOUT = timedelta(seconds=30)
_STEP_TIMEOUT = timedelta(minutes=10)
_IDLE_TIMEOUT = timedelta(days=1)
_BLOCKING_WAIT_VARIABLE = "TORCH_NCCL_BLOCKING_WAIT"
_BUCKET_ELEMENTS = 1 << 24  # numbers summed in one collective: 64 MiB of float32


@dataclass(frozen=True)
class Peers:
    """Rank and process groups of a process among its peers: `rank` of `world_size`.

    Flags go over `cpu_group`, so that they never stall a GPU; tensors over `device_group`.
    """

    rank: int = 0
    world_size: int = 1
    cpu_group: Any = field(default=None, repr=False)
    device_group: Any = field(default=None, repr=False)

    @property
    def is_leader(self) -> bool:
        """True for rank 0, the only one that writes files and events."""
        return self.rank == 0

    def any_rank(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag, True where it is True in any process; the same in all of them."""
        if self.world_size == 1:
            return flags
        votes = torch.tensor([float(flag) for flag in flags])
        dist.all_reduce(votes, op=dist.ReduceOp.MAX, group=self.cpu_group)
        return tuple(bool(vote) for vote in votes.tolist())

    def sum_gradients(self, parameters: Iterable[Parameter]) -> None:
        """Replace each gradient by its sum over the processes, bucket by bucket.

        Raises torch.OutOfMemoryError in every process when one has no memory for a bucket.
        """
        if self.world_size == 1:
            return
        flat, buckets = None, []
        try:
            buckets = list(_buckets(_gradients(parameters)))
            flat = buckets[0][0].new_empty(max(_count_elements(bucket) for bucket in buckets))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # Asked before the first sum: in it, processes with enough memory would wait for the others.
        (failed,) = self.any_rank(flat is None)
        if flat is None or failed:
            raise torch.OutOfMemoryError("no memory in which to sum the gradients")
        for bucket in buckets:
            _sum_bucket(bucket, flat[: _count_elements(bucket)], self.device_group)

    def sum_losses(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Sum each scalar over the processes, for the record."""
        if self.world_size == 1 or not losses:
            return losses
        stacked = torch.stack([value.detach().float() for value in losses.values()])
        dist.all_reduce(stacked, group=self.device_group)
        return dict(zip(losses, stacked.unbind(), strict=True))

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if self.world_size == 1:
            return [value]
        everyone: list[Any] = [None] * self.world_size
        dist.all_gather_object(everyone, value, group=self.cpu_group)
        return everyone

    def barrier(self) -> None:
        """Wait until every process has come here: rank 0 writes files that the others read next."""
        if self.world_size > 1:
            dist.barrier(group=self.cpu_group)


def is_peer_lost(error: BaseException) -> bool:
    """True for the errors by which a process notices that another one has ended."""
    if is_out_of_memory(error) or lacks_shared_memory(error):  # NCCL has buffers of its own
        return False
    return isinstance(error, dist.DistError) or "gloo" in str(error)


def peers_problem(error: RuntimeError, world_size: int) -> Problem:
    """Say why `world_size` processes could not begin: a lack of memory is no lost peer."""
    why = (str(error).splitlines() or [type(error).__name__])[0][:200]
    if lacks_shared_memory(error):
        free = (free_shared_memory() or 0) >> 20
        facts = {"world": world_size, "free": free, "why": why}
        return Problem("engine.run.no_shared_memory", ExitCode.MEMORY, **facts)
    if is_out_of_memory(error):
        return Problem("engine.run.no_room_for_peers", ExitCode.MEMORY, world=world_size, why=why)
    return Problem("engine.run.peers_silent", ExitCode.DISTRIBUTED, world=world_size, why=why)


@contextmanager
def join_peers(device_kind: str) -> Iterator[Peers]:
    """Join the process group of the peers that torchrun started together with this process.

    Problem when they cannot sum one number within 30 seconds: a hanging network or GPU, or a lack
    of memory for their buffers, is better found before training than during it.
    """
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    backend = "nccl" if device_kind == "cuda" else "gloo"
    if device_kind == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    try:
        dist.init_process_group("gloo", timeout=_PREFLIGHT_TIMEOUT)
        probe = torch.ones(1, device=device_kind)
        with _nccl_blocking_wait():
            group = dist.new_group(backend=backend, timeout=_PREFLIGHT_TIMEOUT)
        dist.all_reduce(probe, group=group)
        if int(probe.item()) != world_size:
            raise RuntimeError(f"the sum over {world_size} processes came to {probe.item():g}")
        # Its buffers would stay, in GPU memory and in /dev/shm, beside those of the real one.
        dist.destroy_process_group(group)
        # Used once now: what it lacks for its buffers is found here, not at the first gradients.
        device_group = dist.new_group(backend=backend, timeout=_STEP_TIMEOUT)
        dist.all_reduce(probe, group=device_group)
        probe.item()
    except RuntimeError as error:
        raise peers_problem(error, world_size) from error
    # While rank 0 saves, or waits for disk space, the others wait for it; a peer that dies is
    # noticed by its closed connection.
    cpu_group = dist.new_group(backend="gloo", timeout=_IDLE_TIMEOUT)
    try:
        yield Peers(rank, world_size, cpu_group, device_group)
    finally:
        dist.destroy_process_group()


@contextmanager
def _nccl_blocking_wait() -> Iterator[None]:
    """Make NCCL groups created in this context raise when their timeout is over.

    Otherwise a thread of NCCL ends the process without a reason. Only for the preflight: a
    group that waits like this keeps the host from working ahead of the GPU.
    """
    previous = os.environ.get(_BLOCKING_WAIT_VARIABLE)
    os.environ[_BLOCKING_WAIT_VARIABLE] = "1"
    try:
        yield
    finally:
        if previous is None:
            del os.environ[_BLOCKING_WAIT_VARIABLE]
        else:
            os.environ[_BLOCKING_WAIT_VARIABLE] = previous


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
        if _count_elements(bucket) >= _BUCKET_ELEMENTS:
            yield bucket
            bucket = []
    if bucket:
        yield bucket


def _count_elements(bucket: list[Tensor]) -> int:
    return sum(gradient.numel() for gradient in bucket)


def _sum_bucket(gradients: list[Tensor], flat: Tensor, group: Any) -> None:
    torch.cat([gradient.flatten() for gradient in gradients], out=flat)
    dist.all_reduce(flat, group=group)
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))
