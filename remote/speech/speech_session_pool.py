"""Keeps the speech session of one server: started for the first take, ended when idle.

One voice at a time stays loaded: a rented GPU has to train as well.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.speech.speech_session import SpeechSession

IDLE_S = 600.0  # shorter than the engine's own idle limit, so that we end it


class SpeechSessionPool:
    """Gives the speech session of a voice to one caller at a time; safe from any thread."""

    def __init__(self, start: Callable[[str], SpeechSession], idle_s: float = IDLE_S) -> None:
        """start: opens the session of a voice, or raises Problem. idle_s: seconds until it ends."""
        self._start = start
        self._idle_s = idle_s
        self._lock = threading.RLock()
        self._session: SpeechSession | None = None
        self._timer: threading.Timer | None = None

    @contextmanager
    def acquire(
        self, voice: str, on_load: Callable[[], None] | None = None
    ) -> Iterator[SpeechSession]:
        """The session of `voice`; the one before is used when it is the same and still answers.

        on_load: called before a voice is loaded.
        """
        with self._lock:
            self._cancel_timer()
            session = self._reusable(voice)
            if session is None:
                if on_load is not None:
                    on_load()
                session = self._start_session(voice)
            try:
                yield session
            finally:
                self._timer = threading.Timer(self._idle_s, self.release)
                self._timer.daemon = True
                self._timer.start()

    def release(self) -> None:
        """Close the session, which unloads the voice. Waits for a take that is being spoken."""
        with self._lock:
            self._cancel_timer()
            if self._session is not None:
                self._session.close()
                self._session = None

    def close(self) -> None:
        """End at once, also in the middle of a take."""
        session = self._session
        if session is not None:
            session.close()
        self._cancel_timer()

    def _reusable(self, voice: str) -> SpeechSession | None:
        if self._session is None or self._session.voice != voice:
            return None
        try:
            self._session.weights()
        except Problem:
            return None  # it ended meanwhile: its idle time was over, or its connection was lost
        return self._session

    def _start_session(self, voice: str) -> SpeechSession:
        if self._session is not None:
            self._session.close()
            self._session = None
        self._session = self._start(voice)
        return self._session

    def _cancel_timer(self) -> None:
        timer = self._timer
        if timer is not None:
            timer.cancel()
        self._timer = None
