"""What may be offered to a server, and how a person is asked when nothing fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sovdeck.remote.secret import Secret


class Keyring(Protocol):
    """Where passwords are kept between sessions; see `sovdeck.remote.auth.keyring_store`."""

    def get_password(self, account: str) -> Secret | None:
        """Return the stored password of an account, or None."""


# (server name, prompt) -> answer; None means the person gave up.
PromptSecret = Callable[[str, str], "Secret | None"]

DEFAULT_KEY_NAMES = ("id_ed25519", "id_ecdsa", "id_rsa")


@dataclass(frozen=True)
class Credentials:
    """Ways to prove who we are, in the order they are tried.

    identities: private key files tried before everything else (beside `HostSpec.identity`).
    use_agent: offer the keys of a running ssh agent. default_keys: offer ~/.ssh/id_*.
    password: tried without asking. keyring: searched for a stored password before a person is
    asked. prompt: asks a person for passwords, passphrases and the answers of
    keyboard-interactive; None never asks. key_folder: in place of ~/.ssh.
    """

    identities: Sequence[Path] = ()
    use_agent: bool = True
    default_keys: bool = True
    password: Secret | None = None
    keyring: Keyring | None = None
    prompt: PromptSecret | None = None
    key_folder: Path | None = None

    def key_files(self, named: Sequence[str]) -> list[tuple[Path, bool]]:
        """Return private key files as (path, named); default ones only where they exist."""
        files: list[tuple[Path, bool]] = []
        for text in named:
            files.append((Path(text).expanduser(), True))
        files += [(path, True) for path in self.identities]
        if self.default_keys:
            folder = self.key_folder or Path.home() / ".ssh"
            files += [
                (folder / name, False) for name in DEFAULT_KEY_NAMES if (folder / name).exists()
            ]
        seen: set[Path] = set()
        return [(p, named) for p, named in files if not (p in seen or seen.add(p))]  # type: ignore[func-returns-value]
