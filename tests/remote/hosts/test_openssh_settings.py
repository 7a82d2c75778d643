"""Where OpenSSH is installed, it says itself what the user's configuration means."""

from __future__ import annotations

import getpass
import shutil
import sys
import time
from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.hosts import openssh_settings, ssh_config
from sovdeck.remote.hosts.openssh_settings import parse_settings, system_ssh_folder
from sovdeck.remote.hosts.ssh_config import resolve_host_spec

CONFIG = """
Include more.conf
Match originalhost box exec "test -n '%n'"
    HostName 10.0.0.7
    Port 2200
    IdentityFile ${KEYS}/%n-%p-%r
    IdentityFile ~/.ssh/work.pub
    IdentitiesOnly yes
    IdentityAgent ~/.1password/agent.sock
Match exec "exit 1"
    User wrong
Host *
    User keeper
"""
needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh on this machine")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("KEYS", "/keys")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(CONFIG.replace("more.conf", f"{tmp_path}/more.conf"))
    (tmp_path / "more.conf").write_text("Host far\n  ProxyJump box,gate:99\n")
    return tmp_path


@needs_ssh
def test_match_exec_tokens_variables_and_includes(home: Path) -> None:
    spec = resolve_host_spec("box")
    assert (spec.host, spec.port, spec.user, spec.alias) == ("10.0.0.7", 2200, "keeper", "box")
    assert spec.identity == ("/keys/box-2200-keeper", "~/.ssh/work.pub")
    assert spec.only_identity and spec.identity_agent.endswith("/.1password/agent.sock")
    far = resolve_host_spec("far")
    assert [(hop.host, hop.port) for hop in far.jump] == [("10.0.0.7", 2200), ("gate", 99)]
    assert far.identity == () and far.host_key_options.files == (), "defaults are no choices"


@needs_ssh
def test_what_was_typed_is_told_to_ssh(home: Path) -> None:
    (home / ".ssh" / "config").write_text("Match user me\n  Port 77\nHost *\n  Port 22\n")
    assert resolve_host_spec("me@box").port == 77
    assert resolve_host_spec("you@box").port == 22


def test_without_ssh_the_files_are_read_here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_config, "find_openssh", lambda: None)
    assert resolve_host_spec("far").jump[1].host == "gate"
    assert resolve_host_spec("far").user == "keeper"


@needs_ssh
def test_a_file_that_ssh_does_not_take_is_read_here(home: Path) -> None:
    (home / ".ssh" / "config").write_text("FutureOption yes\nHost box\n  Port 78\n")
    assert resolve_host_spec("box").port == 78


@needs_ssh
def test_a_match_exec_that_hangs_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openssh_settings, "_TIMEOUT_S", 0.5)
    (home / ".ssh" / "config").write_text('Match exec "exec sleep 20"\n  Port 1\n')
    begun = time.monotonic()
    with pytest.raises(Problem) as caught:
        resolve_host_spec("box")
    assert caught.value.key == "remote.sshconfig.no_answer" and "ssh -G box" in caught.value.hint.en
    assert time.monotonic() - begun < 10


def test_defaults_of_ssh_are_no_settings() -> None:
    usual = [f"identityfile ~/.ssh/id_{kind}" for kind in ("rsa", "ecdsa", "ed25519", "xmss")]
    known = "userknownhostsfile /home/me/.ssh/known_hosts /home/me/.ssh/known_hosts2"
    assert parse_settings([*usual, known, f"user {getpass.getuser()}"]).values == {}
    chosen = parse_settings([usual[2], "userknownhostsfile /work/hosts", "user other"])
    assert chosen.values == {
        "identityfile": ("~/.ssh/id_ed25519",),
        "userknownhostsfile": ("/work/hosts",),
        "user": ("other",),
    }


def test_the_systems_files_on_windows_are_where_only_administrators_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert system_ssh_folder() == Path("/etc/ssh")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("PROGRAMDATA", "D:/ProgramData")
    assert system_ssh_folder() == Path("D:/ProgramData/ssh")
