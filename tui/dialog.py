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

    install, keep: answers given beforehand to whether a key is installed, the password kept.
    """

    def __init__(self, console: Console, *, install: bool = False, keep: bool = False) -> None:
        self._console = console
        self._install, self._keep = install, keep
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
        return self._install or (not self._keep and self._agrees("tui.cli.offer_key", server))

    def keep_password(self, server: str) -> bool:
        return self._keep or self._agrees("tui.cli.offer_keep", server)

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


class PipedDialog(TerminalDialog):
    """Holds a password that came over our input. Nobody is there to judge a host key."""

    def __init__(
        self, console: Console, password: str, *, install: bool = False, keep: bool = False
    ) -> None:
        super().__init__(console, install=install, keep=keep)
        self._password = password

    @property
    def can_ask(self) -> bool:
        return True

    def host_key(self, fingerprint: str, host: str) -> bool:
        return False

    def secret(self, server: str, prompt: str) -> Secret | None:
        # Given once: a wrong one is not sent again.
        password, self._password = self._password, ""
        return Secret(password) if password else None

    def _agrees(self, key: str, server: str) -> bool:
        return False
