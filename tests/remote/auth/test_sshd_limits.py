"""What a real sshd allows, and what is said of what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers import Place, start_sshd, stop_sshd

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.auth.credentials import Credentials
from sovdeck.remote.auth.keypair import generate_key
from sovdeck.remote.ssh.client import SSHConnection

pytestmark = pytest.mark.sshd


def log_in(place: Place, wrong: int, right: bool) -> SSHConnection:
    """Offer so many wrong keys first, and then the right one or none."""
    names = [generate_key(place.folder / f"wrong{number}") for number in range(wrong)]
    credentials = Credentials(
        identities=[*names, *([Path(place.spec.identity[0])] if right else [])],
        use_agent=False,
        default_keys=False,
    )
    spec = place.spec.__class__(place.spec.host, place.spec.port, place.spec.user)
    return SSHConnection.connect(spec, trust=place.trust(), credentials=credentials)


def test_five_refused_keys_leave_the_sixth_attempt(sshd_v4: Place) -> None:
    # sshd cuts off at the sixth failure: another one for "none" would be it.
    with pytest.raises(Problem) as caught:
        log_in(sshd_v4, wrong=5, right=False)
    assert caught.value.key == "remote.auth.needed"
    assert caught.value.facts["tried"].count("wrong") == 5


@pytest.mark.parametrize("allowed", [1, 2])
def test_a_server_that_allows_fewer_is_asked_again(tmp_path: Path, allowed: int) -> None:
    place = start_sshd(tmp_path, "127.0.0.1", f"MaxAuthTries {allowed}")
    try:
        with log_in(place, wrong=3, right=True) as connection:
            assert connection.method == "publickey"
    finally:
        stop_sshd(place)


def test_algorithms_that_we_lack_are_said(tmp_path: Path) -> None:
    place = start_sshd(tmp_path, "127.0.0.1", "KexAlgorithms diffie-hellman-group14-sha1")
    try:
        with pytest.raises(Problem) as caught:
            place.connect()
    finally:
        stop_sshd(place)
    assert caught.value.key == "remote.connection.no_common_algorithm"


def test_forbidden_forwarding_is_told_from_a_closed_port(tmp_path: Path, sshd_v4: Place) -> None:
    place = start_sshd(tmp_path, "127.0.0.1", "AllowTcpForwarding no")
    found = []
    try:
        for here in (place, sshd_v4):
            with here.connect() as connection, pytest.raises(Problem) as caught:
                connection.open_tcp("127.0.0.1", 1)
            found.append(caught.value.key.rpartition(".")[2])
    finally:
        stop_sshd(place)
    assert found == ["forward_forbidden", "no_forward"]
