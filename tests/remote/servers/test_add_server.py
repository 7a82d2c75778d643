"""Adding a server: what a person wanted besides may fail, and the server is saved all the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from scripted_sshd import PASSWORD, Build, Rules

from sovdeck.remote.auth import keyring_store
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.hosts.known_hosts import HostKey
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.add import RegisteredServer, register


@dataclass
class Person:
    """Trusts the host, types the password, and says yes to one offer."""

    wants: str
    can_ask = True

    def host_key(self, key: HostKey, host: str, known_since: str) -> bool:
        return True

    def secret(self, server: str, prompt: str, *, again: bool = False) -> Secret | None:
        return Secret(PASSWORD)

    def install_key(self, server: str) -> bool:
        return self.wants == "key"

    def keep_password(self, server: str) -> bool:
        return self.wants == "keyring"


def add(house: Build, tmp_path: Path, wants: str) -> RegisteredServer:
    """Add a server that lets in by password and takes no key."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".ssh").write_text("no folder: a key cannot be installed")
    here = house(Rules(password=PASSWORD), home=home)
    app_paths = AppPaths.below(tmp_path / "laptop")
    person = Person(wants)
    line = f"ssh -p {here.port} me@127.0.0.1"
    added = register(
        line, load_config(None, app_paths), app_paths, person, name="gpu", offer=person
    )
    assert "gpu" in load_config(None, app_paths).servers
    return added


@pytest.mark.parametrize("wants", ["key", "keyring"])
def test_a_log_in_that_cannot_be_eased_is_told_and_the_server_is_saved(
    house: Build, tmp_path: Path, no_agent: None, monkeypatch: pytest.MonkeyPatch, wants: str
) -> None:
    monkeypatch.setattr(keyring_store, "_find_safe_backend", lambda: None)
    not_eased = add(house, tmp_path, wants).not_eased
    assert not_eased is not None and len(not_eased.sentence()) > 20
    assert (not_eased.key == "remote.auth.no_keyring") == (wants == "keyring")


def test_who_wants_neither_is_told_nothing(house: Build, tmp_path: Path, no_agent: None) -> None:
    assert add(house, tmp_path, "nothing").not_eased is None
