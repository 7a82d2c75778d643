"""Passwords kept in the system's own keyring, never in a file of ours."""

from __future__ import annotations

import logging
from typing import Any

from engine.contract.problem import ExitCode, Problem
from remote.secrets import Secret

SERVICE = "sovdeck"
# These write passwords into plain or home-made encrypted files.
_REFUSED_BACKENDS = ("keyrings.alt", "keyring.backends.null", "keyring.backends.fail")


class SystemKeychain:
    """Implements `remote.credentials.Keychain` over the keyring package.

    Accounts are `user@host:port` (see `remote.login.account_of`). Reading never fails: a locked
    or missing keyring means that a person is asked instead. Keeping says when it cannot.
    """

    def find(self, account: str) -> Secret | None:
        """The kept password, or None."""
        from keyring.errors import KeyringError

        backend = _backend()
        if backend is None:
            return None
        try:
            text = backend.get_password(SERVICE, account)
        except KeyringError as error:
            logging.getLogger(__name__).info("the keyring did not answer: %s", type(error).__name__)
            return None
        return Secret(text) if text else None

    def keep(self, account: str, secret: Secret) -> None:
        """Keep a password; Problem `remote.auth.no_keyring` where the system has no safe place."""
        from keyring.errors import KeyringError

        backend = _backend()
        if backend is None:
            raise Problem("remote.auth.no_keyring", ExitCode.CONFIG, why="-")
        try:
            backend.set_password(SERVICE, account, secret.reveal())
        except KeyringError as error:
            why = type(error).__name__
            raise Problem("remote.auth.no_keyring", ExitCode.CONFIG, why=why) from None

    def drop(self, account: str) -> bool:
        """Forget a password; False when there was none."""
        from keyring.errors import PasswordDeleteError

        backend = _backend()
        if backend is None:
            return False
        try:
            backend.delete_password(SERVICE, account)
        except PasswordDeleteError:
            return False
        return True


def _backend() -> Any:
    """The first safe backend, or None (headless Linux often has none)."""
    import keyring  # slow to import: looks through every installed backend

    chosen = keyring.get_keyring()
    for backend in getattr(chosen, "backends", None) or [chosen]:
        if not type(backend).__module__.startswith(_REFUSED_BACKENDS):
            return backend
    return None
