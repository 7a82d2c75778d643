"""ed25519 key pairs of our own, and putting the public half on a server."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.contract.problem import ExitCode, Problem
from remote.agent import script
from remote.session import Session

PASSWORD_METHODS = ("password", "keyboard-interactive")


def public_path(private: Path) -> Path:
    """Where the public half of a key file lies."""
    return private.with_name(private.name + ".pub")


def make_key(path: Path, comment: str = "sovdeck") -> Path:
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
    _write(path, private)
    _write(public_path(path), public + f" {comment}\n".encode())
    return path


def ensure_key(path: Path, comment: str = "sovdeck") -> str:
    """The public line of the key at `path`, made when there is none yet."""
    if not (path.exists() and public_path(path).exists()):
        make_key(path, comment)
    return public_path(path).read_text(encoding="utf-8").strip()


def should_offer(link: Session) -> bool:
    """Whether this log-in needed a person, so that a key would spare the next one."""
    return link.method in PASSWORD_METHODS


def install_key(link: Session, public_line: str) -> bool:
    """Let the key in from now on; False when the server knew it already. Safe to repeat."""
    result = link.run(
        ["sh", "-s", "--", public_line, " ".join(public_line.split()[:2])],
        stdin=script("link_install_key.sh").encode(),
    )
    answer = result.out.decode(errors="replace").strip().rpartition("\n")[2]
    if result.code or answer not in ("added", "present"):
        raise Problem(
            "remote.auth.key_not_installed",
            ExitCode.REFUSED,
            server=link.name,
            why=result.err.decode(errors="replace").strip()[-120:] or f"exit {result.code}",
        )
    return answer == "added"


def _write(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    with os.fdopen(handle, "wb") as out:
        out.write(data)
    Path(temporary).replace(path)
