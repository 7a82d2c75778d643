"""deploy.toml: every fault at once, each with its line, its key and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.config import servers_file
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import ServerSection
from sovdeck.tui.cli.main import main

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def places(tmp_path: Path) -> AppPaths:
    return AppPaths.below(tmp_path)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "deploy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path: Path, places: AppPaths, text: str) -> str:
    with pytest.raises(Problem) as caught:
        load_config(write(tmp_path, text), places)
    assert caught.value.exit_code is ExitCode.CONFIG
    return caught.value.sentence()


def test_check_says_where_it_read_or_that_there_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOVDECK_HOME", str(tmp_path / "ours"))
    monkeypatch.chdir(tmp_path)
    assert main(["config", "check"]) == 0
    assert "There is no deploy.toml here" in capsys.readouterr().out
    write(tmp_path, '[servers.box]\nhost = "192.0.2.7"\n')
    assert main(["config", "check"]) == 0
    said = capsys.readouterr().out
    assert "1 server," in said and "deploy.toml" in said


def test_the_shipped_file_means_the_embedded_server(places: AppPaths) -> None:
    config = load_config(ROOT / "deploy.toml", places)
    name, server = servers_file.select_server(config, None)
    assert name == "local" and server.embedded and config.paths.outputs == "./voices"


def test_no_file_means_the_embedded_server(places: AppPaths, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert servers_file.select_server(load_config(None, places), None)[1].embedded


def test_all_faults_come_at_once_with_their_lines(tmp_path: Path, places: AppPaths) -> None:
    said = faults(
        tmp_path,
        places,
        'version = 1\n\n[servers.lab]\nhost = "2001:db8::7"\nprot = 22\nport = 700000\n'
        '[paths]\nwrok = "/x"\n[train.params]\n"gpt.epoch" = 3\n"sovits.epochs" = 999\n',
    )
    assert 'deploy.toml:5: servers.lab.prot: unknown key "prot". Did you mean "port"?' in said
    assert "deploy.toml:6: servers.lab.port:" in said
    assert 'deploy.toml:8: paths.wrok: unknown key "wrok". Did you mean "work"?' in said
    assert "deploy.toml:10: train.params.gpt.epoch:" in said
    assert 'Did you mean "gpt.epochs"?' in said
    assert "deploy.toml:11: train.params.sovits.epochs: 999" in said or "sovits.epochs" in said
    assert "5 faults:" in said


def test_no_fault_hides_another_and_advice_is_given_beside_them(
    tmp_path: Path, places: AppPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path,
        'default_server = "nowhere"\n[servers.lab]\nssh = "ssh -p 700000 root@192.0.2.7"\n'
        'port = "x"\njump = "h:0"\n[servers.v6]\nhost = "192.0.2.7"\nfamily = "6"\nport = 0\n'
        '[servers.fine]\nhost = "192.0.2.8"\n'
        '[train]\nvoice = "a/b"\n[train.params]\n"gpt.epochs" = ""\n"infer.speed" = 1\n'
        '[dataset]\nlist = "/nowhere/a.list"\n[autostop]\nmax_cost = 3\n',
    )
    assert main(["config", "check", str(path)]) == 2
    said = capsys.readouterr()
    keys = re.findall(r"deploy\.toml:(\d+): ([\w.]+): ", said.err)
    assert keys == [
        ("2", "servers.lab"),  # a port in the line and one beside it
        ("3", "servers.lab.ssh"),
        ("4", "servers.lab.port"),
        ("5", "servers.lab.jump"),
        ("8", "servers.v6.family"),
        ("9", "servers.v6.port"),
        ("13", "train.voice"),
        ("15", "train.params.gpt.epochs"),
        ("16", "train.params.infer.speed"),
        ("1", "default_server"),
    ]
    assert "/nowhere/a.list" in said.out and "not set for: fine" in said.out


def test_a_password_is_refused_by_name(tmp_path: Path, places: AppPaths) -> None:
    said = faults(tmp_path, places, '[servers.a]\nssh = "root@h"\npassword = "hunter2"\n')
    assert "deploy.toml:3: servers.a.password: a password may not be in this file" in said
    assert "hunter2" not in said


def test_broken_toml_names_its_line(tmp_path: Path, places: AppPaths) -> None:
    assert "deploy.toml:2: TOML:" in faults(tmp_path, places, "version = 1\n[servers\n")


def test_an_unknown_default_server_is_a_fault(tmp_path: Path, places: AppPaths) -> None:
    said = faults(tmp_path, places, 'default_server = "nowhere"\n')
    assert "deploy.toml:1: " in said and '"nowhere"' in said


def test_two_addresses_are_one_too_many(tmp_path: Path, places: AppPaths) -> None:
    said = faults(tmp_path, places, '[servers.a]\nssh = "root@h"\nport = 22\n')
    assert "already in the ssh line" in said


def test_params_may_be_nested_or_dotted(tmp_path: Path, places: AppPaths) -> None:
    path = write(tmp_path, '[train.params]\n"gpt.epochs" = 3\n[train.params.sovits]\nepochs = 2\n')
    assert load_config(path, places).train.params == {"gpt.epochs": 3, "sovits.epochs": 2}


def test_a_missing_named_file_is_said(tmp_path: Path, places: AppPaths) -> None:
    with pytest.raises(Problem, match="There is no file"):
        load_config(tmp_path / "no.toml", places)


def test_the_address_book_keeps_comments_and_refuses_doubles(
    places: AppPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.config_folder.mkdir()
    places.servers_file.write_text(
        '# my servers\n[servers.old]\nssh = "root@old" # kept\n', "utf-8"
    )
    servers_file.add_server(
        places, "new", ServerSection(ssh="ssh -p 22022 root@[2001:db8::7]", price_per_hour=1.5)
    )
    text = places.servers_file.read_text("utf-8")
    assert "# my servers" in text and "# kept" in text
    monkeypatch.chdir(tmp_path)
    config = load_config(None, places)
    assert set(config.servers) == {"old", "new"}
    assert config.servers["new"].price_per_hour == 1.5
    with pytest.raises(Problem, match="already there"):
        servers_file.add_server(places, "new", ServerSection(ssh="root@other"))
    servers_file.remove_server(places, "new")
    assert set(load_config(None, places).servers) == {"old"}
    with pytest.raises(Problem, match="There is no server"):
        servers_file.remove_server(places, "new")


def test_one_server_needs_no_name_and_two_do(places: AppPaths, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    servers_file.add_server(places, "a", ServerSection(ssh="root@one"))
    assert servers_file.select_server(load_config(None, places), None)[0] == "a"
    servers_file.add_server(places, "b", ServerSection(ssh="root@two"))
    with pytest.raises(Problem, match="several servers"):
        servers_file.select_server(load_config(None, places), None)
    assert servers_file.select_server(load_config(None, places), "b")[0] == "b"


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "a" * 64])
def test_bad_server_names_are_refused(places: AppPaths, name: str) -> None:
    with pytest.raises(Problem, match="cannot name a server"):
        servers_file.add_server(places, name, ServerSection(ssh="root@h"))
    assert not places.servers_file.exists()


def test_the_project_file_wins_over_the_users(tmp_path: Path, places: AppPaths) -> None:
    servers_file.add_server(places, "a", ServerSection(ssh="root@one"))
    config = load_config(write(tmp_path, '[servers.a]\nssh = "root@two"\n'), places)
    assert config.servers["a"].ssh == "root@two"


def test_a_section_of_the_project_leaves_the_users_other_keys(
    tmp_path: Path, places: AppPaths
) -> None:
    places.config_folder.mkdir()
    places.servers_file.write_text('[notify]\nwebhook = "team"\nbell = true\n', "utf-8")
    config = load_config(write(tmp_path, "[notify]\nbell = false\n"), places)
    assert config.notify.webhook == "team" and not config.notify.bell
