"""Who is told when a run ends: a webhook out of the keyring, the desktop; and no address leaks."""

from __future__ import annotations

import http.server
import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.config.sections import NotifySection
from sovdeck.remote.secret import Secret
from sovdeck.tui.cli.main import main
from sovdeck.tui.notify import desktop
from sovdeck.tui.notify.run_notifier import RunNotifier
from sovdeck.tui.state.models import RunEnd

END = RunEnd("gpu", "20261122-anna", "Anna", "failed", 4)
PLANTED = "T0K3N-planted-7261"


class Ring:
    kept: dict[str, Secret] = {}

    def get_password(self, account: str) -> Secret | None:
        return self.kept.get(account)

    def set_password(self, account: str, secret: Secret) -> None:
        self.kept[account] = secret

    def delete_password(self, account: str) -> bool:
        return self.kept.pop(account, None) is not None


class Hook(http.server.BaseHTTPRequestHandler):
    posts: list[Any] = []
    status = 200

    def do_POST(self) -> None:  # noqa: N802 - the library's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posts.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.status)
        if self.status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a webhook on this computer, with a secret in it."""
    monkeypatch.setattr(Hook, "posts", [])
    monkeypatch.setattr(Hook, "status", 200)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{PLANTED}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a deploy.toml that names the webhook, and an empty keyring."""
    monkeypatch.setenv("SOVDECK_HOME", str(tmp_path / "ours"))
    monkeypatch.setattr("sovdeck.remote.auth.keyring_store.SystemKeyring", Ring)
    monkeypatch.setattr("sovdeck.tui.cli.commands.notify.SystemKeyring", Ring)
    monkeypatch.setattr(Ring, "kept", {})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploy.toml").write_text('[notify]\nwebhook = "team"\n')
    return tmp_path


def notifier(hook: str, **settings: Any) -> RunNotifier:
    ring = Ring()
    ring.kept = {"webhook:team": Secret(hook)}
    return RunNotifier(NotifySection(webhook="team", **settings), ring, "en")


def test_a_webhook_gets_json(hook: str) -> None:
    assert notifier(hook).notify(END) == []
    ((path, kind, body),) = Hook.posts
    assert path == f"/{PLANTED}" and kind.startswith("application/json")
    assert body.pop("time") > 0
    said = body["text"]
    assert said == body["content"] and "Anna" in said and "gpu" in said and "failed" in said
    assert {k: body[k] for k in ("source", "event", "server", "run", "voice", "state")} == {
        "source": "sovdeck",
        "event": "run_ended",
        "server": "gpu",
        "run": END.run,
        "voice": "Anna",
        "state": "failed",
    }
    assert body["exit_code"] == 4


@pytest.mark.parametrize(
    ("on", "state", "count"),
    [
        ("always", "succeeded", 1),
        ("failure", "succeeded", 0),
        ("failure", "stopped", 0),
        ("failure", "lost", 1),
    ],
)
def test_only_at_the_ends_one_asked_for(hook: str, on: str, state: str, count: int) -> None:
    notifier(hook, on=on).notify(RunEnd("gpu", "r", "Anna", state))
    assert len(Hook.posts) == count


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_answer_that_is_no_success_is_said_without_the_address(hook: str, status: int) -> None:
    Hook.status = status
    (problem,) = notifier(hook).notify(END)
    assert problem.key == "remote.webhook.refused" and str(status) in problem.sentence()
    assert PLANTED not in problem.sentence() + problem.sentence("zh") + repr(problem.facts)
    assert len(Hook.posts) == 1  # a redirect is not followed


