"""Key pairs of our own, of type ed25519."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sovdeck.engine.contract.atomic_io import write_atomic


def public_key_path(private: Path) -> Path:
    """Return where the public half of a private key file lies."""
    return private.with_name(private.name + ".pub")


def generate_key(path: Path, comment: str = "sovdeck") -> Path:
    """Write a new key pair, the private file readable by its owner only; returns `path`.

    An existing pair is replaced whole, never left half-written.
    """
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, private, mode=0o600, keep_mode=False)
    write_atomic(public_key_path(path), public + f" {comment}\n".encode())
    return path


def ensure_key(path: Path, comment: str = "sovdeck") -> str:
    """Return the public line of the key at `path`, made when there is none yet."""
    if not (path.exists() and public_key_path(path).exists()):
        generate_key(path, comment)
    return public_key_path(path).read_text(encoding="utf-8").strip()
