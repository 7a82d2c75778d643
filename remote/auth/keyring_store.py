"""Passwords kept in the system's own keyring, never in a file of ours."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.secret import Secret

SERVICE = "sovdeck"
# A locked keyring asks a person in a window of its own; one on a machine without a screen, or
# whose service hangs, never answers.
_ANSWER_S = 30.0
# These write passwords into plain or home-made encrypted files.
_REFUSED_BACKENDS = ("keyrings.alt", "keyring.backends.null", "keyring.backends.fail")


class KeyringUnusable(Exception):
    """The keyring did not answer in time, or failed in a way of its own; holds no secret."""


class SystemKeyring:
    """Implements `sovdeck.remote.auth.credentials.Keyring` over the keyring package.

    Accounts are `user@host:port` (see `sovdeck.remote.auth.authenticate.keyring_account`). Reading
    never fails: a locked, missing or silent keyring means that a person is asked instead. One that
    was silent once is not asked again.
    """

    def __init__(self) -> None:
        self._silent = False

    def get_password(self, account: str) -> Secret | None:
        """Return the stored password, or None."""
        from keyring.errors import KeyringError

        try:
            text = self._ask(lambda backend: backend.get_password(SERVICE, account))
        except (KeyringError, KeyringUnusable) as error:
            logging.getLogger(__name__).info("the keyring did not answer: %s", type(error).__name__)
            return None
        return Secret(text) if text else None

    def set_password(self, account: str, secret: Secret) -> None:
        """Store a password; Problem `remote.auth.no_keyring` without a safe keyring."""
        from keyring.errors import KeyringError

        def store(backend: Any) -> bool:
            backend.set_password(SERVICE, account, secret.reveal())
            return True

        try:
            stored, why = self._ask(store), text("remote.auth.no_backend")
        except (KeyringError, KeyringUnusable) as error:
            # The text of a backend's own error may hold what it was given.
            said = str(error) if isinstance(error, KeyringUnusable) else type(error).__name__
            stored, why = False, Text(said, said)
        if not stored:
            raise Problem("remote.auth.no_keyring", ExitCode.CONFIG, why=why)

    def delete_password(self, account: str) -> bool:
        """Delete a password; False when there was none, or no keyring."""
        from keyring.errors import PasswordDeleteError

        def delete(backend: Any) -> bool:
            backend.delete_password(SERVICE, account)
            return True

        try:
            return bool(self._ask(delete))
        except PasswordDeleteError:
            return False
        except KeyringUnusable as error:
            raise Problem("remote.auth.no_keyring", ExitCode.CONFIG, why=str(error)) from None

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        """Return the safe backend's answer, None without one; KeyringUnusable when none comes."""
        from keyring.errors import KeyringError

        answers: queue.Queue[tuple[Any, Exception | None]] = queue.Queue()

        def ask() -> None:
            try:
                backend = _find_safe_backend()
                answers.put((None if backend is None else question(backend), None))
            except Exception as error:  # noqa: BLE001 - handed on to the asking thread
                answers.put((None, error))

        if not self._silent:
            threading.Thread(target=ask, name="keyring", daemon=True).start()
            try:
                answer, error = answers.get(timeout=_ANSWER_S)
            except queue.Empty:
                self._silent = True
            else:
                if isinstance(error, KeyringError):
                    raise error
                if error is not None:  # of a service behind it, or of the backend itself
                    raise KeyringUnusable(f"it failed with {type(error).__name__}") from None
                return answer
        raise KeyringUnusable(f"it did not answer within {_ANSWER_S:.0f} s")


def _find_safe_backend() -> Any:
    """Return the first safe backend, or None (headless Linux often has none)."""
    import keyring  # slow to import: looks through every installed backend

    chosen = keyring.get_keyring()
    for backend in getattr(chosen, "backends", None) or [chosen]:
        if not type(backend).__module__.startswith(_REFUSED_BACKENDS):
            return backend
    return None
