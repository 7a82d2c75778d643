"""Keys of our own, installed once; and servers recognised by their id, not their address."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest
from servers import Place

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.auth.keypair import ensure_key, generate_key
from sovdeck.remote.servers.install_key import install_key, should_offer_key
from sovdeck.remote.servers.machine_id import (
    MachineMatch,
    MachineRecord,
    match_machine,
    read_machine_id,
)
from sovdeck.remote.ssh.client import SSHConnection

PLACES = ["embedded", pytest.param("sshd_v4", marks=pytest.mark.sshd)]


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def link(place: Place) -> Iterator[SSHConnection]:
    with place.connect() as one:
        yield one


def test_a_key_pair_is_openssh_s_and_private(tmp_path: Path) -> None:
    path = generate_key(tmp_path / "keys" / "id", "me@laptop")
    key = asyncssh.read_private_key(path)
    public = asyncssh.read_public_key(f"{path}.pub")
    assert key.public_data == public.public_data
    assert (tmp_path / "keys" / "id.pub").read_text().endswith(" me@laptop\n")
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o077 == 0
    line = ensure_key(path)
    assert ensure_key(path) == line and line.startswith("ssh-ed25519 ")
    assert sorted(p.name for p in path.parent.iterdir()) == ["id", "id.pub"]


@pytest.mark.parametrize("before", [None, "", "# mine\n", "ssh-rsa AAAA no-newline"])
def test_a_key_is_installed_once(
    link: SSHConnection, place: Place, tmp_path: Path, before: str | None
) -> None:
    folder = place.home / ".ssh"
    file = folder / "authorized_keys"
    folder.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    if before is not None:
        file.write_text(before)
    line = ensure_key(tmp_path / "id", "it's me; $HOME")
    assert install_key(link, line) is True
    assert install_key(link, line) is False
    assert install_key(link, " ".join(line.split()[:2]) + " other comment") is False
    lines = file.read_text().splitlines()
    assert lines.count(line) == 1
    assert lines[:-1] == (before or "").splitlines()
    assert file.stat().st_mode & 0o022 == 0


@pytest.mark.sshd
def test_the_installed_key_lets_in(sshd_v4: Place, tmp_path: Path) -> None:
    """The fixture's sshd reads one key file; ours is appended to it through HOME."""
    path = generate_key(tmp_path / "id")
    accepted = Path(sshd_v4.spec.identity[0] + ".pub")
    with sshd_v4.connect() as link:
        install_key(link, ensure_key(path))
        installed = (sshd_v4.home / ".ssh" / "authorized_keys").read_text()
    kept = accepted.read_text()
    accepted.write_text(kept + installed)
    try:
        place = replace(sshd_v4, spec=replace(sshd_v4.spec, identity=(str(path),)))
        with place.connect() as link:
            assert link.method == "publickey" and not should_offer_key(link)
    finally:
        accepted.write_text(kept)


def test_a_home_that_cannot_be_written_is_said(
    link: SSHConnection, place: Place, tmp_path: Path
) -> None:
    folder = place.home / ".ssh"
    for name in ("authorized_keys", "known_hosts"):
        (folder / name).unlink(missing_ok=True)
    if folder.exists():
        folder.rmdir()
    folder.write_text("a file is in the way")
    try:
        with pytest.raises(Problem) as caught:
            install_key(link, ensure_key(tmp_path / "id"))
        assert caught.value.key == "remote.auth.key_not_installed"
    finally:
        folder.unlink()


def test_a_server_keeps_its_id(link: SSHConnection, place: Place) -> None:
    layout = Layout.at(str(place.home / "data disk" / "sovdeck"))
    make_folders = read_script("make_folders.sh")
    assert read_machine_id(link, layout) is None
    for _ in range(2):
        assert link.script(make_folders, [str(layout.work)]).code == 0
        found = read_machine_id(link, layout)
        assert found is not None and Path(str(layout.server_id)).read_text() == f"{found}\n"
    other = Layout.at(f"{layout.work}-other")
    link.script(make_folders, [str(other.work)])
    assert read_machine_id(link, other) not in (None, found)
    Path(str(layout.server_id)).write_text("garbage\x1b[2J")
    assert read_machine_id(link, layout) is None


A, B = "a" * 32, "b" * 32
KNOWN = {"one": MachineRecord(A, "h:1"), "two": MachineRecord(B, "h:2")}


@pytest.mark.parametrize(
    ("name", "seen", "where", "wanted"),
    [
        ("one", A, "h:1", MachineMatch("same")),
        ("one", A, "h:9", MachineMatch("moved")),
        ("one", "c" * 32, "h:1", MachineMatch("replaced")),
        ("one", B, "h:1", MachineMatch("twin", "two")),
        ("three", A, "h:3", MachineMatch("twin", "one")),
        ("three", "c" * 32, "h:1", MachineMatch("new")),
    ],
)
def test_what_an_id_means(name: str, seen: str, where: str, wanted: MachineMatch) -> None:
    assert match_machine(name, seen, where, KNOWN) == wanted
