"""Timers that always come, however busy the computer is."""

from __future__ import annotations

from textual._types import CallbackType
from textual.message_pump import MessagePump
from textual.timer import Timer


class ReliableTimers(MessagePump):
    """Base, before Textual's own, of an app, a screen or a widget that sets timers.

    Textual leaves out the beats of a timer that are late. One that was to come once is then never
    called: where another thread or process had the processor for longer than the delay, after the
    timer took its start and before it looked at the clock. What waited for it waits for ever.
    """

    def set_timer(
        self,
        delay: float,
        callback: CallbackType | None = None,
        *,
        name: str | None = None,
        pause: bool = False,
    ) -> Timer:
        """Call `callback` once, after `delay` seconds or as soon as there is time."""
        timer = super().set_timer(delay, callback, name=name, pause=pause)
        timer._skip = False  # it begins to run with the next turn of the event loop
        return timer
