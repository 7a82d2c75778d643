"""Where sovdeck keeps its own files on the laptop. `SOVDECK_HOME` moves them all (tests, demo)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_config_path, user_data_path


@dataclass(frozen=True)
class Places:
    """Folders of this laptop; nothing is created until something is written."""

    config: Path
    data: Path

    @classmethod
    def find(cls) -> Places:
        home = os.environ.get("SOVDECK_HOME")
        if home:
            return cls(Path(home) / "config", Path(home) / "data")
        return cls(user_config_path("sovdeck"), user_data_path("sovdeck"))

    @property
    def servers(self) -> Path:
        """Servers added with `sovdeck server add`; same schema as deploy.toml."""
        return self.config / "servers.toml"

    @property
    def known_hosts(self) -> Path:
        return self.config / "known_hosts"

    @property
    def key(self) -> Path:
        """Our own private key, made when a person first lets us install it on a server."""
        return self.config / "keys" / "id_ed25519"

    @property
    def ssh_hosts(self) -> Path:
        """Our servers as Host blocks, for the user's ~/.ssh/config to include."""
        return self.config / "ssh_hosts"

    @property
    def ssh_config(self) -> Path:
        """What `ssh -F` is given: our servers, then the user's own configuration."""
        return self.config / "ssh_config"

    @property
    def identities(self) -> Path:
        """The ids of servers met before; see `remote.acquaintance`."""
        return self.data / "identities.json"

    @property
    def embedded(self) -> Path:
        """Work folder and host key of the embedded local server."""
        return self.data / "embedded"
