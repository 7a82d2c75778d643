"""Adding our public key to a server's authorized_keys, so that no later log-in asks a person."""

from __future__ import annotations

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.ssh.base_connection import BaseConnection

PASSWORD_METHODS = ("password", "keyboard-interactive")


def should_offer_key(connection: BaseConnection) -> bool:
    """Whether this log-in needed a person, so that a key would spare the next one."""
    return connection.method in PASSWORD_METHODS


def install_key(connection: BaseConnection, public_line: str) -> bool:
    """Add a public key to authorized_keys; False when it was there already.

    Safe to repeat. Problem `remote.auth.key_not_installed` when the server's script failed.
    """
    result = connection.run(
        ["sh", "-s", "--", public_line, " ".join(public_line.split()[:2])],
        stdin=read_script("install_key.sh").encode(),
    )
    answer = result.out.decode(errors="replace").strip().rpartition("\n")[2]
    if result.code or answer not in ("added", "present"):
        raise Problem(
            "remote.auth.key_not_installed",
            ExitCode.REFUSED,
            server=connection.name,
            why=result.err.decode(errors="replace").strip()[-120:] or f"exit {result.code}",
        )
    return answer == "added"
