"""HostKeyAlias, UserKnownHostsFile and StrictHostKeyChecking: typed, configured, followed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from scripted_sshd import PASSWORD, Build, Rules

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.hosts.host_key_options import HostKeyOptions
from sovdeck.remote.hosts.host_key_policy import HostKeyPolicy
from sovdeck.remote.hosts.known_hosts import HostKey, parse_known_hosts
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.hosts.ssh_config import resolve_host_spec
from sovdeck.remote.secret import Secret
from sovdeck.remote.ssh.client import Credentials, SSHConnection

WORD = Credentials(use_agent=False, default_keys=False, password=Secret(PASSWORD))
CONFIG = """
Host box
    HostName 127.0.0.1
    HostKeyAlias Real-Name
    UserKnownHostsFile "{folder}/one file" {folder}/two
    StrictHostKeyChecking yes
    CertificateFile {folder}/a-cert.pub
    CertificateFile {folder}/b-cert.pub
Host open
    StrictHostKeyChecking no
Host far
    ProxyJump box
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(CONFIG.replace("{folder}", str(tmp_path)))
    return path


def test_the_configuration_is_read(config: Path) -> None:
    folder = config.parent
    spec = resolve_host_spec("box", [config])
    rules = HostKeyOptions("real-name", (f"{folder}/one file", f"{folder}/two"), strict=True)
    assert spec.host_key_options == rules and spec.known_hosts_name == "real-name"
    assert spec.certificates == (f"{folder}/a-cert.pub", f"{folder}/b-cert.pub")
    assert HostSpec.parse(spec.format()) == spec
    assert resolve_host_spec("open", [config]).host_key_options == HostKeyOptions()
    (hop,) = resolve_host_spec("far", [config]).jump
    assert hop.host_key_options == rules and hop.certificates == spec.certificates


def test_what_was_typed_wins(config: Path) -> None:
    spec = resolve_host_spec("ssh -o HostKeyAlias=mine -o UserKnownHostsFile=mine2 box", [config])
    assert spec.host_key_options == HostKeyOptions("mine", ("mine2",), strict=True)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh client on this machine")
def test_openssh_agrees(config: Path) -> None:
    argv = ["ssh", "-G", "-F", str(config), "box"]
    out = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    folder = config.parent
    assert "hostkeyalias Real-Name" in out or "hostkeyalias real-name" in out
    assert f"userknownhostsfile {folder}/one file {folder}/two" in out
    assert f"certificatefile {folder}/a-cert.pub" in out
    # Our own printed line says the same to OpenSSH.
    line = (
        resolve_host_spec("box", [config]).format().partition(" #")[0].replace("ssh ", "ssh -G ", 1)
    )
    again = subprocess.run(
        ["sh", "-c", line.replace("-G", "-G -F /dev/null")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    wanted = ("hostkeyalias", "userknownhostsfile", "certificatefile", "stricthostkeychecking")
    ours, theirs = (
        [x.lower() for x in said if x.lower().startswith(wanted)] for said in (again, out)
    )
    assert sorted(ours) == sorted(theirs)


def test_an_alias_names_the_key_wherever_the_server_is(house: Build, tmp_path: Path) -> None:
    here = house(Rules(password=PASSWORD))
    spec = here.spec(host_key_options=HostKeyOptions("real-name"))
    trust = HostKeyPolicy(tmp_path / "store", ask=lambda _f, place, _s: place == "real-name")
    SSHConnection.connect(spec, trust=trust, credentials=WORD).close()
    (entry,) = parse_known_hosts((tmp_path / "store").read_text())
    assert entry.patterns == "real-name"
    moved = house(Rules(password=PASSWORD), key=here.key)
    silent = HostKeyPolicy(tmp_path / "store")
    again = moved.spec(host_key_options=HostKeyOptions("real-name"))
    SSHConnection.connect(again, trust=silent, credentials=WORD).close()


def test_known_hosts_of_the_server_are_read_in_place_of_the_users(
    house: Build, tmp_path: Path
) -> None:
    here = house(Rules(password=PASSWORD))
    place = here.spec().known_hosts_name
    users, own = tmp_path / "users", tmp_path / "own"
    line = here.key.export_public_key().decode()
    users.write_text(f"{place} {line}")
    own.write_text("")
    trust = HostKeyPolicy(tmp_path / "store", known_hosts=[users])
    spec = here.spec(host_key_options=HostKeyOptions(files=(str(own),)))
    with pytest.raises(Problem) as caught:
        SSHConnection.connect(spec, trust=trust, credentials=WORD)
    assert caught.value.key == "remote.host.key_unknown"
    own.write_text(f"{place} {line}")
    SSHConnection.connect(spec, trust=trust, credentials=WORD).close()


def test_strict_asks_nobody(house: Build, tmp_path: Path) -> None:
    here = house(Rules(password=PASSWORD))
    asked: list[str] = []

    def ask(key: HostKey, _place: str, _since: str) -> bool:
        asked.append(key.fingerprint)
        return True

    trust = HostKeyPolicy(tmp_path / "store", ask)
    with pytest.raises(Problem) as caught:
        SSHConnection.connect(
            here.spec(host_key_options=HostKeyOptions(strict=True)), trust=trust, credentials=WORD
        )
    assert caught.value.key == "remote.host.key_unknown" and asked == []
