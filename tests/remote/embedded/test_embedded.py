"""The embedded server: one key, loopback only, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from scripted_sshd import wait_until
from servers import Place, start_embedded

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.keypair import generate_key
from sovdeck.remote.embedded import client as embedded_client
from sovdeck.remote.embedded.server import choose_loopback
from sovdeck.remote.ssh.client import SftpUnavailable

ROOT = Path(__file__).resolve().parents[3]


def answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def test_windows_is_told_that_it_cannot_be_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(Problem) as caught:
        embedded_client.start_embedded(tmp_path, tmp_path)
    assert caught.value.key == "remote.connection.embedded_windows"
    assert "WSL" in caught.value.hint.en and not embedded_client.is_embedded_installed()


def test_it_listens_on_loopback_only(embedded: Place) -> None:
    assert embedded.spec.host == choose_loopback() and embedded.spec.host in ("::1", "127.0.0.1")
    assert embedded.spec.port > 1023
    other = "127.0.0.1" if embedded.spec.host == "::1" else "::1"
    assert not answers(other, embedded.spec.port)


def test_another_key_is_refused(embedded: Place, tmp_path: Path) -> None:
    stranger = generate_key(tmp_path / "id")
    spec = replace(embedded.spec, identity=(str(stranger),))
    with pytest.raises(Problem) as caught:
        replace(embedded, spec=spec).connect()
    assert caught.value.exit_code is ExitCode.REFUSED


def test_it_forwards_to_itself_only(embedded: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as here, embedded.connect() as link:
        channel = link.open_tcp("127.0.0.1", here.getsockname()[1])
        here.accept()[0].close()
        channel.close()
        with pytest.raises(Problem) as caught:
            link.open_tcp("192.0.2.1", 80)
        assert caught.value.key == "remote.connection.no_forward"


def test_commands_have_a_home_and_no_agent(embedded: Place) -> None:
    with embedded.connect() as link:
        out = link.run(["sh", "-c", "pwd; echo $HOME; echo ${SSH_AUTH_SOCK-none}"]).out
    home = os.path.realpath(embedded.home)
    lines = out.decode().splitlines()
    assert [os.path.realpath(lines[0]), os.path.realpath(lines[1]), lines[2]] == [
        home,
        home,
        "none",
    ]


def test_it_ends_when_it_is_closed(tmp_path: Path) -> None:
    server = embedded_client.start_embedded(tmp_path / "server", tmp_path / "home")
    assert answers(server.host, server.port)
    server.close()
    assert server.process.returncode == 0
    assert not answers(server.host, server.port)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from sovdeck.remote.embedded.client "
        "import start_embedded;"
        "start_embedded(Path(sys.argv[1]), Path(sys.argv[1]) / 'home'); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT)
    ready = tmp_path / "ready.json"
    wait_until(ready.exists, 30)
    facts = json.loads(ready.read_text())
    assert answers(facts["host"], facts["port"])
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not answers(facts["host"], facts["port"]))


def test_a_job_outlives_the_server(tmp_path: Path) -> None:
    place = start_embedded(tmp_path)
    with place.connect() as link:
        job = "echo $$ > pid; while [ ! -e stop ]; do sleep 0.05; done; echo ended > ended"
        link.run(["sh", "-c", f"setsid sh -c '{job}' >/dev/null 2>&1 </dev/null &"])
        wait_until((place.home / "pid").exists)
    place.process.close()
    time.sleep(0.2)
    assert not (place.home / "ended").exists()
    (place.home / "stop").touch()
    wait_until((place.home / "ended").exists)


def test_a_writer_whose_reader_left_gets_a_broken_pipe(embedded: Place) -> None:
    done = embedded.home / "writer-ended"
    text = 'trap "" PIPE; while echo beat 2>/dev/null; do sleep 0.05; done; echo yes > "$1"'
    link = embedded.connect()
    stream = link.open_stream(["sh", "-c", text, "sh", str(done)])
    assert stream.read(5) == b"beat\n"
    link.close()
    wait_until(done.exists)


def test_it_can_do_without_sftp(tmp_path: Path) -> None:
    place = start_embedded(tmp_path, sftp=False)
    try:
        with place.connect() as link:
            with pytest.raises(SftpUnavailable):
                link.open_sftp()
            assert link.run(["echo", "ok"]).out == b"ok\n"
    finally:
        place.process.close()


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        embedded_client.start_embedded(
            tmp_path / "server", tmp_path / "home", identity=tmp_path / "no-key"
        )
    assert caught.value.key == "remote.connection.no_embedded"
    assert "no-key.pub" in caught.value.sentence()
    assert str(tmp_path / "server" / "embedded.log") in caught.value.sentence()


def test_without_the_demo_s_parts_it_says_which_way_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_client, "SERVER_LIBRARY", "a_library_that_is_not_there")
    with pytest.raises(Problem) as caught:
        embedded_client.start_embedded(tmp_path / "server", tmp_path / "home")
    assert caught.value.exit_code is ExitCode.CONFIG
    for language in ("en", "zh"):
        said = caught.value.sentence(language)
        assert "sovdeck server add" in said and 'pip install ".[demo]"' in said
        assert "Error" not in said and "make" not in said
