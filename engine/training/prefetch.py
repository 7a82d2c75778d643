"""Reading the next batch while the present one is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")


def prefetched(places: Sequence[int], load: Callable[[int], Batch]) -> Iterator[tuple[int, Batch]]:
    """Yield (place, load(place)) for each of different places, one ahead, in one thread.

    Loading is reading files and a Fourier transform, both outside Python's lock.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as pool:
        ahead = None
        for number, place in enumerate(places):
            now = ahead or pool.submit(load, place)
            ahead = pool.submit(load, places[number + 1]) if place != places[-1] else None
            yield place, now.result()
