"""Reading the public half of a key, which tells which of an agent's keys a file name means."""

from __future__ import annotations

import base64
from pathlib import Path

from sovdeck.remote.auth.keypair import public_key_path

_MAX_BYTES = 64 << 10


def read_public_blob(path: Path) -> tuple[bytes | None, bool]:
    """Return (public half in wire form, whether `path` itself is a public key file).

    The half stands in `path` or beside it in `path`.pub; None where neither can be read.
    """
    own = _parse_public(path)
    if own is not None:
        return own, True
    return _parse_public(public_key_path(path)), False


def _parse_public(path: Path) -> bytes | None:
    """Parse a line `KIND BASE64 COMMENT`, as ssh-keygen writes it."""
    try:
        with path.open("rb") as file:
            words = file.read(_MAX_BYTES).split(maxsplit=2)
        blob = base64.b64decode(words[1], validate=True)
    except (OSError, IndexError, ValueError):
        return None
    # The blob begins with its kind, a string of RFC 4251.
    return blob if blob[4 : 4 + len(words[0])] == words[0] else None
