"""Questions about a login that only a person can answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class HostKeyPrompt:
    """A host key nobody has vouched for. `known_since` is set when another key stood before."""

    server: str
    address: str
    key_type: str
    fingerprint: str
    known_since: str | None = None


@dataclass(frozen=True)
class SecretPrompt:
    """A password or a passphrase is needed; `prompt` is the server's own wording.

    again: what was typed before was refused.
    """

    server: str
    address: str
    prompt: str
    again: bool = False


@dataclass(frozen=True)
class OfferPrompt:
    """After a login by password: offer a key of ours, or to keep it in the keyring."""

    server: str
    offer: Literal["key", "keyring"]
