"""Reading a private key file, whatever ssh-keygen or an older tool wrote.

The SSH library's own parser does not know every cipher ssh-keygen offers (`-Z aes256-gcm`), nor
every writer's padding. What is read here is handed on in one plain form, in memory only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from sovdeck.remote.auth.authenticate import BadKey, NeedsPassphrase
from sovdeck.remote.secret import Secret

_KEY_CLASSES: dict[str, type[Any]] = {
    "ed25519": ed25519.Ed25519PrivateKey,
    "ecdsa": ec.EllipticCurvePrivateKey,
    "rsa": rsa.RSAPrivateKey,
}


def read_private_key(path: Path, passphrase: Secret | None) -> tuple[str, str]:
    """Return (kind, OpenSSH text without encryption); kind is ed25519, ecdsa or rsa.

    Raises NeedsPassphrase for a locked file when none was given, else BadKey with the reason.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadKey(error.strerror or type(error).__name__) from None
    key = _parse_key(data, passphrase.reveal().encode() if passphrase else None)
    for kind, key_class in _KEY_CLASSES.items():
        if isinstance(key, key_class):
            text = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
            return kind, text.decode("ascii")
    raise BadKey("this kind of key is no longer safe; use ed25519")


def _parse_key(data: bytes, passphrase: bytes | None) -> Any:
    openssh = b"BEGIN OPENSSH PRIVATE KEY" in data
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        return load(data, passphrase)
    except TypeError:
        # How cryptography says "encrypted, and no password was given".
        raise NeedsPassphrase from None
    except UnsupportedAlgorithm:
        raise BadKey("its kind or its encryption is not supported") from None
    except ValueError:
        why = "it is no private key" if passphrase is None else "the passphrase does not fit"
        raise BadKey(why) from None
