"""A host that has IPv6 and nothing else, in a network of its own: global and link-local."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.netns,
    pytest.mark.sshd,
    pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("unshare") is None,
        reason="needs root and unshare to make a network namespace",
    ),
]

NETWORK = """
set -e
ip link set lo up && ip addr del 127.0.0.1/8 dev lo
ip link add d0 type veth peer name d1
ip link set d0 up && ip link set d1 up
ip -6 addr add fd99::1/64 dev d0 nodad
ip -6 addr add fe80::77/64 dev d0 nodad
exec "$@"
"""

TRIP = """
import socket, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, "tests")
from servers import start_sshd, stop_sshd
from sovdeck.remote.hosts.spec import HostSpec

try:
    socket.create_connection(("127.0.0.1", 22), timeout=1)
except OSError as error:
    assert "unreachable" in str(error), error  # there really is no IPv4
for number, host in enumerate(["fd99::1", "fe80::77%d0"]):
    place = start_sshd(Path(sys.argv[1]) / str(number), host)
    try:
        # As a person pastes it, brackets, port and zone in one string.
        typed = HostSpec.parse(f"{place.spec.user}@[{host}]:{place.spec.port}")
        place = replace(place, spec=replace(typed, identity=place.spec.identity))
        with place.connect() as connection:
            shown = connection.run(["sh", "-c", "echo ${SSH_CONNECTION#* * }"]).out
            print(shown.decode().split()[0])
            assert place.fingerprint  # pinned under [host]:port
        print((place.folder / "known_hosts").read_text().split()[0] == f"[{host}]:{typed.port}")
    finally:
        stop_sshd(place)
"""


def test_a_server_with_ipv6_only(tmp_path: Path) -> None:
    wire = ["unshare", "-n", "ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1"]
    if subprocess.run(wire, capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a network namespace with a virtual wire")
    root = Path(__file__).resolve().parents[3]
    argv = ["unshare", "-n", "sh", "-c", NETWORK, "sh", sys.executable, "-c", TRIP, str(tmp_path)]
    out = subprocess.run(argv, capture_output=True, text=True, cwd=root, timeout=120)
    assert out.returncode == 0, out.stderr
    assert out.stdout.split() == ["fd99::1", "True", "fe80::77%d0", "True"]
