"""What deploy.toml says about servers, packages and the network reaches the code it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.deploy import DeployOptions
from sovdeck.remote.hosts.known_hosts import HostKey
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.servers.sign_in import SignIn


class Nobody:
    """A dialog without a person."""

    can_ask = False

    def host_key(self, key: HostKey, host: str, known_since: str) -> bool:
        return False

    def secret(self, server: str, prompt: str, *, again: bool = False) -> Secret | None:
        return None


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def session(tmp_path: Path, text: str) -> ServerSession:
    path = tmp_path / "deploy.toml"
    path.write_text(text, encoding="utf-8")
    places = AppPaths.below(tmp_path)
    config = load_config(path, places)
    return ServerSession("a", config.servers["a"], config, places, Nobody())


def test_packages_and_relay_reach_the_plan(tmp_path: Path) -> None:
    wanted = session(
        tmp_path,
        '[servers.a]\nhost = "h"\nprofile = "autodl"\n[paths]\nwork = "/data/x"\n'
        '[python]\npath = "/opt/py"\nwheels = "w"\nindex = ["one", "two"]\ntorch = "cu128"\n'
        'torch_index = "three"\n[network]\nrelay = true\n',
    ).deploy_config()
    assert wanted == DeployOptions(
        work="/data/x",
        python="/opt/py",
        indexes=("one", "two"),
        wheels="w",
        relay=True,
        torch="cu128",
        torch_index="three",
        profile="autodl",
    )


SPECS = {
    "the network's family": ('host = "h"', HostSpec("h", family="6")),
    "a family of its own": ('host = "h"\nfamily = "4"', HostSpec("h", family="4")),
    "one of the line": ('ssh = "ssh -4 u@h"', HostSpec("h", user="u", family="4")),
    "none for an address": ('host = "192.0.2.7"', HostSpec("192.0.2.7")),
    "jump and key beside a line": (
        'ssh = "ssh -p 40 u@h"\nidentity = "k"\njump = "g:7,i"',
        HostSpec("h", 40, "u", ("k",), (HostSpec("g", 7), HostSpec("i")), family="6"),
    ),
    "every key": (
        'host = "2001:db8::7"\nport = 22022\nuser = "voice"\nidentity = "k"\njump = "g"',
        HostSpec("2001:db8::7", 22022, "voice", ("k",), (HostSpec("g"),)),
    ),
}


@pytest.mark.parametrize(("keys", "spec"), SPECS.values(), ids=list(SPECS))
def test_a_servers_keys_make_its_address(tmp_path: Path, keys: str, spec: HostSpec) -> None:
    made = session(tmp_path, f'[servers.a]\n{keys}\n[network]\nfamily = "6"\n').spec()
    assert made.alias == "a"
    assert HostSpec(**{**vars(made), "alias": ""}) == spec


def test_hops_may_be_names_of_the_users_ssh_config(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host gate\n HostName g.example\n Port 7\n User j\n")
    assert session(tmp_path, '[servers.a]\nhost = "h"\njump = "gate"\n').spec().jump == (
        HostSpec("g.example", 7, "j"),
    )


def test_a_pinned_fingerprint_is_accepted_beforehand(tmp_path: Path) -> None:
    finger = "SHA256:" + "a" * 43
    one = session(tmp_path, f'[servers.a]\nhost = "h"\nhost_key = "{finger}"\n')
    assert one.trust().accepted_fingerprints == {finger}


def test_the_networks_timeout_is_how_long_we_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    def connect(*_: object, timeout: float) -> None:
        given.append(timeout)

    monkeypatch.setattr(SignIn, "connect", connect)
    session(tmp_path, '[servers.a]\nhost = "h"\n[network]\ntimeout = 7.5\n').connect()
    assert given == [7.5]


def test_the_work_folder_counts_for_this_computers_own_server_too(tmp_path: Path) -> None:
    own = session(tmp_path, '[servers.a]\nembedded = true\n[paths]\nwork = "/data/x"\n')
    assert own.deploy_config().work == "/data/x"
    plain = session(tmp_path, "[servers.a]\nembedded = true\n").deploy_config()
    assert Path(plain.work) == own.app_paths.embedded_folder / "work"
