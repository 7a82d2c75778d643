"""`sovdeck serve`: who may ask is decided on the laptop, and no token is in an argument."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import pytest

from sovdeck.engine.commands import serve as engine_serve
from sovdeck.engine.contract.catalogue import Language
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.secret import Secret
from sovdeck.tui.cli.commands import serve
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.parser import LocalizedParser
from sovdeck.tui.cli.prompts import TerminalDialog
from sovdeck.tui.cli.serve_token import KEYRING_ACCOUNT, find_token

TOKEN = "a-long-secret-of-letters-42"


def parse(*argv: str) -> argparse.Namespace:
    parser = LocalizedParser(key_prefix="serve")
    serve.add_arguments(parser)
    return parser.parse_args(argv)


class Dialog(TerminalDialog):
    """A person who types and agrees, or is not there."""

    def __init__(self, typed: str | None = None, agrees: bool = True, there: bool = True) -> None:
        super().__init__(Console(language="en", json_output=False))
        self.typed, self.agrees, self.there, self.asked = typed, agrees, there, 0

    @property
    def can_ask(self) -> bool:
        return self.there

    def secret(self, server: str, prompt: str, *, again: bool = False) -> Secret | None:
        self.asked += 1
        return None if self.typed is None else Secret(self.typed)

    def confirm(self, key: str, **facts: Any) -> bool:
        return self.agrees


class Keyring(dict[str, Secret]):
    """A keyring in memory."""

    def get_password(self, account: str) -> Secret | None:
        return self.get(account)

    def set_password(self, account: str, secret: Secret) -> None:
        self[account] = secret


def test_the_token_is_of_the_environment_the_keyring_or_typed() -> None:
    kept = Keyring({KEYRING_ACCOUNT: Secret("kept")})
    dialog = Dialog("typed")
    assert find_token({"SOVDECK_SERVE_TOKEN": " given "}, kept, dialog) == Secret("given")
    assert find_token({}, kept, dialog) == Secret("kept")
    assert dialog.asked == 0
    for agrees in (False, True):
        empty = Keyring()
        assert find_token({}, empty, Dialog("typed", agrees)) == Secret("typed")
        assert (KEYRING_ACCOUNT in empty) is agrees
    assert find_token({}, Keyring(), Dialog(there=False)) is None
    assert find_token({}, Keyring(), Dialog(None)) is None


def test_the_options_reach_the_engine_and_are_understood_there() -> None:
    args = parse(
        "gpu",
        "Anna",
        "--allow-host",
        "host.docker.internal",
        "--allow-origin",
        "http://a:1",
        "--keep-takes",
        "5",
        "--memory",
        "1.5",
        "--bind",
        "0.0.0.0",
        "--device",
        "cpu",
    )
    options = serve.serve_options(args)
    parser = argparse.ArgumentParser()
    engine_serve.add_arguments(parser)
    there = parser.parse_args(["Anna", *options])
    assert there.allow_host[0] == "host.docker.internal" and len(there.allow_host) == 2
    assert there.allow_origin == ["http://a:1"]
    assert (there.keep_takes, there.memory, there.device) == (5.0, 1.5, "cpu")


def test_another_address_needs_a_token_before_anything_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SOVDECK_SERVE_TOKEN", raising=False)
    monkeypatch.setattr(serve, "SystemKeyring", Keyring)
    monkeypatch.setattr(serve, "open_session", lambda *_: pytest.fail("opened"))
    for argv in (["--bind", "0.0.0.0"], ["--bind", "192.168.1.5"], ["--token"]):
        with pytest.raises(Problem) as caught:
            serve.run(parse("gpu", "Anna", *argv), Console(language="en", json_output=True))
        assert caught.value.key == "remote.speak.needs_token"
    with pytest.raises(Problem) as named:
        serve.run(
            parse("gpu", "Anna", "--bind", "my-laptop"), Console(language="en", json_output=True)
        )
    assert named.value.key == "remote.speak.bad_address"


@pytest.mark.parametrize(
    ("bind", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "[::1]")],
)
def test_the_address_is_one_that_works_here(bind: str, shown: str) -> None:
    assert serve.shown_address(bind) == shown


def test_the_examples_name_a_token_and_show_none() -> None:
    plain: Sequence[str] = serve.curl_examples("http://127.0.0.1:1", "Anna")
    assert "Authorization" not in "".join(plain)
    for line in serve.curl_examples("http://127.0.0.1:1", "Anna", True):
        assert "Authorization: Bearer TOKEN" in line


class Session:
    """A server that has two voices."""

    name = "gpu"

    def connection(self) -> None:
        return None

    def layout(self) -> None:
        return None


@pytest.mark.parametrize(
    ("argv", "voice", "others"),
    [
        (["gpu"], None, []),
        (["gpu", "Anna"], "Anna", []),
        (["gpu", "home"], None, ["home"]),
        (["gpu", "home", "lab"], None, ["home", "lab"]),
        (["gpu", "Anna", "home", "home", "gpu"], "Anna", ["home"]),
        (["gpu", "lab"], "lab", []),  # a voice of gpu is called so as well
        (["gpu", "lab", "--also", "lab"], "lab", ["lab"]),
        (["gpu", "Anna", "--also", "lab"], "Anna", ["lab"]),
    ],
)
def test_a_name_is_a_voice_or_another_server(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], voice: str | None, others: list[str]
) -> None:
    monkeypatch.setattr(serve, "read_server_names", lambda _: ("gpu", "lab", "home"))
    monkeypatch.setattr(serve, "list_voices", lambda *_: ("Anna", "lab"))
    args = parse(*argv)
    session: Any = Session()
    console = Console(language="en", json_output=True)
    assert serve.find_others(args, session, console) == others
    assert args.voice == voice


@pytest.mark.parametrize("code", [ExitCode.UNREACHABLE, ExitCode.REFUSED])
def test_a_first_server_that_is_away_keeps_no_other_from_being_served(
    monkeypatch: pytest.MonkeyPatch, code: ExitCode
) -> None:
    def fail(*_: object) -> None:
        raise Problem("remote.speak.server_away", code, server="gpu")

    monkeypatch.setattr(serve, "read_server_names", lambda _: ("gpu", "lab", "home"))
    monkeypatch.setattr(serve, "list_voices", fail)
    args = parse("gpu", "lab", "home")
    session: Any = Session()
    console = Console(language="en", json_output=True)
    if code is ExitCode.REFUSED:  # a person can mend that, and is there
        with pytest.raises(Problem):
            serve.find_others(args, session, console)
    else:
        assert serve.find_others(args, session, console) == ["lab", "home"]
        assert args.voice is None


@pytest.mark.parametrize(
    ("language", "away", "back"),
    [
        ("en", "The voices of lab are away until it answers again", "answer again."),
        ("zh", "lab 的声音暂时不可用，正在自动重试", "已恢复。"),
    ],
)
def test_one_sentence_says_that_a_server_is_away_or_back(
    capsys: pytest.CaptureFixture[str], language: Language, away: str, back: str
) -> None:
    console = Console(language=language, json_output=False)
    ended = Problem(
        "remote.speak.ended", ExitCode.INTERNAL, server="lab", why="Killed", log="lab.txt"
    )
    serve.print_change(ended, "lab", "http://127.0.0.1:1", console)
    serve.print_change(None, "lab", "http://127.0.0.1:1", console)
    lines = capsys.readouterr().out.strip().split("\n")
    assert len(lines) == 2 and away in lines[0] and lines[0].endswith("Killed")
    assert lines[1].endswith(back)
