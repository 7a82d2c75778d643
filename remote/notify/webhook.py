"""Posts JSON to an address that is a secret: it comes from the keyring and is shown nowhere."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.credentials import Keyring
from sovdeck.remote.http_json import RefuseRedirects
from sovdeck.remote.secret import Secret

_TIMEOUT_S = 10.0
_OPENER = urllib.request.build_opener(RefuseRedirects)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def webhook_account(name: str) -> str:
    """Return the keyring's account name for a webhook."""
    return f"webhook:{name}"


def check_address(address: Secret) -> Secret:
    """Return an address that can be posted to; plain http only on this computer.

    Problem `remote.webhook.bad_address` for any other.
    """
    try:
        parts = urlsplit(address.reveal())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    plain = host in _LOOPBACK
    if not host or parts.scheme not in ("https", *(["http"] if plain else [])):
        raise Problem("remote.webhook.bad_address", ExitCode.CONFIG)
    return address


def find_address(name: str, keyring: Keyring) -> Secret:
    """Return the address stored under `name`; Problem where there is none."""
    found = keyring.get_password(webhook_account(name))
    if found is None:
        raise Problem("remote.webhook.not_kept", ExitCode.CONFIG, name=name)
    return found


def post_json(name: str, address: Secret, record: Mapping[str, Any]) -> None:
    """Post `record`; Problem UNREACHABLE or REFUSED, in which the address does not appear."""
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked
        check_address(address).reveal(),
        json.dumps(record, ensure_ascii=False).encode(),
        {"Content-Type": "application/json; charset=utf-8", "User-Agent": "sovdeck"},
        method="POST",
    )
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_S):
            return
    except urllib.error.HTTPError as error:
        status = error.code
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        why = type(reason).__name__ if isinstance(reason, BaseException) else "?"
        # Neither text nor cause is passed on: both may hold the address.
        raise Problem(
            "remote.webhook.unreachable", ExitCode.UNREACHABLE, name=name, why=why
        ) from None
    raise Problem("remote.webhook.refused", ExitCode.REFUSED, name=name, status=status)
