"""~/.ssh/config as OpenSSH reads it, compared with ssh -G where there is an ssh."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.hosts.ssh_config import resolve_host_spec

CONFIG = """
# a comment
Include extra/*.conf
Host seeta  # trailing comment
    HostName connect.westb.seetacloud.com
    Port = 41022
    User root
    IdentityFile "{folder}/a key"
    IdentitiesOnly yes
Host six
    HostName 2001:db8::7
    AddressFamily inet6
    ProxyJump gate,me@second:2022
Host gate
    HostName gate.example
    User keeper
    Port 2200
Host !star-no star-*
    HostName %h.stars.example
Match tagged never
    User wrong
Match host gate.example user keeper
    IdentityFile {folder}/gate_key
Match exec "touch {folder}/was-run"
    User wrong
Match originalhost seeta,other
    ConnectTimeout 3
Host nojump
    ProxyJump none
Host direct
    ProxyCommand nc %h %p
Host loop
    ProxyJump loop2
Host loop2
    ProxyJump loop
Host *
    User everyone
    Port 2222
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra/one.conf").write_text("Host included\n  HostName 10.1.2.3\n  User inc\n")
    for name in ("a key", "gate_key"):
        (tmp_path / name).touch()
    path = tmp_path / "config"
    path.write_text(CONFIG.replace("{folder}", str(tmp_path)))
    return path


def test_an_alias_becomes_an_address(config: Path) -> None:
    spec = resolve_host_spec("seeta", [config])
    key = str(config.parent / "a key")
    assert spec == HostSpec(
        "connect.westb.seetacloud.com", 41022, "root", (key,), alias="seeta", only_identity=True
    )


def test_what_was_typed_wins(config: Path) -> None:
    spec = resolve_host_spec("ssh -p 22 -l me seeta # box", [config])
    assert (spec.port, spec.user, spec.alias) == (22, "me", "box")


def test_include_and_wildcards(config: Path) -> None:
    assert resolve_host_spec("included", [config]).host == "10.1.2.3"
    assert resolve_host_spec("included", [config]).user == "inc"
    assert resolve_host_spec("star-1", [config]).host == "star-1.stars.example"
    assert resolve_host_spec("star-no", [config]).host == "star-no"
    plain = resolve_host_spec("elsewhere.example", [config])
    assert (plain.user, plain.port, plain.alias) == ("everyone", 2222, "")


def test_hops_are_aliases_too(config: Path) -> None:
    spec = resolve_host_spec("six", [config])
    assert (spec.host, spec.family) == ("2001:db8::7", "6")
    gate, second = spec.jump
    assert (gate.host, gate.port, gate.user) == ("gate.example", 2200, "keeper")
    assert gate.identity == (str(config.parent / "gate_key"),)
    assert (second.host, second.port, second.user) == ("second", 2022, "me")
    assert resolve_host_spec("nojump", [config]).jump == ()


def test_nothing_is_run(config: Path) -> None:
    resolve_host_spec("seeta", [config])
    assert not (config.parent / "was-run").exists()


def test_a_way_that_leads_to_itself_is_said(config: Path) -> None:
    with pytest.raises(Problem) as caught:
        resolve_host_spec("loop", [config])
    assert caught.value.key == "remote.sshconfig.loop"


def test_no_file_is_no_config(tmp_path: Path) -> None:
    assert resolve_host_spec("root@host:2022", [tmp_path / "missing"]) == HostSpec(
        "host", 2022, "root"
    )
    assert resolve_host_spec("host", ()) == HostSpec("host")


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh client on this machine")
@pytest.mark.parametrize(
    "host", ["seeta", "six", "gate", "included", "star-1", "elsewhere.example", "nojump"]
)
def test_openssh_agrees(config: Path, host: str) -> None:
    # Relative Include is relative to ~/.ssh for ssh itself; -F keeps that, so make it absolute.
    text = config.read_text().replace("Include extra", f"Include {config.parent}/extra")
    config.write_text("\n".join(x for x in text.splitlines() if "Match" not in x or "host" in x))
    out = subprocess.run(
        ["ssh", "-G", "-F", str(config), host], check=True, capture_output=True, text=True
    ).stdout
    theirs = [line.split(" ", 1) for line in out.splitlines() if " " in line]
    first = dict(reversed(theirs))
    spec = resolve_host_spec(host, [config])
    assert (spec.host, str(spec.port), spec.user) == (
        first["hostname"],
        first["port"],
        first["user"],
    )
    for path in spec.identity:
        assert ["identityfile", path] in theirs
