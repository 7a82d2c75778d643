"""Input that a terminal should not send, and some do: it is ignored instead of ending the app.

Textual 8 decodes input strictly as UTF-8 and lets the parser's errors end its input thread. X10
mouse reports, a paste from a GBK terminal and overlong key codes all do that. It also takes the
terminal's size from the environment, where a shell has exported it once and for all, and draws on
the standard error, which `2> file` sends elsewhere.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
from codecs import getincrementaldecoder
from typing import TYPE_CHECKING, Any

from textual import events
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.message import Message

if TYPE_CHECKING or sys.platform != "win32":
    from textual.drivers.linux_driver import LinuxDriver

    READ_BYTES = 4096
    SELECT_S = 0.1
    NO_CHARACTER = "\ufffd"  # stands for bytes that are no UTF-8

    def _read_or_none(file: int) -> bytes | None:
        """What a terminal sends; None once it is gone, which Linux reports as an error."""
        try:
            return os.read(file, READ_BYTES)
        except OSError:
            return None

    class TerminalDriver(LinuxDriver):
        """Textual's driver for terminals, with an input thread that no input can end."""

        def __init__(
            self,
            app: App[Any],
            *,
            debug: bool = False,
            mouse: bool = True,
            size: tuple[int, int] | None = None,
        ) -> None:
            super().__init__(app, debug=debug, mouse=mouse, size=size)
            self._file = sys.__stdout__  # `open_dashboard` asks it to be a terminal

        def run_input_thread(self) -> None:
            """Read, decode and dispatch input until the driver stops."""
            decode = getincrementaldecoder("utf-8")("replace").decode
            parser = XTermParser(self._debug)
            with selectors.SelectSelector() as selector:
                selector.register(self.fileno, selectors.EVENT_READ)
                while not self.exit_event.is_set():
                    text = ""
                    if selector.select(SELECT_S):
                        data = _read_or_none(self.fileno)
                        if not data:
                            # The terminal is gone. Some do not say so by SIGHUP, and reading on
                            # would never wait again.
                            os.kill(os.getpid(), signal.SIGHUP)
                            return
                        text = decode(data)
                    try:
                        found = [*(parser.feed(text) if text else ()), *parser.tick()]
                    except (ValueError, ArithmeticError):  # a key code or size that cannot be
                        parser = XTermParser(self._debug)
                        continue
                    for message in found:
                        self.process_message(message)

        def _get_terminal_size(self) -> tuple[int, int]:
            """Columns and rows of the terminal; COLUMNS and LINES do not follow its window."""
            try:
                size = os.get_terminal_size(self.fileno)
            except OSError:
                return super()._get_terminal_size()
            return size if all(size) else super()._get_terminal_size()

        def process_message(self, message: Message) -> None:
            """Drop what is no character, in keys and in pasted text."""
            if isinstance(message, events.Key) and message.character == NO_CHARACTER:
                return
            if isinstance(message, events.Paste):
                message.text = message.text.replace(NO_CHARACTER, "")
            super().process_message(message)
