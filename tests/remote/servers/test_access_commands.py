"""`server login|lines|include`, `ssh` and `forward` as a person types them."""

from __future__ import annotations

import io
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted_sshd import PASSWORD, Build, House, Rules, wait_until
from servers import Place

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.config import servers_file
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import ServerSection
from sovdeck.remote.hosts.host_key_policy import HostKeyPolicy
from sovdeck.remote.hosts.ssh_config_export import write_host_blocks
from sovdeck.remote.jobs import tensorboard
from sovdeck.remote.secret import Secret
from sovdeck.tui.cli.commands.forward import parse_ports
from sovdeck.tui.cli.main import main

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh client here")


class Ring:
    """A keyring in memory."""

    kept: dict[str, Secret] = {}

    def get_password(self, account: str) -> Secret | None:
        return self.kept.get(account)

    def set_password(self, account: str, secret: Secret) -> None:
        self.kept[account] = secret

    def delete_password(self, account: str) -> bool:
        return self.kept.pop(account, None) is not None


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_agent: None) -> AppPaths:
    """A laptop of its own: home, our folders, an empty keyring, no deploy.toml."""
    monkeypatch.setenv("SOVDECK_HOME", str(tmp_path / "ours"))
    monkeypatch.setattr("sovdeck.remote.servers.server.SystemKeyring", Ring)
    monkeypatch.setattr(Ring, "kept", {})
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return AppPaths.locate()


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def add_box(session: AppPaths, here: House) -> None:
    """Save the server of the test, with its host key."""
    section = ServerSection(ssh=here.spec().format(), host_key=here.fingerprint)
    servers_file.add_server(session, "box", section)


def type_in(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(line + "\n"))


