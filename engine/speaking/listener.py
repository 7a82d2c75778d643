"""Who hears a take while it is spoken, and whether anybody still does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


class ListenerGone(Exception):
    """Nobody waits for this take any more: it ends without a trace."""


@dataclass(frozen=True)
class Listener:
    """`on_sound` gets samples (N,) float32 at 32 kHz in order, together the whole take.

    `on_start` gets the seed before that. `is_there` is asked after each token and before each
    window of sound.
    """

    on_sound: Callable[[np.ndarray], None] = lambda _: None
    is_there: Callable[[], bool] = lambda: True
    on_start: Callable[[int], None] = lambda _: None

    def check(self) -> None:
        """Raise ListenerGone when the listener has left."""
        if not self.is_there():
            raise ListenerGone

    def only_waiting(self) -> Listener:
        """Return one who hears nothing yet, but may leave as this one does."""
        return Listener(is_there=self.is_there)
