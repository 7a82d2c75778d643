"""From the thread that speaks to the connection that sends: sound as it comes, and its end."""

from __future__ import annotations

import asyncio
import threading

import numpy as np

from sovdeck.engine.audio.encode import SoundEncoder, SoundFormat, encode_sound
from sovdeck.engine.speaking.listener import Listener

# A listener that takes no more than so much at a time is not spoken on to meanwhile.
_MOST_BUFFERED = 1 << 22  # bytes: minutes of most formats, half a minute of wav


class SoundChannel:
    """Encodes what is spoken and holds it for one connection.

    The speaking side calls `listener`, `finish`, `end`, `is_ready`; the connection's event loop
    calls `take` and `close`. `seed` is there with the first sound.
    """

    def __init__(self, sound_format: SoundFormat, whole: bool) -> None:
        self.seed: int | None = None
        self._format = sound_format
        self._encoder = None if whole else SoundEncoder(sound_format)
        self._samples: list[np.ndarray] = []
        self._loop = asyncio.get_running_loop()
        self._parts: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self._lock = threading.Lock()
        self._buffered = 0
        self._closed = threading.Event()

    @property
    def listener(self) -> Listener:
        """Who hears the take that is spoken into this channel."""
        return Listener(self._hear, self.is_open, self._start)

    def is_open(self) -> bool:
        """Whether the connection still waits for sound."""
        return not self._closed.is_set()

    def is_ready(self) -> bool:
        """Whether there is room for more sound."""
        with self._lock:
            return self._buffered < _MOST_BUFFERED

    def finish(self) -> None:
        """Encode what is left of a take that was spoken to its end."""
        if self._encoder is not None:
            self._put(self._encoder.finish())
        else:
            self._put(encode_sound(np.concatenate(self._samples), self._format))

    def end(self, error: BaseException | None) -> None:
        """Say that no more comes, and what the take failed with."""
        self._send(error)

    async def take(self) -> bytes | None:
        """The next bytes, None at the end; raises what the take failed with."""
        part = await self._parts.get()
        if isinstance(part, BaseException):
            raise part
        if part is not None:
            with self._lock:
                self._buffered -= len(part)
        return part

    def close(self) -> None:
        """Say that nobody waits any more."""
        self._closed.set()

    def _start(self, seed: int) -> None:
        self.seed = seed

    def _hear(self, samples: np.ndarray) -> None:
        if self._encoder is None:
            self._samples.append(samples)
        else:
            self._put(self._encoder.add(samples))

    def _put(self, data: bytes) -> None:
        with self._lock:
            self._buffered += len(data)
        self._send(data)

    def _send(self, part: bytes | BaseException | None) -> None:
        if self.is_open():
            self._loop.call_soon_threadsafe(self._parts.put_nowait, part)
