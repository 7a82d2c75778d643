"""From a first log-in by password to one that asks nobody: a key of ours, or the keyring."""

from __future__ import annotations

import getpass
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from remote.credentials import AskSecret, Credentials, Keychain
from remote.keyfile import ensure_key, install_key, should_offer
from remote.login import account_of
from remote.secrets import Secret
from remote.session import Session

Outcome = Literal["nothing", "key", "kept"]


class Keeper(Keychain, Protocol):
    """A keychain that can also be written; see `remote.keychain.SystemKeychain`."""

    def keep(self, account: str, secret: Secret) -> None: ...


class Offer(Protocol):
    """Questions after a log-in by password; the answer may be no."""

    def install_key(self, server: str) -> bool: ...
    def keep_password(self, server: str) -> bool: ...


@dataclass
class Welcome:
    """Credentials of this laptop that learn from what a person typed.

    key: our own private key file, offered to servers once it exists. ask: None never asks.
    """

    key: Path
    keychain: Keeper
    ask: AskSecret | None = None
    _typed: dict[str, Secret] = field(default_factory=dict, repr=False)

    def credentials(self) -> Credentials:
        """What to connect with: our key beside the user's own, the keyring, then the person."""
        own = (self.key,) if self.key.exists() else ()
        ask = self._ask if self.ask else None
        return Credentials(identities=own, keychain=self.keychain, ask=ask)

    def settle(self, link: Session, offer: Offer) -> Outcome:
        """After connecting: offer what spares the next question. Safe to call every time."""
        typed = self._typed.pop(link.name, None)
        if not should_offer(link):
            return "nothing"
        if offer.install_key(link.name):
            install_key(link, ensure_key(self.key, "sovdeck"))
            return "key"
        if typed is not None and link.method == "password" and offer.keep_password(link.name):
            user = link.spec.user or getpass.getuser()
            self.keychain.keep(account_of(link.spec, user), typed)
            return "kept"
        return "nothing"

    def _ask(self, server: str, prompt: str) -> Secret | None:
        assert self.ask is not None
        answer = self.ask(server, prompt)
        if answer is not None and not prompt.startswith("Passphrase"):
            self._typed[server] = answer
        return answer
