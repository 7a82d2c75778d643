"""The tokens of one sentence to samples: exactly, or early while tokens still come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.models.sovits.windows import decode_windows, growing_ends

# Spread of the decoder's draw around the mean (compat SPEC 3.12).
_NOISE_SCALE = 0.5
_FRAMES_PER_TOKEN = 2
_SAMPLES_PER_FRAME = 640


class SentenceDecoder:
    """Decodes what one sentence's tokens (S,) say: phones (L,), reference spectrograms, seed.

    `low_precision` decodes in bfloat16. Every frame of the latent depends on all tokens, so it
    is computed once, when they are there; the wave is then decoded in windows.
    """

    def __init__(
        self,
        model: Synthesizer,
        phones: Tensor,
        spectrograms: list[Tensor],
        speakers: list[Tensor] | None,
        *,
        seed: int,
        speed: float = 1.0,
        low_precision: bool = False,
    ) -> None:
        self._model = model
        self._phones = phones.to(model.ssl_proj.weight.device)[None]
        self._spectrograms, self._speakers = spectrograms, speakers
        self._seed, self._speed = seed, speed
        self._low_precision = low_precision

    def decode(self, tokens: Tensor) -> Iterator[np.ndarray]:
        """Yield the samples of all tokens (S,) in parts, the first one short."""
        frames = _FRAMES_PER_TOKEN * len(tokens)
        if self._speed != 1.0:
            frames = int(frames / self._speed) + 1
        # Drawn on the CPU, so that one seed means the same noise on every device.
        generator = torch.Generator().manual_seed(self._seed)
        noise = torch.randn(1, self._model.config.inter_channels, frames, generator=generator)
        z = self.latent(tokens, noise)
        yield from self.decode_frames(z, growing_ends(frames))

    def latent(self, tokens: Tensor, noise: Tensor) -> Tensor:
        """Compute what the decoder decodes, (1, C, T), with noise (1, C, T)."""
        weight = self._model.ssl_proj.weight
        with self._number_format(), torch.inference_mode():
            return self._model.latent(
                tokens.to(weight.device)[None, None],
                self._phones,
                self._timbre,
                noise_scale=_NOISE_SCALE,
                speed=self._speed,
                noise=noise.to(weight.device, weight.dtype),
            )

    def decode_frames(self, z: Tensor, ends: list[int], begin: int = 0) -> Iterator[np.ndarray]:
        """Yield the samples (N,) of z (1, C, T) from frame `begin` up to each of `ends`."""

        def decode(part: Tensor) -> Tensor:
            # Entered for each window: between two, other sentences may be spoken.
            with self._number_format(), torch.inference_mode():
                return self._model.dec(part, self._timbre)

        for wave in decode_windows(decode, z, ends, self._model.dec.receptive_frames, begin):
            yield wave[0, 0].float().cpu().numpy()

    @property
    def latent_channels(self) -> int:
        """C of the latent."""
        return self._model.config.inter_channels

    @cached_property
    def _timbre(self) -> Tensor:
        with self._number_format(), torch.inference_mode():
            return self._model.average_timbre(self._spectrograms, self._speakers)

    def _number_format(self) -> Any:
        device = self._model.ssl_proj.weight.device.type
        return torch.autocast(device, torch.bfloat16, enabled=self._low_precision)


class EarlyDecoder:
    """Speaks a sentence while its tokens are still being drawn; not exact by nature.

    A token that comes later changes every earlier frame a little, the nearest ones most. So the
    last tokens are held back, the latent is computed anew for each part, and parts are joined
    where their waves agree best (SOLA: synchronised overlap-add). `emit` gets the samples.
    """

    # Tokens of the first part; each next one is half as long again, up to a limit.
    _FIRST_TOKENS, _GROWTH, _MOST_TOKENS = 24, 1.5, 100
    _HELD_FRAMES = 8  # not spoken before more tokens have come
    _FADE_FRAMES = 2
    _SEARCH = 400  # samples in either direction: a period of a voice of 80 Hz

    def __init__(
        self, decoder: SentenceDecoder, emit: Callable[[np.ndarray], None], seed: int, limit: int
    ) -> None:
        """`limit`: the most tokens that can come."""
        self._decoder = decoder
        self._emit = emit
        generator = torch.Generator().manual_seed(seed)
        frames = limit * _FRAMES_PER_TOKEN
        # By frame, so that a frame keeps its noise whatever the length turns out to be.
        self._noise = torch.randn(frames, decoder.latent_channels, generator=generator).T[None]
        self._due, self._size = self._FIRST_TOKENS, float(self._FIRST_TOKENS)
        self._done = 0  # frames spoken
        self._tail = np.zeros(0, dtype=np.float32)  # of the part before, to fade from

    def add(self, count: int, read: Callable[[], Tensor]) -> None:
        """Speak the next part when enough of the `count` tokens that `read` gives (s,) are new."""
        if count < self._due:
            return
        tokens = read()
        if len(tokens) < self._due:
            return  # the sentence has ended
        frames = _FRAMES_PER_TOKEN * len(tokens)
        self._speak(tokens, frames - self._HELD_FRAMES)
        self._size = min(self._size * self._GROWTH, self._MOST_TOKENS)
        self._due = len(tokens) + int(self._size)

    def finish(self, tokens: Tensor) -> None:
        """Speak the rest of all tokens (S,)."""
        frames = _FRAMES_PER_TOKEN * len(tokens)
        self._speak(tokens, frames - self._FADE_FRAMES)
        self._emit(self._tail)

    def _speak(self, tokens: Tensor, end: int) -> None:
        """Speak up to frame `end` and keep the samples of the fade behind it."""
        frames = _FRAMES_PER_TOKEN * len(tokens)
        z = self._decoder.latent(tokens, self._noise[:, :, :frames])
        start = max(0, self._done - 1)  # a frame earlier: the best place may lie there
        (wave,) = self._decoder.decode_frames(z, [end + self._FADE_FRAMES], start)
        fade = self._FADE_FRAMES * _SAMPLES_PER_FRAME
        expected = (self._done - start) * _SAMPLES_PER_FRAME
        joined = join_waves(self._tail, wave, expected, self._SEARCH)
        self._emit(joined[:-fade])
        self._tail, self._done = joined[-fade:], end


def join_waves(tail: np.ndarray, wave: np.ndarray, expected: int, search: int) -> np.ndarray:
    """Fade from `tail` (F,) into `wave` where it agrees best within `search` of `expected`.

    All are samples; the result begins with the fade and ends with the wave.
    """
    if not len(tail):
        return wave[expected:]
    first = max(0, expected - search)
    last = min(len(wave) - len(tail), expected + search)
    windows = np.lib.stride_tricks.sliding_window_view(wave[first : last + len(tail)], len(tail))
    energy = np.sqrt(np.square(windows).sum(axis=1)) + 1e-6
    at = first + int(np.argmax(windows @ tail / energy))
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(len(tail)) + 0.5) / len(tail))
    faded = tail * (1.0 - rise) + wave[at : at + len(tail)] * rise
    return np.concatenate((faded.astype(np.float32), wave[at + len(tail) :]))
