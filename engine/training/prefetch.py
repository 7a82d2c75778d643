"""Reading the next batch while the present one is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")


def prefetch(indices: Sequence[int], load: Callable[[int], Batch]) -> Iterator[tuple[int, Batch]]:
    """Yield (index, load(index)) for distinct indices, loading one ahead in one thread.

    Loading is reading files and a Fourier transform, both outside Python's lock.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as pool:
        upcoming = None
        for number, index in enumerate(indices):
            current = upcoming or pool.submit(load, index)
            upcoming = pool.submit(load, indices[number + 1]) if index != indices[-1] else None
            yield index, current.result()
