"""Keys that only an agent holds, however the configuration names them, as ssh(1) uses them."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import paramiko
import pytest
from scripted_sshd import Build, House, Rules, write_key

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.auth.credentials import Credentials
from sovdeck.remote.secret import Secret
from sovdeck.remote.ssh import paramiko_internals
from sovdeck.remote.ssh.client import HostKeyPolicy, SSHConnection


@pytest.fixture
def agent(tmp_path: Path, no_agent: None) -> Iterator[Path]:
    """A running ssh-agent that is not in SSH_AUTH_SOCK; returns its socket."""
    place = tmp_path / "agent.sock"
    try:
        process = subprocess.Popen(
            ["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.PIPE, text=True
        )
    except FileNotFoundError:
        pytest.skip("no ssh-agent on this machine")
    assert process.stdout is not None
    process.stdout.readline()  # it listens
    yield place
    process.terminate()
    process.wait(60)
    process.stdout.close()


def hold(agent: Path, folder: Path, name: str) -> asyncssh.SSHKey:
    """Write a new key pair, and let the agent hold it."""
    key = write_key(folder / name)
    key.write_public_key(folder / f"{name}.pub")
    (folder / name).chmod(0o600)
    environment = {"SSH_AUTH_SOCK": str(agent), "PATH": "/usr/bin:/bin"}
    subprocess.run(
        ["ssh-add", "-q", str(folder / name)], env=environment, check=True, capture_output=True
    )
    return key


def connect(house: House, folder: Path, password: str = "", **changes: object) -> SSHConnection:
    trust = HostKeyPolicy(
        folder / "known_hosts", accepted_fingerprints=frozenset({house.fingerprint})
    )
    credentials = Credentials(default_keys=False, password=Secret(password) if password else None)
    return SSHConnection.connect(
        house.spec(**changes), trust=trust, credentials=credentials, timeout=10
    )


def test_a_public_file_names_which_of_the_agents_keys_is_meant(
    house: Build, agent: Path, tmp_path: Path
) -> None:
    for number in range(7):
        hold(agent, tmp_path, f"other{number}")
    key = hold(agent, tmp_path, "mine")
    (tmp_path / "mine").unlink()
    here = house(Rules(keys=(key,)))
    for name in ("mine.pub", "mine"):
        with connect(
            here,
            tmp_path,
            identity=(str(tmp_path / name),),
            identity_agent=str(agent),
            only_identity=True,
        ) as connection:
            assert connection.method == "publickey"
    assert set(here.rules.offered) == {"publickey"}
    assert len(here.rules.offered) <= 4, "only the named key is offered, asked about and signed"


def test_an_agent_signs_only_with_a_key_that_will_do(
    house: Build, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [hold(agent, tmp_path, f"key{number}") for number in range(4)]
    here = house(Rules(keys=(keys[2],)))
    signed: list[bytes] = []
    sign = paramiko.AgentKey.sign_ssh_data

    def count(self: paramiko.AgentKey, data: bytes, algorithm: str | None = None) -> bytes:
        signed.append(self.asbytes())
        return sign(self, data, algorithm)

    monkeypatch.setattr(paramiko.AgentKey, "sign_ssh_data", count)
    connect(here, tmp_path, identity_agent=str(agent)).close()
    assert signed == [keys[2].public_data], "others would have asked their owner for nothing"


def test_identity_agent_none_asks_no_agent(
    house: Build, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = hold(agent, tmp_path, "mine")
    here = house(Rules(keys=(key,)))
    monkeypatch.setenv("MY_AGENT", str(agent))
    connect(here, tmp_path, identity_agent="$MY_AGENT").close()
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    connect(here, tmp_path).close()
    with pytest.raises(Problem) as caught:
        connect(here, tmp_path, identity_agent="none")
    assert caught.value.key == "remote.auth.refused"


def test_a_missing_key_file_does_not_stop_the_next_way(
    house: Build, tmp_path: Path, no_agent: None
) -> None:
    here = house(Rules(password="open"))
    missing = str(tmp_path / "gone")
    with connect(here, tmp_path, "open", identity=(missing,)) as connection:
        assert connection.method == "password"


def test_an_agent_that_never_answers_is_named(
    house: Build, tmp_path: Path, no_agent: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paramiko_internals, "_AGENT_LIST_S", 0.2)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "deaf.sock"))
    listener.listen()
    here = house(Rules(keys=(asyncssh.generate_private_key("ssh-ed25519"),)))
    with pytest.raises(Problem) as caught:
        connect(here, tmp_path, identity_agent=str(tmp_path / "deaf.sock"))
    assert "agent (no answer in" in caught.value.sentence()
    listener.close()
