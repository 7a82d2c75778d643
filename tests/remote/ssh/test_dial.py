"""Happy Eyeballs: a broken address family costs a moment, not the connection."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import has_ipv6

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.ssh import dial as dial_module
from sovdeck.remote.ssh.dial import connect_first, dial

V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one


@pytest.fixture
def full() -> Iterator[tuple[str, int]]:
    """A port that answers no handshake: its backlog is full, as good as a black hole."""
    with socket.create_server(("127.0.0.2", 0), backlog=0) as one:
        place = one.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(place)
            fillers.append(filler)
        time.sleep(0.05)
        yield place
        for filler in fillers:
            filler.close()


needs_loopback_net = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux answers on all of 127/8 and drops at a full backlog"
)


def test_the_socket_is_ready_for_small_requests(listener: socket.socket) -> None:
    with dial("127.0.0.1", listener.getsockname()[1], timeout=5) as connected:
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connected.gettimeout() is None


@needs_loopback_net
def test_a_black_hole_falls_back_within_a_moment(
    listener: socket.socket, full: tuple[str, int]
) -> None:
    begun = time.monotonic()
    with connect_first([(V4, full), (V4, listener.getsockname())], 5.0, "host") as connected:
        assert connected.getpeername() == listener.getsockname()
    assert time.monotonic() - begun < 1.0


@needs_loopback_net
def test_nothing_but_a_black_hole_ends_in_time(full: tuple[str, int]) -> None:
    begun = time.monotonic()
    with pytest.raises(Problem) as caught:
        connect_first([(V4, full)], 0.4, "host port 22")
    assert 0.3 < time.monotonic() - begun < 2.0
    assert "timed out" in caught.value.sentence()
    assert caught.value.exit_code is ExitCode.UNREACHABLE


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
def test_refused_or_unrouted_ipv6_falls_back_at_once(listener: socket.socket) -> None:
    begun = time.monotonic()
    port = listener.getsockname()[1]
    for dead in (("::1", port, 0, 0), ("fe80::1", port, 0, 0)):  # refused; no zone: no route
        with connect_first([(V6, dead), (V4, listener.getsockname())], 5.0, "host") as connected:
            assert connected.family == V4
    assert time.monotonic() - begun < 1.0


def test_every_failure_is_named(listener: socket.socket) -> None:
    place = listener.getsockname()
    listener.close()
    with pytest.raises(Problem) as caught:
        dial("127.0.0.1", place[1], timeout=2)
    assert caught.value.key == "remote.connection.unreachable"
    assert f"127.0.0.1 port {place[1]}" in caught.value.sentence()
    assert "refused" in caught.value.sentence().lower()


def test_an_unknown_name_is_said() -> None:
    with pytest.raises(Problem) as caught:
        dial("no-such-host.invalid", 22, timeout=2)
    assert caught.value.key == "remote.connection.no_name"
    assert caught.value.exit_code is ExitCode.UNREACHABLE


@pytest.mark.parametrize(("family", "wanted"), [("auto", {V4, V6}), ("4", {V4}), ("6", {V6})])
def test_the_family_can_be_chosen(
    monkeypatch: pytest.MonkeyPatch, family: str, wanted: set[int]
) -> None:
    entries = [
        (V6, 1, 6, "", ("2001:db8::1", 22, 0, 0)),
        (V6, 1, 6, "", ("2001:db8::2", 22, 0, 0)),
        (V4, 1, 6, "", ("192.0.2.1", 22)),
    ]

    def resolve(host: str, port: int, family: int, kind: int) -> list[tuple[object, ...]]:
        return [e for e in entries if family in (socket.AF_UNSPEC, e[0])]

    monkeypatch.setattr(dial_module.socket, "getaddrinfo", resolve)
    found = dial_module.resolve_addresses("host", 22, family)  # type: ignore[arg-type]
    assert {one[0] for one in found} == wanted
    if family == "auto":  # families take turns, so one broken family costs one stagger
        assert [one[0] for one in found] == [V6, V4, V6]


HOLE = """
set -e
ip link set lo up
ip link add d0 type veth peer name d1
ip link set d0 up && ip link set d1 up
ip -6 addr add fd99::1/64 dev d0 nodad
ip -6 neigh add fd99::2 lladdr 02:00:00:00:00:02 dev d0
exec "$@"
"""

PROBE = """
import socket, sys, time
from sovdeck.remote.ssh.dial import dial
with socket.create_server(("127.0.0.1", 0)) as one:
    port = one.getsockname()[1]
    # The wire's far end takes the packets, and nobody has that address: a true black hole.
    hole = [(socket.AF_INET6, 1, 6, "", ("fd99::2", port, 0, 0))]
    real = [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]
    socket.getaddrinfo = lambda *a: hole + real
    begun = time.monotonic()
    dial("host", port, timeout=5).close()
    print(round(time.monotonic() - begun, 2))
"""


@pytest.mark.netns
@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="needs root and unshare to make a network namespace",
)
def test_an_ipv6_black_hole_in_a_network_of_its_own() -> None:
    made = subprocess.run(
        ["unshare", "-n", "ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1"],
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("this machine lets nobody make a network namespace with a virtual wire")
    root = Path(__file__).resolve().parents[3]
    out = subprocess.run(
        ["unshare", "-n", "sh", "-c", HOLE, "sh", sys.executable, "-c", PROBE],
        capture_output=True,
        text=True,
        cwd=root,
        timeout=60,
    )
    assert out.returncode == 0, out.stderr
    assert 0.2 < float(out.stdout) < 1.5
