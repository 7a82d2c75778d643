"""The `upstream` schedule: which clips GPT-SoVITS v2 would put in which update. Pure functions.

Compat SPEC 3.11 (SoVITS) and 5.5-5.6 (GPT), with their oddities: rare lengths repeated, clips
of 0.64 s and less or above 38 s left out, and GPT updates that may not happen at all.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from sovdeck.engine.contract.updates import GPT_ACCUMULATION_STEPS, upstream_repeats
from sovdeck.engine.training.batch_schedule import Batch, BatchSizes, Update

_BUCKET_EDGES = (32, *range(300, 2000, 100))  # spectrogram frames of 20 ms


def repeat_clips(clips: int) -> list[int]:
    """Clip numbers of the list that upstream repeats for small datasets."""
    return list(range(clips)) * upstream_repeats(clips)


def shuffle_clips(items: Sequence[int], seed: int = 1234) -> list[int]:
    """The one shuffle the SoVITS list gets when it is read."""
    result = list(items)
    random.Random(seed).shuffle(result)
    return result


def sovits_schedule(lengths: Sequence[int], sizes: BatchSizes, *, epoch: int) -> tuple[Update, ...]:
    """Make the updates of one SoVITS epoch over an already repeated list; `lengths` in frames.

    An item belongs to the bucket (b_i, b_i+1]; each bucket is filled by repetition to a
    multiple of the global batch. One micro-batch is one update.
    """
    generator = torch.Generator().manual_seed(epoch)
    buckets = [bucket for bucket in _length_buckets(lengths) if bucket]
    orders = [torch.randperm(len(bucket), generator=generator).tolist() for bucket in buckets]
    batches: list[Batch] = []
    for bucket, order in zip(buckets, orders, strict=True):
        missing = -len(bucket) % sizes.global_batch
        order = order + order * (missing // len(bucket)) + order[: missing % len(bucket)]
        items = [bucket[index] for index in order]
        for start in range(0, len(items), sizes.global_batch):
            batches.append(tuple(items[start : start + sizes.global_batch]))
    shuffled = torch.randperm(len(batches), generator=generator).tolist()
    return tuple((batches[index],) for index in shuffled)


def _length_buckets(lengths: Sequence[int]) -> list[list[int]]:
    buckets: list[list[int]] = [[] for _ in _BUCKET_EDGES[1:]]
    for item, length in enumerate(lengths):
        for number, (low, high) in enumerate(zip(_BUCKET_EDGES, _BUCKET_EDGES[1:], strict=False)):
            if low < length <= high:
                buckets[number].append(item)
    return buckets


def gpt_batch_size(requested: int, items: int) -> int:
    """Upstream's cap: a quarter of the (repeated) list."""
    return max(min(requested, items // 4), 1)


def gpt_batches(seconds: Sequence[float], sizes: BatchSizes, *, epoch: int) -> list[Batch]:
    """Make the batches of one GPT epoch.

    Buckets about 2 s wide, shuffled inside, then shuffled batches.
    """
    rng = random.Random(epoch)
    order: list[int] = []
    bucket: list[int] = []
    limit = 2.0
    for item in sorted(range(len(seconds)), key=lambda number: seconds[number]):
        if seconds[item] >= limit and bucket:
            rng.shuffle(bucket)
            order += bucket
            bucket = []
        while seconds[item] >= limit:
            limit += 2.0
        bucket.append(item)
    rng.shuffle(bucket)
    order += bucket
    batches = [
        tuple(order[i : i + sizes.global_batch]) for i in range(0, len(order), sizes.global_batch)
    ]
    short = -len(batches[-1]) % sizes.world_size if batches else 0
    if short:
        batches[-1] = batches[-1] + tuple(order[:short])
    rng.shuffle(batches)
    return batches


def gpt_schedule(seconds: Sequence[float], sizes: BatchSizes, *, epoch: int) -> tuple[Update, ...]:
    """Make the updates of one GPT epoch: after batches 0-4, then after every fourth.

    Batches left over at the end of an epoch keep their gradient, so they open the first update
    of the next; the weights do not change in between. Fewer than five batches: no update, ever
    (compat SPEC 5.5 TRAP), which ends the stage as `no_op`.
    """
    opened: list[Batch] = []
    if epoch > 1:
        before = gpt_batches(seconds, sizes, epoch=epoch - 1)
        # All that an epoch can leave over stands behind its own last update.
        opened = before[_last_update(len(before)) + 1 :]
    batches = gpt_batches(seconds, sizes, epoch=epoch)
    ends = range(GPT_ACCUMULATION_STEPS, len(batches), GPT_ACCUMULATION_STEPS)
    starts = (0, *(end + 1 for end in ends))
    updates = [tuple(batches[start : end + 1]) for start, end in zip(starts, ends, strict=False)]
    return ((*opened, *updates[0]), *updates[1:]) if updates else ()


def _last_update(batches: int) -> int:
    """The index of the batch after which the last update of an epoch of so many happens."""
    return (batches - 1) // GPT_ACCUMULATION_STEPS * GPT_ACCUMULATION_STEPS
