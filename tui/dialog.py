"""Questions a verb asks on the terminal: is this the right host key, what is the password."""

from __future__ import annotations

import getpass
import sys
import threading

from engine.contract.catalogue import text
from remote.secrets import Secret
from tui.console import Console

_YES = ("y", "yes", "是")


class TerminalDialog:
    """Asks a person; without a terminal nobody can be asked, and scripts never hang.

    Several servers may be connected at once; their questions come one after the other.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._asking = threading.Lock()

    @property
    def can_ask(self) -> bool:
        return sys.stdin.isatty() and not self._console.json_output

    def host_key(self, fingerprint: str, host: str) -> bool:
        question = text("tui.cli.trust_it").get(self._console.language)
        with self._asking:
            self._console.say("tui.cli.new_host_key", host=host, fingerprint=fingerprint)
            return input(question).strip().lower() in _YES

    def install_key(self, server: str) -> bool:
        return self._agrees("tui.cli.offer_key", server)

    def keep_password(self, server: str) -> bool:
        return self._agrees("tui.cli.offer_keep", server)

    def _agrees(self, key: str, server: str) -> bool:
        if not self.can_ask:
            return False
        question = text(key, name=server).get(self._console.language)
        with self._asking:
            return input(question).strip().lower() in _YES

    def secret(self, server: str, prompt: str) -> Secret | None:
        with self._asking:
            typed = getpass.getpass(f"{server}: {prompt.strip() or 'Password:'} ")
        return Secret(typed) if typed else None