def test_an_unreachable_webhook_does_not_silence_the_desktop() -> None:
    shown: list[tuple[str, str]] = []
    ring = Ring()
    ring.kept = {"webhook:team": Secret(f"http://127.0.0.1:9/{PLANTED}")}
    notify = NotifySection(webhook="team", desktop=True)
    reported = RunNotifier(notify, ring, "zh", lambda title, words: shown.append((title, words)))
    (problem,) = reported.notify(END)
    assert problem.exit_code is ExitCode.UNREACHABLE and PLANTED not in problem.sentence()
    assert problem.__cause__ is None and problem.__suppress_context__
    assert shown == [("sovdeck", "gpu 上的 Anna：失败。")]


@pytest.mark.parametrize("action", ["set", "test", "off"])
def test_an_address_in_place_of_the_name_is_neither_kept_nor_repeated(
    action: str, hook: str, session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["notify", action, hook]) == 2
    said = capsys.readouterr()
    assert PLANTED not in said.out + said.err and "not the address itself" in said.err
    assert Ring.kept == {} and Hook.posts == []


def test_set_test_and_off(
    hook: str, session: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["notify", "test"]) == 2  # nothing is kept yet
    monkeypatch.setattr(sys, "stdin", io.StringIO(hook + "\n"))
    assert main(["notify", "set"]) == 0
    assert Ring.kept == {"webhook:team": Secret(hook)}
    assert main(["notify", "test"]) == 0 and len(Hook.posts) == 1
    monkeypatch.setattr(sys, "stdin", io.StringIO(hook + "\n"))
    assert main(["notify", "set", "other", "--json"]) == 0
    assert main(["notify", "off"]) == 0
    assert list(Ring.kept) == ["webhook:other"]
    printed = "".join(capsys.readouterr())
    assert "deploy.toml" not in printed.split("other")[0] and PLANTED not in printed
    for file in session.rglob("*"):
        assert not file.is_file() or PLANTED not in file.read_text(errors="replace")


@pytest.mark.parametrize(
    "address",
    ["", "hooks.example/x", "ftp://h/x", "http://h.example/x", "https://", "https://[::1"],
)
def test_what_is_no_address_is_not_kept(
    session: Path, monkeypatch: pytest.MonkeyPatch, address: str, capsys: Any
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(address + "\n"))
    assert main(["notify", "set"]) == 2 and Ring.kept == {}
    assert "no address" in capsys.readouterr().err


def test_nobody_to_tell_is_said(session: Path, capsys: Any) -> None:
    (session / "deploy.toml").write_text("")
    assert main(["notify", "test"]) == 2
    assert "Nobody is to be told" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")
def test_the_desktop_is_told_by_its_own_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / desktop.notification_argv("", "")[0]
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/said\nexit ${{FAIL:-0}}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    desktop.show_notification("sovdeck", '-$(touch x) "Anna"')
    assert (tmp_path / "said").read_text().splitlines()[-1] == '-$(touch x) "Anna"'
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(Problem, match="did not show"):
        desktop.show_notification("a", "b")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(Problem, match="This computer has no"):
        desktop.show_notification("a", "b")


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_words_are_arguments_and_never_program_text(platform: str) -> None:
    words = "'; rm -rf / #"
    argv = desktop.notification_argv("title", words, platform)
    assert all(words == one or words not in one for one in argv)


def test_names_of_a_hostile_server_are_plain_text_in_every_notification(hook: str) -> None:
    """A NUL or half a character would end the command; markup would be a link of the server's."""
    odd = "x\0\x1b]0;t\x07\ud800\n<a href='http://evil'>y</a>" + "z" * 1_000_000
    shown: list[str] = []
    ring = Ring()
    ring.kept = {"webhook:team": Secret(hook)}
    config = NotifySection(desktop=True, webhook="team")
    one = RunNotifier(config, ring, "en", lambda title, message: shown.append(message))
    assert one.notify(RunEnd("gpu", odd, odd, "failed", 4)) == []
    _, _, record = Hook.posts[-1]
    for text in (record["voice"], record["run"], record["text"], *shown):
        assert len(text) < 1000 and text.isprintable() and "evil" in text
    assert "<" not in desktop.notification_argv("sovdeck", shown[0], "linux")[-1]
