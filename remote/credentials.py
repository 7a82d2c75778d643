"""What may be offered to a server, and who is asked when nothing fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from remote.secrets import Secret


class Keychain(Protocol):
    """Where passwords are kept between sessions; see `remote.keychain`."""

    def find(self, account: str) -> Secret | None: ...


# (server name, prompt) -> answer; None means the person gave up.
AskSecret = Callable[[str, str], "Secret | None"]

DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


@dataclass(frozen=True)
class Credentials:
    """Ways to prove who we are, in the order they are tried.

    identities: private key files tried before everything else (beside `HostSpec.identity`).
    use_agent: offer the keys of a running ssh agent. default_keys: offer ~/.ssh/id_*.
    password: tried without asking. keychain: asked for a kept password before a person is.
    ask: prompts for passwords, passphrases and keyboard-interactive questions; None never asks.
    """

    identities: Sequence[Path] = ()
    use_agent: bool = True
    default_keys: bool = True
    password: Secret | None = None
    keychain: Keychain | None = None
    ask: AskSecret | None = None
    key_folder: Path | None = None

    def key_files(self, named: Sequence[str]) -> list[tuple[Path, bool]]:
        """Existing-or-named private key files as (path, was it named explicitly)."""
        files: list[tuple[Path, bool]] = []
        for text in named:
            files.append((Path(text).expanduser(), True))
        files += [(path, True) for path in self.identities]
        if self.default_keys:
            folder = self.key_folder or Path.home() / ".ssh"
            files += [(folder / name, False) for name in DEFAULT_KEYS if (folder / name).exists()]
        seen: set[Path] = set()
        return [(p, named) for p, named in files if not (p in seen or seen.add(p))]  # type: ignore[func-returns-value]
