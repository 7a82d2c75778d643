"""The token that requests to a served voice must bring: found or asked for, in no argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sovdeck.remote.secret import Secret
from sovdeck.tui.cli.prompts import TerminalDialog

TOKEN_VARIABLE = "SOVDECK_SERVE_TOKEN"  # noqa: S105  the name of the variable
KEYRING_ACCOUNT = "serve-token"


class TokenKeyring(Protocol):
    """What is needed of a keyring."""

    def get_password(self, account: str) -> Secret | None:
        """Return what is kept."""

    def set_password(self, account: str, secret: Secret) -> None:
        """Keep it."""


def find_token(
    environment: Mapping[str, str], keyring: TokenKeyring, dialog: TerminalDialog
) -> Secret | None:
    """Return the token of the environment, else of the keyring, else what a person types.

    None when there is nobody to ask, or nothing is typed. A typed one is kept in the keyring if
    the person agrees.
    """
    given = environment.get(TOKEN_VARIABLE, "").strip()
    if given:
        return Secret(given)
    kept = keyring.get_password(KEYRING_ACCOUNT)
    if kept is not None or not dialog.can_ask:
        return kept
    typed = dialog.secret("sovdeck serve", "Token:")
    if typed is not None and dialog.confirm("tui.serve.keep_token"):
        keyring.set_password(KEYRING_ACCOUNT, typed)
    return typed
