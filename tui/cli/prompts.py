"""Questions a command asks on the terminal: trust a host key, the password, install a key."""

from __future__ import annotations

import getpass
import sys
import threading
from typing import Any

from sovdeck.engine.contract.catalogue import text
from sovdeck.remote.hosts.known_hosts import HostKey
from sovdeck.remote.secret import Secret
from sovdeck.tui.cli.console import Console

_YES = ("y", "yes", "是")


class TerminalDialog:
    """Asks on the terminal; without a terminal it asks nothing, so scripts never hang.

    Servers may connect in parallel: a lock keeps their questions apart.
    install_key, keep_password: answers given in advance by options.
    """

    def __init__(
        self, console: Console, *, install_key: bool = False, keep_password: bool = False
    ) -> None:
        self._console = console
        self._install_key, self._keep_password = install_key, keep_password
        self._prompt_lock = threading.Lock()

    @property
    def can_ask(self) -> bool:
        """Whether a person can be asked: standard input is a terminal and output is not JSON."""
        return sys.stdin.isatty() and not self._console.json_output

    def host_key(self, key: HostKey, host: str, known_since: str) -> bool:
        """Show a key's type and fingerprint and ask whether to trust it."""
        question = text("tui.cli.trust_it").get(self._console.language)
        message = "tui.cli.changed_host_key" if known_since else "tui.cli.new_host_key"
        facts = {"type": key.key_type, "fingerprint": key.fingerprint}
        with self._prompt_lock:
            self._console.print_message(message, host=host, since=known_since, **facts)
            return self._console.ask(question).strip().lower() in _YES

    def install_key(self, server: str) -> bool:
        """Ask whether to install our public key on the server."""
        return self._install_key or (
            not self._keep_password and self._confirm("tui.cli.offer_key", server)
        )

    def keep_password(self, server: str) -> bool:
        """Ask whether to keep the password in the system's keyring."""
        return self._keep_password or self._confirm("tui.cli.offer_keep", server)

    def _confirm(self, key: str, server: str) -> bool:
        return self.confirm(key, name=server)

    def confirm(self, key: str, **facts: Any) -> bool:
        """Ask a yes-or-no question of the catalogue; no where there is nobody to ask."""
        if not self.can_ask:
            return False
        question = text(key, **facts).get(self._console.language)
        with self._prompt_lock:
            return self._console.ask(question).strip().lower() in _YES

    def secret(self, server: str, prompt: str, *, again: bool = False) -> Secret | None:
        """Ask for a password without echo; None when nothing was typed."""
        with self._prompt_lock:
            # One line, so that nothing below it looks like a question of ours.
            asked = " ".join(prompt.split()) or "Password:"
            if again:
                self._console.print_message("tui.cli.secret_refused")
            typed = self._console.ask(f"{server}: {asked} ", getpass.getpass)
        return Secret(typed) if typed else None


class PipedDialog(TerminalDialog):
    """Answers with a password read from standard input; refuses unknown host keys."""

    def __init__(
        self,
        console: Console,
        password: str,
        *,
        install_key: bool = False,
        keep_password: bool = False,
    ) -> None:
        super().__init__(console, install_key=install_key, keep_password=keep_password)
        self._password = password

    @property
    def can_ask(self) -> bool:
        """Always true: the password is there."""
        return True

    def host_key(self, key: HostKey, host: str, known_since: str) -> bool:
        """Refuse: nobody can compare the fingerprint."""
        return False

    def secret(self, server: str, prompt: str, *, again: bool = False) -> Secret | None:
        """The piped password, once: a wrong one is not sent again."""
        # Sent once: a wrong one is not tried again.
        password, self._password = self._password, ""
        return Secret(password) if password else None

    def _confirm(self, key: str, server: str) -> bool:
        return False
