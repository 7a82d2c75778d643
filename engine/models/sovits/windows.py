"""Decoding a sentence in windows, so that its beginning is heard while the rest is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

# The first window is two thirds of a second long, with what it needs behind it just the shortest
# one that bfloat16 decodes without compiling (see cpu_decoder.py). Each next one is twice as long,
# since a join costs two receptive fields and there is more to listen to meanwhile.
_FIRST_FRAMES = 31


def growing_ends(frames: int, first: int = _FIRST_FRAMES) -> list[int]:
    """Where windows over `frames` end: the first after `first` frames, each next twice as long."""
    ends, done, size = [], 0, first
    while frames - done > size + size // 2:
        done += size
        ends.append(done)
        size *= 2
    return [*ends, frames]


def decode_windows(
    decode: Callable[[Tensor], Tensor],
    z: Tensor,
    ends: list[int],
    receptive_frames: int,
    begin: int = 0,
) -> Iterator[Tensor]:
    """Yield `decode` of z (B, C, T) from `begin` up to each of `ends`; joined, as if at once.

    Each window gets the frames around it that influence it, as far as there are any.
    """
    done = begin
    for end in ends:
        start, stop = max(0, done - receptive_frames), min(z.shape[-1], end + receptive_frames)
        wave = decode(z[:, :, start:stop])
        hop = wave.shape[-1] // (stop - start)
        yield wave[:, :, (done - start) * hop : (end - start) * hop]
        done = end
