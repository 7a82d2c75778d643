"""From a first log-in by password to one that asks nobody: memory, then a key or the keyring."""

from __future__ import annotations

import getpass
import re
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from engine.contract.problem import ExitCode, Problem
from remote.credentials import AskSecret, Credentials, Keychain
from remote.hostspec import HostSpec
from remote.keyfile import ensure_key, install_key, should_offer
from remote.link import Link
from remote.login import account_of
from remote.secrets import Secret
from remote.session import Session
from remote.trust import Trust

Outcome = Literal["nothing", "key", "kept"]

# What may be answered again from memory. A code of the moment may not.
_LASTING = re.compile(r"passphrase|password|\u5bc6\u7801", re.IGNORECASE)


class Keeper(Keychain, Protocol):
    """A keychain that can also be written; see `remote.keychain.SystemKeychain`."""

    def keep(self, account: str, secret: Secret) -> None: ...
    def drop(self, account: str) -> bool: ...


class Offer(Protocol):
    """Questions after a log-in by password; the answer may be no."""

    def install_key(self, server: str) -> bool: ...
    def keep_password(self, server: str) -> bool: ...


@dataclass
class Welcome:
    """Opens links, asking a person each question at most once. Callable from any thread.

    key: our own private key file, offered to servers once it exists.
    Passwords and passphrases stay in memory for the next links (a transfer opens several), until
    the server refuses.
    """

    key: Path
    keychain: Keeper
    _answers: dict[tuple[str, str], Secret] = field(default_factory=dict, repr=False)
    _asked: set[str] = field(default_factory=set)  # servers for which a person typed something
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def connect(
        self, spec: HostSpec, trust: Trust, ask: AskSecret | None, *, timeout: float = 15.0
    ) -> Link:
        """Connect with the user's keys and ours, the keyring, and what a person types.

        ask: None where nobody can be asked; earlier answers still count.
        """
        credentials = Credentials(
            identities=(self.key,) if self.key.exists() else (),
            keychain=self.keychain,
            ask=partial(self._ask, ask) if ask or self._answers else None,
        )
        try:
            return Link.connect(spec, trust=trust, credentials=credentials, timeout=timeout)
        except Problem as problem:
            if problem.exit_code is ExitCode.REFUSED:
                self._forget(spec.name)
            raise

    def settle(self, link: Session, offer: Offer, *, wanted: bool = False) -> Outcome:
        """After connecting: offer what spares the next question. Safe to call every time.

        wanted: a person came for this, so that it is offered also where a kept password was used.
        """
        if not should_offer(link) or not (wanted or link.name in self._asked):
            return "nothing"
        if offer.install_key(link.name):
            install_key(link, ensure_key(self.key, "sovdeck"))
            return "key"
        account = _account(link.spec)
        typed = self._password_of(link.name)
        if typed is None or self.keychain.find(account) == typed:
            return "nothing"
        if not offer.keep_password(link.name):
            return "nothing"
        self.keychain.keep(account, typed)
        return "kept"

    def drop(self, spec: HostSpec) -> bool:
        """Forget the kept password of a login; False when there was none."""
        self._forget(spec.name)
        return self.keychain.drop(_account(spec))

    def _ask(self, ask: AskSecret | None, server: str, prompt: str) -> Secret | None:
        with self._lock:  # links opened at once wait for one answer
            known = self._answers.get((server, prompt))
            if known is not None or ask is None:
                return known
            answer = ask(server, prompt)
            self._asked.add(server)
            if answer is not None and _LASTING.search(prompt):
                self._answers[server, prompt] = answer
            return answer

    def _password_of(self, server: str) -> Secret | None:
        with self._lock:
            for (name, prompt), answer in self._answers.items():
                if name == server and "passphrase" not in prompt.lower():
                    return answer
        return None

    def _forget(self, server: str) -> None:
        with self._lock:
            self._answers = {key: v for key, v in self._answers.items() if key[0] != server}


def _account(spec: HostSpec) -> str:
    return account_of(spec, spec.user or getpass.getuser())
