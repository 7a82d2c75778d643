"""Reading the next batch while the present one is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Work = TypeVar("Work")
Batch = TypeVar("Batch")


def prefetched(
    work: Sequence[Work], start: int, load: Callable[[int, Work], Batch]
) -> Iterator[tuple[int, Batch]]:
    """Yield (index, load(index, work[index])) from `start` on, one ahead, in one thread.

    Loading is reading files and a Fourier transform, both outside Python's lock.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as pool:
        ahead = None
        for index in range(start, len(work)):
            now = ahead or pool.submit(load, index, work[index])
            ahead = pool.submit(load, index + 1, work[index + 1]) if index + 1 < len(work) else None
            yield index, now.result()
