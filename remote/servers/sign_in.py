"""Signing in: passwords are remembered, then a key or the keyring spares the next question."""

from __future__ import annotations

import getpass
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.authenticate import keyring_account
from sovdeck.remote.auth.credentials import Credentials, Keyring
from sovdeck.remote.auth.keypair import ensure_key
from sovdeck.remote.hosts.host_key_policy import HostKeyPolicy
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.install_key import install_key, should_offer_key
from sovdeck.remote.ssh.base_connection import BaseConnection
from sovdeck.remote.ssh.client import SSHConnection

OfferOutcome = Literal["nothing", "key", "kept"]

_REUSABLE_PROMPT = re.compile(r"passphrase|password|\u5bc6\u7801", re.IGNORECASE)


# How often a person may type, as with ssh. Each time is a connection of its own with one password,
# so that the server's limit of attempts is never reached.
_ATTEMPTS = 3


class AskPerson(Protocol):
    """Asks a person for a password, a passphrase or a code; None gives up."""

    def __call__(self, server: str, prompt: str, *, again: bool = False) -> Secret | None:
        """again: what was typed before was refused."""


class WritableKeyring(Keyring, Protocol):
    """A keyring that can also be written; see `remote.auth.keyring_store.SystemKeyring`."""

    def set_password(self, account: str, secret: Secret) -> None:
        """Store the password of a log-in; Problem when there is no safe place for it."""

    def delete_password(self, account: str) -> bool:
        """Remove it; False when there was none."""


def is_reusable_prompt(prompt: str) -> bool:
    """Whether a prompt may be answered again from memory. A one-time code may not."""
    return _REUSABLE_PROMPT.search(prompt) is not None


class KeyInstallOffer(Protocol):
    """Questions after a log-in by password; the answer may be no."""

    def install_key(self, server: str) -> bool:
        """Whether our public key is to be installed on the server."""

    def keep_password(self, server: str) -> bool:
        """Whether the password is to be stored in the keyring."""


@dataclass
class SignIn:
    """Opens connections, asking a person nothing twice but what was refused. For any thread.

    key: our own private key file, offered to servers once it exists.
    Passwords and passphrases stay in memory for the next connections (a transfer opens several),
    until the server refuses.
    """

    key: Path
    keyring: WritableKeyring
    _answers: dict[tuple[str, str], Secret] = field(default_factory=dict, repr=False)
    _prompted: set[str] = field(default_factory=set)  # servers for which a person typed something
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def connect(
        self,
        spec: HostSpec,
        trust: HostKeyPolicy,
        ask: AskPerson | None,
        *,
        timeout: float = 15.0,
    ) -> SSHConnection:
        """Connect with the user's keys and ours, the keyring, and what a person types.

        ask: None where nobody can be asked; earlier answers still count. Where what a person typed
        is refused, it is asked for again.
        """
        refusal: Problem | None = None
        for _ in range(_ATTEMPTS):
            typed: list[str] = []
            try:
                return self._connect_once(spec, trust, ask, refusal is not None, typed, timeout)
            except Problem as problem:
                if problem.exit_code is not ExitCode.REFUSED:
                    raise
                self._forget_answers(spec.name)
                if not typed:
                    raise refusal or problem from None
                refusal = problem
        assert refusal is not None
        raise refusal

    def _connect_once(
        self,
        spec: HostSpec,
        trust: HostKeyPolicy,
        ask: AskPerson | None,
        again: bool,
        typed: list[str],
        timeout: float,
    ) -> SSHConnection:
        """One connection; `typed` is given the prompts that a person answered."""

        def answer(server: str, prompt: str) -> Secret | None:
            return self._answer(ask, server, prompt, again, typed)

        credentials = Credentials(
            identities=(self.key,) if self.key.exists() else (),
            keyring=self.keyring,
            prompt=answer if ask or self._answers else None,
        )
        return SSHConnection.connect(spec, trust=trust, credentials=credentials, timeout=timeout)

    def offer_passwordless(
        self, connection: BaseConnection, offer: KeyInstallOffer, *, wanted: bool = False
    ) -> OfferOutcome:
        """Offer to install a key, or else to store the password. Safe to call after every log-in.

        Only where a person typed something, or `wanted`: a person asked for this offer. Returns
        "key", "kept" (the password) or "nothing".
        """
        if not should_offer_key(connection) or not (wanted or connection.name in self._prompted):
            return "nothing"
        if offer.install_key(connection.name):
            install_key(connection, ensure_key(self.key, "sovdeck"))
            return "key"
        account = _account(connection.spec)
        typed = self._typed_password(connection.name)
        if typed is None or self.keyring.get_password(account) == typed:
            return "nothing"
        if not offer.keep_password(connection.name):
            return "nothing"
        self.keyring.set_password(account, typed)
        return "kept"

    def forget_password(self, spec: HostSpec) -> bool:
        """Forget the stored password of a log-in; False when there was none."""
        self._forget_answers(spec.name)
        return self.keyring.delete_password(_account(spec))

    def _answer(
        self, ask: AskPerson | None, server: str, prompt: str, again: bool, typed: list[str]
    ) -> Secret | None:
        with self._lock:  # connections opened at once wait for one answer
            known = self._answers.get((server, prompt))
            if known is not None or ask is None:
                return known
            answer = ask(server, prompt, again=again)
            self._prompted.add(server)
            if answer is not None:
                typed.append(prompt)
            if answer is not None and is_reusable_prompt(prompt):
                self._answers[server, prompt] = answer
            return answer

    def _typed_password(self, server: str) -> Secret | None:
        with self._lock:
            for (name, prompt), answer in self._answers.items():
                if name == server and "passphrase" not in prompt.lower():
                    return answer
        return None

    def _forget_answers(self, server: str) -> None:
        with self._lock:
            self._answers = {key: v for key, v in self._answers.items() if key[0] != server}


def _account(spec: HostSpec) -> str:
    return keyring_account(spec, spec.user or getpass.getuser())
