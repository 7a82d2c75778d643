"""WeChat messages by AutoDL: the documented request, its refusals, and a token shown nowhere."""

from __future__ import annotations

import http.server
import io
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.config.sections import NotifySection
from sovdeck.remote.notify import wechat
from sovdeck.remote.secret import Secret
from sovdeck.tui.cli.main import main
from sovdeck.tui.notify.run_notifier import RunNotifier
from sovdeck.tui.state.models import RunEnd

TOKEN = "T0K3N-planted-7261"
END = RunEnd("gpu", "20261122-anna", "Anna", "failed", 4)


class Ring:
    """A keyring in memory."""

    kept: dict[str, Secret] = {}

    def get_password(self, account: str) -> Secret | None:
        return self.kept.get(account)

    def set_password(self, account: str, secret: Secret) -> None:
        self.kept[account] = secret

    def delete_password(self, account: str) -> bool:
        return self.kept.pop(account, None) is not None


class Messages(http.server.BaseHTTPRequestHandler):
    """The endpoint; `answer` is (status, body)."""

    posts: list[tuple[str, str | None, Any]] = []
    answer: tuple[int, bytes] = (200, b"")

    def do_POST(self) -> None:  # noqa: N802 - the library's name
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.posts.append((self.path, self.headers["Authorization"], body))
        status, content = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(autouse=True)
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The endpoint on this computer, which takes every message."""
    monkeypatch.delenv(wechat.TOKEN_VARIABLE, raising=False)
    monkeypatch.setattr(Messages, "posts", [])
    monkeypatch.setattr(Messages, "answer", (200, b'{"code": "Success", "msg": "", "data": null}'))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Messages)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(wechat, "BASE", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    server.server_close()


def notify(**kept: Secret) -> list[Problem]:
    ring = Ring()
    ring.kept = {f"notify:{name}": token for name, token in kept.items()}
    return RunNotifier(NotifySection(wechat=True), ring, "zh").notify(END)


def test_the_end_of_a_run_is_told_by_wechat() -> None:
    assert notify(wechat=Secret(TOKEN)) == []
    ((path, authorization, body),) = Messages.posts
    assert path == "/api/v1/wechat/message/send" and authorization == TOKEN  # without "Bearer"
    assert body == {"title": "sovdeck", "name": "Anna", "content": "gpu 上的 Anna：失败。"}


def test_the_token_of_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(wechat.TOKEN_VARIABLE, "from-the-environment")
    assert notify() == [] and Messages.posts[0][1] == "from-the-environment"


def test_without_a_token_it_says_how_to_keep_one() -> None:
    (problem,) = notify()
    assert problem.key == "remote.wechat.no_token" and Messages.posts == []
    assert "sovdeck notify set wechat" in problem.sentence()


def test_long_parts_are_cut() -> None:
    wechat.send_message(Secret(TOKEN), "t" * 50, "n" * 50, "c" * 500)
    assert [len(part) for part in Messages.posts[0][2].values()] == [20, 20, 200]


@pytest.mark.parametrize(
    ("answer", "code", "why"),
    [
        ((401, b'{"code": "AuthorizeFailed"}'), ExitCode.REFUSED, "HTTP 401"),
        ((200, b'{"code": "AuthorizeFailed", "msg": "no"}'), ExitCode.REFUSED, "AuthorizeFailed"),
        ((200, b"[1]"), ExitCode.REFUSED, "None"),
        ((200, b"<html>"), ExitCode.UNREACHABLE, "no JSON"),
        ((500, b"{}"), ExitCode.UNREACHABLE, "HTTP 500"),
    ],
)
def test_a_message_that_was_not_sent_is_said_once_without_the_token(
    answer: tuple[int, bytes], code: ExitCode, why: str
) -> None:
    Messages.answer = answer
    (problem,) = notify(wechat=Secret(TOKEN))
    assert problem.exit_code is code and why in problem.sentence()
    assert TOKEN not in problem.sentence() + problem.sentence("zh") + repr(problem.facts)
    assert problem.__cause__ is None and len(Messages.posts) == 1


def test_set_test_and_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOVDECK_HOME", str(tmp_path / "ours"))
    monkeypatch.setenv("SOVDECK_LANG", "en")
    monkeypatch.setattr("sovdeck.tui.cli.commands.notify.SystemKeyring", Ring)
    monkeypatch.setattr(Ring, "kept", {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO("not one word\n"))
    assert main(["notify", "set", "wechat"]) == 2 and Ring.kept == {}
    monkeypatch.setattr(sys, "stdin", io.StringIO(TOKEN + "\n"))
    assert main(["notify", "set", "wechat"]) == 0
    assert Ring.kept == {"notify:wechat": Secret(TOKEN)}
    said = capsys.readouterr()
    assert "wechat = true" in said.out and TOKEN not in said.out + said.err
    assert main(["notify", "test"]) == 2 and Messages.posts == []  # deploy.toml names nobody
    assert main(["notify", "test", "wechat"]) == 0 and len(Messages.posts) == 1
    (tmp_path / "deploy.toml").write_text("[notify]\nwechat = true\n")
    assert main(["notify", "test"]) == 0 and len(Messages.posts) == 2
    assert main(["notify", "off", "wechat"]) == 0 and Ring.kept == {}
    assert main(["notify", "test"]) == 2
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or TOKEN not in file.read_text(errors="replace")
