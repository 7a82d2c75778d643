"""A ProxyCommand of the user's configuration is run, and what goes wrong in it is said."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from servers import Place

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.hosts.ssh_config import resolve_host_spec
from sovdeck.remote.ssh.client import SSHConnection

RELAY = """
import socket, sys, threading, os
far = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536): far.sendall(data)
    far.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := far.recv(65536): os.write(1, data)
"""


def connect(place: Place, command: str, timeout: float = 15.0) -> SSHConnection:
    # Nothing listens at the address itself: the command is the only way.
    spec = replace(place.spec, proxy_command=command)
    return SSHConnection.connect(
        spec, trust=place.trust(), credentials=place.credentials(), timeout=timeout
    )


def test_bytes_go_through_the_program(embedded: Place, tmp_path: Path) -> None:
    (tmp_path / "relay.py").write_text(RELAY)
    relay = shlex.join([sys.executable, str(tmp_path / "relay.py")])
    big = b"x" * 300_000
    with connect(embedded, f"{relay} %h %p") as connection:
        assert connection.run(["cat"], stdin=big).out == big


def test_its_last_words_are_shown(embedded: Place) -> None:
    with pytest.raises(Problem) as caught:
        connect(embedded, "echo 'no such tunnel: %n' >&2; exit 3")
    assert caught.value.key == "remote.connection.proxy_failed"
    assert f"no such tunnel: {embedded.spec.host}" in caught.value.sentence()


def test_one_that_hangs_is_given_up(embedded: Place) -> None:
    begun = time.monotonic()
    with pytest.raises(Problem) as caught:
        connect(embedded, "exec sleep 60", timeout=1)
    assert caught.value.key == "remote.connection.no_greeting"
    assert time.monotonic() - begun < 15


def test_it_is_read_from_the_configuration_and_never_from_a_pasted_line(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host box\n  ProxyCommand corkscrew 'my proxy' %h %p\nHost other\n")
    assert resolve_host_spec("box", [config]).proxy_command == "corkscrew 'my proxy' %h %p"
    assert resolve_host_spec("other", [config]).proxy_command == ""
    with pytest.raises(Problem):
        resolve_host_spec("ssh -o ProxyCommand=evil box", [config])
