"""Certificates: a host's proves it without a question, a user's stands in for a key."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from scripted_sshd import PASSWORD, Build, House, Rules, write_key

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.credentials import Credentials
from sovdeck.remote.hosts.certificates import parse_certificate
from sovdeck.remote.hosts.host_key_policy import HostKeyPolicy
from sovdeck.remote.hosts.known_hosts import HostKey
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.secret import Secret
from sovdeck.remote.ssh.client import SSHConnection

CA = asyncssh.generate_private_key("ssh-ed25519")
WORD = Credentials(use_agent=False, default_keys=False, password=Secret(PASSWORD))


def authority(tmp_path: Path, key: asyncssh.SSHKey = CA, marker: str = "@cert-authority") -> Path:
    path = tmp_path / "known_hosts"
    line = key.export_public_key().decode().strip()
    path.write_text(f"{marker} 127.0.0.1,[127.0.0.1]:* {line}\n")
    return path


def certified(house: Build, kind: str = "ssh-ed25519", **options: object) -> House:
    key = asyncssh.generate_private_key(kind)
    settings = {"principals": ["127.0.0.1"], **options}
    certificate = CA.generate_host_certificate(key, "box", **settings)  # type: ignore[arg-type]
    return house(Rules(password=PASSWORD), key=key, certificate=certificate)


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp384"])
def test_a_host_certificate_of_a_known_authority_is_enough(
    house: Build, tmp_path: Path, kind: str
) -> None:
    here = certified(house, kind)
    trust = HostKeyPolicy(tmp_path / "store", known_hosts=[authority(tmp_path)])
    SSHConnection.connect(here.spec(), trust=trust, credentials=WORD).close()
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"principals": ["other.example", "box-*"]}, "it names other hosts: other.example, box-*"),
        ({"valid_before": int(time.time()) - 60}, "it does not hold now"),
        ({"valid_after": int(time.time()) + 3600}, "it does not hold now"),
    ],
    ids=["another host", "expired", "not yet"],
)
def test_a_certificate_that_does_not_hold_stops_before_any_credential(
    house: Build, tmp_path: Path, options: dict[str, Any], why: str
) -> None:
    here = certified(house, **options)
    trust = HostKeyPolicy(tmp_path / "store", lambda *_: True, known_hosts=[authority(tmp_path)])
    with pytest.raises(Problem) as caught:
        SSHConnection.connect(here.spec(), trust=trust, credentials=WORD)
    assert caught.value.key == "remote.host.cert_refused"
    assert caught.value.exit_code is ExitCode.REFUSED
    assert why in caught.value.sentence() and here.rules.offered == []


def test_a_certificate_of_a_stranger_is_an_unknown_key(house: Build, tmp_path: Path) -> None:
    here = certified(house)
    other = asyncssh.generate_private_key("ssh-ed25519")
    asked: list[str] = []

    def ask(key: HostKey, _host: str, _known_since: str) -> bool:
        asked.append(key.fingerprint)
        return True

    trust = HostKeyPolicy(tmp_path / "store", ask, known_hosts=[authority(tmp_path, other)])
    SSHConnection.connect(here.spec(), trust=trust, credentials=WORD).close()
    SSHConnection.connect(here.spec(), trust=trust, credentials=WORD).close()
    assert asked == [here.fingerprint]  # the plain key is what was pinned


def test_a_revoked_authority_is_refused(house: Build, tmp_path: Path) -> None:
    here = certified(house)
    path = authority(tmp_path)
    path.write_text(path.read_text() + path.read_text().replace("@cert-authority", "@revoked"))
    with pytest.raises(Problem) as caught:
        SSHConnection.connect(
            here.spec(), trust=HostKeyPolicy(tmp_path / "s", known_hosts=[path]), credentials=WORD
        )
    assert caught.value.key == "remote.host.key_revoked"


def test_a_changed_byte_is_no_certificate() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    made = CA.generate_host_certificate(key, "box", principals=["h"])
    blob = base64.b64decode(made.export_certificate().split()[1])
    assert parse_certificate(blob) is not None
    for at in (4, len(blob) // 2, len(blob) - 3):
        broken = bytearray(blob)
        broken[at] ^= 1
        assert parse_certificate(bytes(broken)) is None
    assert parse_certificate(key.public_data) is None and parse_certificate(b"") is None


@pytest.mark.usefixtures("no_agent")
@pytest.mark.parametrize("beside", [True, False], ids=["beside the key", "CertificateFile"])
def test_a_users_certificate_lets_the_key_in(house: Build, tmp_path: Path, beside: bool) -> None:
    key = write_key(tmp_path / "id")
    made = CA.generate_user_certificate(key, "me", principals=["me"])
    file = tmp_path / ("id-cert.pub" if beside else "elsewhere.pub")
    made.write_certificate(str(file))
    here = house(Rules(ca=(CA,)))
    spec = HostSpec(
        "127.0.0.1",
        here.port,
        "me",
        (str(tmp_path / "id"),),
        certificates=() if beside else (str(file),),
    )
    trust = HostKeyPolicy(tmp_path / "store", accepted_fingerprints=frozenset({here.fingerprint}))
    with SSHConnection.connect(spec, trust=trust, credentials=Credentials()) as link:
        assert link.method == "publickey"
    assert "certificate" in here.rules.offered


@pytest.mark.usefixtures("no_agent")
def test_a_certificate_of_another_key_is_not_shown(house: Build, tmp_path: Path) -> None:
    key, other = write_key(tmp_path / "id"), asyncssh.generate_private_key("ssh-ed25519")
    CA.generate_user_certificate(other, "me").write_certificate(str(tmp_path / "id-cert.pub"))
    here = house(Rules(keys=(key,), ca=(CA,)))
    trust = HostKeyPolicy(tmp_path / "store", accepted_fingerprints=frozenset({here.fingerprint}))
    spec = here.spec(identity=(str(tmp_path / "id"),))
    SSHConnection.connect(spec, trust=trust, credentials=Credentials()).close()
    assert "certificate" not in here.rules.offered
