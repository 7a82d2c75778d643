"""Where sovdeck keeps its own files on the laptop. `SOVDECK_HOME` moves them all (tests, demo)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_data_path


@dataclass(frozen=True)
class AppPaths:
    """Folders of this laptop; nothing is created until something is written."""

    config_folder: Path
    data_folder: Path
    cache_folder: Path

    @classmethod
    def locate(cls) -> AppPaths:
        """Return the folders of this system, or those below `SOVDECK_HOME`."""
        home = os.environ.get("SOVDECK_HOME")
        if home:
            return cls.below(Path(home))
        return cls(
            user_config_path("sovdeck"),
            user_data_path("sovdeck"),
            user_cache_path("sovdeck", ensure_exists=False),
        )

    @classmethod
    def below(cls, home: Path) -> AppPaths:
        """Return folders that all lie below `home`."""
        return cls(home / "config", home / "data", home / "cache")

    @property
    def servers_file(self) -> Path:
        """Servers added with `sovdeck server add`; same schema as deploy.toml."""
        return self.config_folder / "servers.toml"

    @property
    def known_hosts(self) -> Path:
        """Host keys pinned by us."""
        return self.config_folder / "known_hosts"

    @property
    def bench_rows(self) -> Path:
        """What `sovdeck bench` measured, one signed JSON row a line."""
        return self.data_folder / "bench.jsonl"

    @property
    def private_key(self) -> Path:
        """Our own private key, made when a person first lets us install it on a server."""
        return self.config_folder / "keys" / "id_ed25519"

    @property
    def ssh_hosts_file(self) -> Path:
        """Our servers as Host blocks, for the user's ~/.ssh/config to include."""
        return self.config_folder / "ssh_hosts"

    @property
    def ssh_config_file(self) -> Path:
        """What `ssh -F` is given: our servers, then the user's own configuration."""
        return self.config_folder / "ssh_config"

    @property
    def machine_ids_file(self) -> Path:
        """The ids of servers met before; see `sovdeck.remote.servers.machine_id`."""
        return self.data_folder / "identities.json"

    @property
    def ended_runs_folder(self) -> Path:
        """What the events of ended runs come to; see `sovdeck.remote.servers.ended_runs`."""
        return self.cache_folder / "runs"

    @property
    def engine_ends_folder(self) -> Path:
        """The last words of engines that ended; see `sovdeck.remote.speech.engine_end`."""
        return self.cache_folder / "engine_ends"

    @property
    def clips_folder(self) -> Path:
        """What recordings measured; see `sovdeck.remote.voices.clip_measuring`."""
        return self.cache_folder / "clips"

    @property
    def leases_file(self) -> Path:
        """What was rented; see `sovdeck.remote.rent.leases`."""
        return self.data_folder / "leases.jsonl"

    @property
    def embedded_folder(self) -> Path:
        """Work folder and host key of the embedded local server."""
        return self.data_folder / "embedded"
