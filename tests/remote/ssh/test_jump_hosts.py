"""Jump chains and forwarded ports."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted_sshd import wait_until
from servers import Place, start_sshd, stop_sshd

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.ssh.client import ConnectionLost, HostKeyPolicy, SSHConnection

pytestmark = pytest.mark.sshd


@pytest.fixture(scope="module")
def gates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Place]]:
    """Two real sshd to jump over."""
    made = [start_sshd(tmp_path_factory.mktemp(f"gate{n}"), "127.0.0.1") for n in (1, 2)]
    yield made
    for place in made:
        stop_sshd(place)


def hop(place: Place) -> HostSpec:
    return HostSpec(place.spec.host, place.spec.port, place.spec.user, place.spec.identity)


def open_through(target: Place, *gates: Place, **changes: Any) -> SSHConnection:
    spec = replace(target.spec, jump=tuple(hop(gate) for gate in gates), **changes)
    accepted = frozenset({target.fingerprint, *(gate.fingerprint for gate in gates)})
    trust = HostKeyPolicy(target.folder / "hops_known_hosts", accepted_fingerprints=accepted)
    return SSHConnection.connect(spec, trust=trust, credentials=target.credentials())


@pytest.mark.parametrize("count", [1, 2])
def test_a_chain_of_hops(embedded: Place, gates: list[Place], count: int) -> None:
    with open_through(embedded, *gates[:count]) as link:
        data = bytes(range(256)) * 4000
        assert link.run(["cat"], stdin=data).out == data
        where = link.run(["sh", "-c", "echo $SSH_CONNECTION"]).out.split()
        assert where[3] == str(embedded.spec.port).encode()
    assert not link.alive


def test_each_hop_is_checked(embedded: Place, gates: list[Place], tmp_path: Path) -> None:
    spec = replace(embedded.spec, jump=(hop(gates[0]),))
    trust = HostKeyPolicy(
        tmp_path / "known_hosts", accepted_fingerprints=frozenset({embedded.fingerprint})
    )
    with pytest.raises(Problem) as caught:
        SSHConnection.connect(spec, trust=trust, credentials=embedded.credentials())
    assert caught.value.key == "remote.host.key_unknown"
    assert gates[0].fingerprint in caught.value.sentence()


def test_a_hop_that_cannot_reach_the_target_says_so(embedded: Place, gates: list[Place]) -> None:
    with pytest.raises(Problem) as caught:
        open_through(embedded, gates[0], port=1)
    assert caught.value.key == "remote.connection.no_forward"
    assert caught.value.exit_code is ExitCode.UNREACHABLE


def test_a_lost_hop_is_a_lost_link(embedded: Place, gates: list[Place]) -> None:
    with open_through(embedded, gates[0]) as link:
        stream = link.open_stream(["sh", "-c", "echo a; sleep 30"])
        assert stream.read() == b"a\n"
        link._hops[0].close()
        with pytest.raises(ConnectionLost):
            stream.read()


@pytest.fixture
def echo() -> Iterator[int]:
    """A TCP server that sends back in capitals until the client's end."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(near,), daemon=True).start()

    def answer(near: socket.socket) -> None:
        with near:
            while data := near.recv(65536):
                near.sendall(data.upper())

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def talk(port: int, data: bytes) -> bytes:
    out = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as near:
        sender = threading.Thread(target=lambda: (near.sendall(data), near.shutdown(1)))
        sender.start()
        while piece := near.recv(65536):
            out += piece
        sender.join()
    return out


def test_a_forwarded_port(sshd_v4: Place, echo: int) -> None:
    with sshd_v4.connect() as link, link.forward(0, "127.0.0.1", echo) as forward:
        assert talk(forward.port, b"hello") == b"HELLO"
        large = b"abc" * 500_000
        assert talk(forward.port, large) == large.upper()
        port = forward.port
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=2).close()


def test_a_forward_to_nowhere_says_why_and_goes_on(sshd_v4: Place, echo: int) -> None:
    with sshd_v4.connect() as link, link.forward(0, "127.0.0.1", 1) as forward:
        assert talk(forward.port, b"") == b""
        wait_until(lambda: forward.problem is not None)
        assert forward.problem and forward.problem.key == "remote.connection.no_forward"
        assert link.run(["true"]).code == 0


def test_a_taken_port_is_an_error(sshd_v4: Place, echo: int) -> None:
    with sshd_v4.connect() as link, pytest.raises(Problem) as caught:
        link.forward(echo, "127.0.0.1", echo)
    assert (
        caught.value.key == "remote.connection.port_taken" and str(echo) in caught.value.sentence()
    )
