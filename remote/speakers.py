"""The speaker of one server: started for the first take, kept for the next, ended when idle.

One voice at a time stays loaded: a rented GPU has to train as well.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.contract.problem import Problem
from remote.speaker import Speaker

IDLE_S = 600.0  # shorter than the engine's own patience, so that the ending is ours


class Speakers:
    """Lends the speaker of a voice to one caller at a time; safe from any thread."""

    def __init__(self, start: Callable[[str], Speaker], idle_s: float = IDLE_S) -> None:
        """start: makes a loaded speaker of a voice, or raises Problem."""
        self._start = start
        self._idle_s = idle_s
        self._lock = threading.RLock()
        self._speaker: Speaker | None = None
        self._timer: threading.Timer | None = None

    @contextmanager
    def borrow(self, voice: str) -> Iterator[Speaker]:
        """The speaker of `voice`; the one before stays when it is the same and still answers."""
        with self._lock:
            self._rest()
            speaker = self._standing(voice) or self._begin(voice)
            try:
                yield speaker
            finally:
                self._timer = threading.Timer(self._idle_s, self.release)
                self._timer.daemon = True
                self._timer.start()

    def release(self) -> None:
        """Unload the voice. Waits for a take that is being spoken."""
        with self._lock:
            self._rest()
            if self._speaker is not None:
                self._speaker.close()
                self._speaker = None

    def close(self) -> None:
        """End at once, also in the middle of a take."""
        speaker = self._speaker
        if speaker is not None:
            speaker.close()
        self._rest()

    def _standing(self, voice: str) -> Speaker | None:
        if self._speaker is None or self._speaker.voice != voice:
            return None
        try:
            self._speaker.weights()
        except Problem:
            return None  # it ended meanwhile: its idle time was over, or its link was cut
        return self._speaker

    def _begin(self, voice: str) -> Speaker:
        if self._speaker is not None:
            self._speaker.close()
            self._speaker = None
        self._speaker = self._start(voice)
        return self._speaker

    def _rest(self) -> None:
        timer = self._timer
        if timer is not None:
            timer.cancel()
        self._timer = None
