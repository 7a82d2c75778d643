"""Bad input at the door: one clear sentence, the right exit code, nothing half-written."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import Place, generate_key
from trip_steps import Recorded, laptop

from sovdeck.remote.config.paths import AppPaths
from sovdeck.tui.cli.main import main

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a person who has nothing yet, where the command is called."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    for name, value in (("SOVDECK_HOME", home), ("HOME", home), ("SOVDECK_LANG", "en")):
        monkeypatch.setenv(name, str(value))
    return home


@pytest.fixture
def sovdeck(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """sovdeck("server", "ls") -> how it ended; in this process, for one takes seconds to start."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        code = main(arguments)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return run


@pytest.fixture
def refused(home: Path, sovdeck: Run) -> Callable[..., str]:
    """refused(code, ...): the one sentence of a refusal; nothing was saved, no traceback shown."""

    def refuse(code: int, *arguments: str) -> str:
        said = sovdeck(*arguments)
        assert said.returncode == code, (said.returncode, said.stdout, said.stderr)
        assert said.stderr.startswith("sovdeck: ") and "Traceback" not in said.stderr
        assert not AppPaths.below(home).servers_file.exists()
        return said.stderr

    return refuse


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("ssh -p 700000 root@host", "700000"),
        ("ssh -p root@host", "port"),
        ("root@[2001:db8::zz]", "2001:db8::zz"),
        ("ssh 'root@host", "quot"),
        ("", ""),
        ("ssh -p 22 -p", ""),
    ],
    ids=["port out of range", "no port", "bad IPv6", "open quote", "empty", "option without value"],
)
def test_a_line_that_cannot_be_read(refused: Callable[..., str], line: str, word: str) -> None:
    assert word in refused(2, "server", "add", line)


def test_a_host_that_does_not_answer(refused: Callable[..., str]) -> None:
    with socket.socket() as probe:  # bound but not listening: connections are refused
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        said = refused(6, "server", "add", f"ssh -p {port} root@127.0.0.1")
    assert "127.0.0.1" in said


def test_an_unknown_host_key_is_not_trusted_without_a_person(
    refused: Callable[..., str], embedded: Place
) -> None:
    said = refused(7, "server", "add", embedded.spec.format())
    assert embedded.fingerprint in said and "--accept-host-key" in said


def test_a_wrong_fingerprint_is_refused(refused: Callable[..., str], embedded: Place) -> None:
    refused(7, "server", "add", embedded.spec.format(), "--accept-host-key", "SHA256:" + "A" * 43)


def test_a_refused_key(refused: Callable[..., str], tmp_path: Path, embedded: Place) -> None:
    other = generate_key(tmp_path / "other")
    line = embedded.spec.format().replace(embedded.spec.identity[0], str(other))
    said = refused(7, "server", "add", line, "--accept-host-key", embedded.fingerprint)
    assert "key" in said


def test_a_changed_host_key_stops_everything_and_names_the_way_on(
    home: Path, sovdeck: Run, embedded: Place
) -> None:
    line, accept = embedded.spec.format(), ("--accept-host-key", embedded.fingerprint)
    assert sovdeck("server", "add", line, "--name", "box", *accept).returncode == 0
    known = home / "config" / "known_hosts"
    place, kind, _, *rest = known.read_text("utf-8").split(" ")
    stranger = generate_key(home / "stranger").with_name("stranger.pub").read_text().split()[1]
    known.write_text(" ".join([place, kind, stranger, *rest]), "utf-8")
    said = sovdeck("server", "check", "box")
    assert said.returncode == 7 and " ".join(accept) in said.stderr
    again = sovdeck("server", "check", "box", *accept)
    assert again.returncode == 0, again.stderr
    assert sovdeck("server", "forget-key", "box").returncode == 0


def test_an_address_that_somebody_else_had_is_added_by_the_named_option(
    home: Path, sovdeck: Run, embedded: Place
) -> None:
    line, accept = embedded.spec.format(), ("--accept-host-key", embedded.fingerprint)
    stranger = generate_key(home / "stranger").with_name("stranger.pub").read_text().split()[:2]
    known = home / "config" / "known_hosts"
    known.parent.mkdir(parents=True)
    place = embedded.spec.known_hosts_name
    known.write_text(f"{place} {' '.join(stranger)} sovdeck 2026-01-01\n", "utf-8")
    said = sovdeck("server", "add", line, "--name", "fresh")
    assert said.returncode == 7 and " ".join(accept) in said.stderr
    assert sovdeck("server", "add", line, "--name", "fresh", *accept).returncode == 0
    assert sovdeck("server", "forget-key", place).returncode == 0
    nowhere = sovdeck("server", "forget-key", "nobody")
    assert nowhere.returncode == 2 and "nobody" in nowhere.stderr


def test_a_project_file_with_a_wrong_key_names_the_nearest(home: Path, sovdeck: Run) -> None:
    (home / "deploy.toml").write_text('[servers.a]\nhost = "h"\nprot = 1\n', "utf-8")
    said = sovdeck("ps")
    assert said.returncode == 2
    assert 'deploy.toml:3: servers.a.prot: unknown key "prot". Did you mean "port"?' in said.stderr


def test_broken_lists_stop_a_push_and_each_line_is_named(
    home: Path, sovdeck: Run, tmp_path: Path, recorded: Recorded, embedded: Place
) -> None:
    lines = recorded.list_file.read_text("utf-8").splitlines()
    broken = tmp_path / "broken.list"
    bad = ["one|two", "gone.wav|mei|ja|あ", f"{lines[0].split('|')[0]}|mei|xx|あ"]
    broken.write_text("\n".join([*lines[1:], *bad]) + "\n", "utf-8")
    data = sovdeck("data", "check", str(broken), "--wavs", str(recorded.wavs), "--json")
    records = [json.loads(line) for line in data.stdout.splitlines()]
    assert data.returncode == 3 and records[-1]["problems"] == 3 and records[-1]["clips"] == 9
    places, project = laptop(home, tmp_path / "work")
    accept = ("--accept-host-key", embedded.fingerprint)
    line = embedded.spec.format()
    assert sovdeck("server", "add", line, "--name", "box", *accept).returncode == 0
    assert sovdeck("--config", str(project), "deploy", "box").returncode == 0
    arguments = ("push", "box", "--list", str(broken), "--wavs", str(recorded.wavs))
    said = sovdeck("--config", str(project), *arguments, "--voice", "Broken")
    assert said.returncode == 3 and "3 lines of the dataset" in said.stderr
    assert list((tmp_path / "work" / "data").iterdir()) == [], "nothing half-written"
    assert "gone.wav" in said.stdout and "11" in said.stdout
    assert places.servers_file.exists()
