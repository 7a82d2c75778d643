"""The dashboard's side of its page: it ends with its tab, whatever happens to either."""

from __future__ import annotations

import os
import threading

from textual import messages
from textual.drivers.web_driver import WebDriver


class PageDriver(WebDriver):
    """Ends the process when the tab is closed or the page's server is gone.

    The app is asked first. A dashboard that hangs hears nothing, so that after `grace_s` the
    process is ended from the thread that reads its input.
    """

    grace_s = 10.0  # for tasks in the background and connections that are closed

    def on_meta(self, packet_type: str, payload: dict[str, object]) -> None:
        """Take a packet of the page's server; "quit" says that the tab was closed."""
        if packet_type == "quit":
            self._end_soon()
        super().on_meta(packet_type, payload)

    def run_input_thread(self) -> None:
        """Read until the input ends: the app has left, or the server was killed."""
        super().run_input_thread()
        self._end_soon()
        self._app.post_message(messages.ExitApp())

    def _end_soon(self) -> None:
        timer = threading.Timer(self.grace_s, os._exit, (0,))
        timer.daemon = True
        timer.start()
