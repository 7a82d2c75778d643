"""Signatures of this laptop's own key, which anybody can check with its public line alone."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sovdeck.remote.auth.keypair import ensure_key

# SSH servers sign and check other bytes with this key: ours can never be taken for theirs.
_PREFIX = b"sovdeck-bench-row\x00"


def sign(data: bytes, key_file: Path) -> tuple[str, str]:
    """Return (public line, base64 signature) of our own key, made where there is none yet."""
    public = ensure_key(key_file)
    key = serialization.load_ssh_private_key(key_file.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey), "our own key is always of this type"
    kind, blob = public.split()[:2]
    return f"{kind} {blob}", base64.b64encode(key.sign(_PREFIX + data)).decode("ascii")


def fits(data: bytes, public: str, signature: str) -> bool:
    """Whether `signature` was made of `data` by the key of the line `public`."""
    try:
        key = serialization.load_ssh_public_key(public.encode("ascii"))
        if not isinstance(key, Ed25519PublicKey):
            return False
        key.verify(base64.b64decode(signature, validate=True), _PREFIX + data)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, binascii.Error):
        return False
    return True