def test_login_once_installs_a_key_and_no_password_is_needed_again(
    house: Build,
    session: AppPaths,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = tmp_path / "server home"
    home.mkdir()
    rules = Rules(password=PASSWORD, authorized=home / ".ssh" / "authorized_keys")
    here = house(rules, home=home)
    servers_file.add_server(session, "box", ServerSection(ssh=here.spec().format()))
    type_in(monkeypatch, PASSWORD)
    words = ["server", "login", "box", "--password-stdin", "--install-key", "--json"]
    assert main([*words, "--accept-host-key", here.fingerprint]) == 0
    last = said(capsys)[-1]
    assert last == {"status": "ok", "name": "box", "method": "publickey", "did": "key"}
    type_in(monkeypatch, "")
    assert main(words) == 0  # again: nothing is left to do
    assert said(capsys)[-1]["did"] == "nothing"
    assert (home / ".ssh" / "authorized_keys").read_text().count("\n") == 1
    assert rules.offered.count("password") == 1


def test_login_keeps_the_password_when_told_and_forgets_it(
    house: Build,
    session: AppPaths,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = house(Rules(password=PASSWORD))
    add_box(session, here)
    type_in(monkeypatch, PASSWORD)
    assert main(["server", "login", "box", "--password-stdin", "--keep-password"]) == 0
    out = capsys.readouterr().out
    assert "kept in this system's keyring" in out and PASSWORD not in out
    assert Ring.kept == {f"me@127.0.0.1:{here.port}": Secret(PASSWORD)}
    assert main(["server", "check", "box"]) == 0  # nobody is asked
    assert main(["server", "login", "box", "--forget"]) == 0 and Ring.kept == {}
    assert main(["server", "check", "box"]) == 7


def test_a_wrong_password_is_sent_once(
    house: Build,
    session: AppPaths,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = house(Rules(password=PASSWORD))
    add_box(session, here)
    type_in(monkeypatch, "wrong-7261")
    assert main(["server", "login", "box", "--password-stdin"]) == 7
    assert "wrong-7261" not in "".join(capsys.readouterr())
    assert here.rules.offered == ["password"]


def test_lines_to_copy(session: AppPaths, capsys: pytest.CaptureFixture[str]) -> None:
    line = "ssh -p 41022 -i 'my key' -J gate:7 root@2001:db8::7"
    servers_file.add_server(session, "box", ServerSection(ssh=line))
    assert main(["server", "lines", "box"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ssh -p 41022 -i 'my key' -J gate:7 root@2001:db8::7",
        "scp -P 41022 -i 'my key' -J gate:7 FILE 'root@[2001:db8::7]:'",
        "sftp -P 41022 -i 'my key' -J gate:7 'root@[2001:db8::7]'",
        "rsync -a -e 'ssh -p 41022 -i '\"'\"'my key'\"'\"' -J gate:7' FILE 'root@[2001:db8::7]:'",
    ]
    assert main(["server", "lines", "box", "--json"]) == 0
    assert set(said(capsys)[-1]) == {"status", "name", "ssh", "scp", "sftp", "rsync"}


@needs_ssh
@pytest.mark.parametrize(
    "order",
    [["--json", "box", "--"], ["box", "--json", "--"], ["box", "--print", "--json", "--"]],
    ids=" ".join,
)
def test_all_after_two_dashes_is_the_command(
    order: list[str], session: AppPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    servers_file.add_server(session, "box", ServerSection(ssh="root@192.0.2.7"))
    assert main(["ssh", *order, "ls", "-la", "--", "--json"]) == 0
    assert said(capsys)[-1]["argv"][-5:] == ["box", "ls", "-la", "--", "--json"]


@pytest.mark.sshd
@needs_ssh
def test_the_printed_ssh_line_logs_in_with_the_key_we_pinned(
    sshd_v4: Place, session: AppPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    servers_file.add_server(session, "box", ServerSection(ssh=sshd_v4.spec.format()))
    assert main(["server", "check", "box", "--accept-host-key", sshd_v4.fingerprint]) == 0
    capsys.readouterr()
    assert main(["ssh", "--json", "box", "--", "echo", "hello"]) == 0
    argv = said(capsys)[-1]["argv"]
    assert argv[:2] == ["ssh", "-F"] and argv[-3:] == ["box", "echo", "hello"]
    strict = ["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"]
    done = subprocess.run([*argv[:3], *strict, *argv[3:]], capture_output=True)
    assert done.stdout == b"hello\n", done.stderr


@pytest.mark.sshd
@needs_ssh
def test_ssh_goes_through_hops_whose_keys_we_pinned(
    sshd_v4: Place, session: AppPaths, tmp_path: Path
) -> None:
    """The target is reached through itself; no key is in the user's known_hosts."""
    spec = replace(sshd_v4.spec, jump=(replace(sshd_v4.spec, identity=()),))
    trust = HostKeyPolicy(
        session.known_hosts, accepted_fingerprints=frozenset({sshd_v4.fingerprint})
    )
    from sovdeck.remote.ssh.client import SSHConnection

    SSHConnection.connect(spec, trust=trust, credentials=sshd_v4.credentials()).close()
    write_host_blocks(tmp_path / "hosts", {"box": spec}, session.known_hosts)
    strict = ["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"]
    argv = ["ssh", "-F", str(tmp_path / "hosts"), *strict, "box", "echo", "hello"]
    done = subprocess.run(argv, capture_output=True)
    assert done.stdout == b"hello\n", done.stderr


def test_print_only_prints(session: AppPaths, capsys: pytest.CaptureFixture[str]) -> None:
    servers_file.add_server(session, "box", ServerSection(ssh="root@h"))
    assert main(["ssh", "box", "--print"]) == 0
    assert capsys.readouterr().out == f"ssh -F {session.ssh_config_file} box\n"
    assert "Include ~/.ssh/config" in session.ssh_config_file.read_text()


def test_no_ssh_program_is_said(
    session: AppPaths, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    servers_file.add_server(session, "box", ServerSection(ssh="root@h"))
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert main(["ssh", "box"]) == 2
    assert "There is no ssh program" in capsys.readouterr().err


def test_include_is_asked_for_kept_up_and_taken_back(
    session: AppPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Path.home() / ".ssh" / "config"
    config.parent.mkdir(parents=True)
    config.write_text("Host *\n  User x\n")
    servers_file.add_server(session, "box", ServerSection(ssh="root@h"))
    for changed in (True, False):
        assert main(["server", "include", "--json"]) == 0
        assert said(capsys)[-1]["changed"] is changed
    assert config.read_text().splitlines()[1:] == ["Host *", "  User x"]
    assert main(["server", "add", "ssh -p 7 u@later", "--name", "later", "--no-check"]) == 0
    assert "Host later\n    HostName later\n    Port 7\n" in session.ssh_hosts_file.read_text()
    assert main(["server", "rm", "later"]) == 0
    assert "later" not in session.ssh_hosts_file.read_text()
    assert main(["server", "include", "--remove"]) == 0
    assert config.read_text() == "Host *\n  User x\n"
    capsys.readouterr()
    assert main(["server", "include", "--remove", "--json"]) == 0
    assert said(capsys)[-1]["changed"] is False


def test_nothing_of_the_users_is_touched_without_being_asked(session: AppPaths) -> None:
    servers_file.add_server(session, "box", ServerSection(ssh="root@h"))
    assert main(["ssh", "box", "--print"]) == 0
    assert main(["server", "lines", "box"]) == 0
    assert not (Path.home() / ".ssh").exists()


@pytest.mark.parametrize(
    ("given", "found"), [("8000", (8000, 8000)), ("9000:80", (9000, 80))], ids=["one", "two"]
)
def test_ports(given: str, found: tuple[int, int]) -> None:
    assert parse_ports(given) == found


@pytest.mark.parametrize("given", ["", "x", "1:", "0", "70000:1", "1:2:3"])
def test_what_is_no_port(given: str) -> None:
    with pytest.raises(Problem, match="port"):
        parse_ports(given)


FAKE_BOARD = """#!/bin/sh
[ "$1" = -c ] && exit {code}
echo "$@" >"{folder}/argv"
echo $$ >"{folder}/pid"
exec "{python}" -c '
import http.server
board = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
print("TensorBoard 2.20 at http://127.0.0.1:%d/ (Press CTRL+C to quit)" % board.server_port)
import sys; sys.stdout.flush(); board.serve_forever()'
"""


def fake_python(folder: Path, code: int = 0) -> str:
    path = folder / "python"
    path.write_text(FAKE_BOARD.format(code=code, folder=folder, python=sys.executable))
    path.chmod(0o755)
    return str(path)


@pytest.mark.sshd
def test_tensorboard_is_carried_here_and_ends_with_us(sshd_v4: Place, tmp_path: Path) -> None:
    with sshd_v4.connect() as link:
        board = tensorboard.start_tensorboard(link, fake_python(tmp_path), "/work/logs")
        with link.forward(0, "127.0.0.1", board.port) as forward:
            url = f"http://127.0.0.1:{forward.port}/"
            assert urllib.request.urlopen(url, timeout=20).status == 200
        assert not board.wait_ended(0.05)
        said = (tmp_path / "argv").read_text()
        assert "--logdir /work/logs --host 127.0.0.1 --port 0" in said
        board.close()
    pid = (tmp_path / "pid").read_text().strip()
    wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_server_without_tensorboard_says_so(embedded: Place, tmp_path: Path) -> None:
    with embedded.connect() as link, pytest.raises(Problem) as caught:
        tensorboard.start_tensorboard(link, fake_python(tmp_path, code=1), "/work/logs")
    assert caught.value.key == "remote.connection.no_tensorboard"


@pytest.mark.sshd
def test_forward_carries_a_port_until_interrupted(
    sshd_v4: Place, session: AppPaths, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Ctrl+C comes when the forwarded port was used."""
    servers_file.add_server(
        session, "box", ServerSection(ssh=sshd_v4.spec.format(), host_key=sshd_v4.fingerprint)
    )
    with socket.create_server(("127.0.0.1", 0)) as far, socket.create_server(("", 0)) as spare:
        local = spare.getsockname()[1]
        spare.close()
        threading.Thread(target=lambda: far.accept()[0].sendall(b"hello"), daemon=True).start()
        answers: list[bytes] = []

        def interrupt(_seconds: float) -> None:
            with socket.create_connection(("127.0.0.1", local), timeout=20) as near:
                answers.append(near.recv(5))
            raise KeyboardInterrupt

        monkeypatch.setattr("sovdeck.tui.cli.commands.forward.time.sleep", interrupt)
        assert main(["forward", "box", f"{local}:{far.getsockname()[1]}"]) == 0
    assert answers == [b"hello"]
    out = capsys.readouterr().out
    assert re.search(rf"http://127.0.0.1:{local} is now port \d+ of box's own loopback", out)
    assert "closed again" in out
