"""`ssh NAME` finds our servers, with the keys we pinned."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from servers import Place

from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.hosts.ssh_config import resolve_host_spec
from sovdeck.remote.hosts.ssh_config_export import add_include, remove_include, write_host_blocks
from sovdeck.remote.ssh.client import HostKeyPolicy, SSHConnection

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh client here")
GATE = HostSpec("gate.example", 2200, "keeper")
SERVERS = {
    "seeta": HostSpec("connect.example", 41022, "root", ("~/.ssh/a key",), (GATE,)),
    "six": HostSpec("2001:db8::7", 22, "", (), (), "6"),
    "zone": HostSpec("fe80::1%eth0", 2022, "me"),
}


def test_our_own_reader_reads_it_back(tmp_path: Path) -> None:
    left_out = write_host_blocks(
        tmp_path / "ours", {**SERVERS, "two words *": GATE}, tmp_path / "kh"
    )
    assert left_out == ["two words *"]
    for name, spec in SERVERS.items():
        found = resolve_host_spec(name, [tmp_path / "ours"])
        assert (found.host, found.port, found.user) == (spec.host, spec.port, spec.user)
        assert (found.identity, found.family) == (spec.identity, spec.family)
        hops = [(hop.host, hop.port, hop.user) for hop in found.jump]
        assert hops == [(hop.host, hop.port, hop.user) for hop in spec.jump]


@needs_ssh
def test_openssh_reads_it_too(tmp_path: Path) -> None:
    write_host_blocks(tmp_path / "ours", SERVERS, tmp_path / "kh")
    for name, spec in SERVERS.items():
        argv = ["ssh", "-G", "-F", str(tmp_path / "ours"), name]
        out = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        first = dict(reversed([line.split(" ", 1) for line in out.splitlines() if " " in line]))
        assert (first["hostname"], first["port"]) == (spec.host, str(spec.port))
        assert first["userknownhostsfile"].split()[0] == str(tmp_path / "kh")
        assert first.get("proxyjump", "") == ("sovdeck-seeta-hop-1" if spec.jump else "")


@pytest.mark.sshd
@needs_ssh
def test_plain_ssh_connects_with_the_key_we_pinned(sshd_v4: Place, tmp_path: Path) -> None:
    trust = HostKeyPolicy(
        tmp_path / "known hosts", accepted_fingerprints=frozenset({sshd_v4.fingerprint})
    )
    SSHConnection.connect(sshd_v4.spec, trust=trust, credentials=sshd_v4.credentials()).close()
    write_host_blocks(tmp_path / "ours", {"box": sshd_v4.spec}, trust.pinned_file)
    argv = ["ssh", "-F", str(tmp_path / "ours"), "-o", "StrictHostKeyChecking=yes"]
    argv += ["-o", "BatchMode=yes", "box", "echo", "hello"]
    assert subprocess.run(argv, check=True, capture_output=True).stdout == b"hello\n"


def test_the_include_goes_on_top_once_and_out_again(tmp_path: Path) -> None:
    config, ours = tmp_path / "ssh" / "config", tmp_path / "our folder" / "hosts"
    assert remove_include(config, ours) is False
    assert add_include(config, ours) is True and add_include(config, ours) is False
    config.write_text(config.read_text() + "Host *\n  User x\n")
    config.chmod(0o640)
    assert add_include(config, ours) is False
    assert config.read_text().splitlines()[0] == f'Include "{ours}"'
    assert remove_include(config, ours) is True
    assert config.read_text() == "Host *\n  User x\n"
    if sys.platform != "win32":
        assert config.stat().st_mode & 0o777 == 0o640
