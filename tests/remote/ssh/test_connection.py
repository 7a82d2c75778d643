"""Commands, streams and SFTP bytes over a real OpenSSH and over the embedded server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Event, current_thread
from typing import Any

import paramiko
import pytest
from servers import CutProxy, Place

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.ssh.client import ConnectionLost, SSHConnection

PLACES = [
    "embedded",
    pytest.param("sshd_v4", marks=pytest.mark.sshd),
    pytest.param("sshd_v6", marks=pytest.mark.sshd),
]


@pytest.fixture(scope="module", params=PLACES)
def link(request: pytest.FixtureRequest) -> Iterator[SSHConnection]:
    place: Place = request.getfixturevalue(request.param)
    with place.connect() as one:
        yield one


def test_words_arrive_as_they_were_given(link: SSHConnection) -> None:
    words = ["a b", "-rf", "$HOME", "`id`", '"', "'", "\\", "x\ny", "", "日本"]
    result = link.run(["printf", "%s|", *words])
    assert result.out.decode() == "".join(word + "|" for word in words)
    assert (result.code, result.err) == (0, b"")


def test_exit_codes_and_errors_are_the_programs_own(link: SSHConnection) -> None:
    result = link.run(["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (result.code, result.out, result.err) == (7, b"out\n", b"err\n")


@pytest.mark.parametrize(("name", "number"), [("KILL", 9), ("SEGV", 11), ("TERM", 15)])
def test_a_program_that_a_signal_ended_says_which(
    link: SSHConnection, name: str, number: int
) -> None:
    assert link.run(["sh", "-c", f"kill -{name} $$"]).code == 128 + number


def test_large_input_comes_back_whole(link: SSHConnection) -> None:
    data = bytes(range(256)) * 20_000
    assert link.run(["cat"], stdin=data).out == data


def test_input_nobody_reads_does_not_hang(link: SSHConnection) -> None:
    assert link.run(["true"], stdin=b"x" * 8_000_000).code == 0


def test_a_script_gets_its_arguments(link: SSHConnection) -> None:
    result = link.script('for word; do printf "<%s>" "$word"; done', ["a b", "-x", "$y"])
    assert result.out == b"<a b><-x><$y>"


def test_a_command_that_does_not_end_is_given_up(link: SSHConnection) -> None:
    with pytest.raises(Problem) as caught:
        link.run(["sleep", "30"], timeout=0.3)
    assert caught.value.key == "remote.connection.too_long"
    assert link.run(["true"]).code == 0


def test_an_answer_without_end_is_cut_off(embedded: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sovdeck.remote.ssh.command.ANSWER_LIMIT", 1 << 20)
    with embedded.connect() as link:
        with pytest.raises(Problem) as caught:
            link.run(["sh", "-c", "while :; do echo 0123456789abcdef0123456789abcdef; done"])
        assert caught.value.key == "remote.connection.too_much"
        assert "1.0 MB" in caught.value.message.en
        assert link.run(["echo", "still"]).out == b"still\n"


def test_lines_come_one_by_one_and_the_last_may_lack_a_newline(link: SSHConnection) -> None:
    stream = link.open_stream(["sh", "-c", "printf 'a\\n\\nb'; exit 3"])
    assert list(stream.lines()) == [b"a", b"", b"b"]
    assert stream.exit_code == 3


def test_a_stream_talks_both_ways(link: SSHConnection) -> None:
    with link.open_stream(["cat"]) as stream:
        stream.write(b"ping\n")
        assert stream.read() == b"ping\n"
        stream.close_write()
        assert stream.read() == b""
        assert stream.exit_code == 0


def test_a_command_started_ahead_is_the_one_that_runs(link: SSHConnection) -> None:
    argv = ["sh", "-c", "echo $$; cat"]
    link.prestart(argv)
    with link.open_stream(argv) as stream:
        first = stream.read()
        link.prestart(argv)
        assert link.run(argv, stdin=b"more").out.endswith(b"more")
        stream.close_write()
        assert stream.read() == b""
    assert link.run(argv).out != first, "each start serves once"


def test_sftp_bytes_flow(link: SSHConnection) -> None:
    with link.open_sftp() as stream:
        stream.write(b"\0\0\0\5\1\0\0\0\3")
        reply = stream.read()
        assert reply[4] == 2 and reply[5:9] == b"\0\0\0\3"


def test_a_job_with_its_own_session_outlives_the_link(embedded: Place) -> None:
    with embedded.connect() as link:
        link.run(
            [
                "sh",
                "-c",
                "setsid sh -c 'sleep 0.5; echo done > survived' >/dev/null 2>&1 </dev/null &",
            ]
        )
    file = embedded.home / "survived"
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert file.read_text() == "done\n"


def test_a_cut_is_told_from_an_end(embedded: Place, cut_proxy: Callable[[Place], CutProxy]) -> None:
    proxy = cut_proxy(embedded)
    with embedded.through(proxy).connect() as link:
        stream = link.open_stream(["sh", "-c", "echo a; sleep 30"])
        assert stream.read() == b"a\n"
        proxy.reset()
        with pytest.raises(ConnectionLost) as caught:
            stream.read()
        assert caught.value.exit_code is ExitCode.UNREACHABLE
        assert not link.alive


@pytest.mark.parametrize("uploading", [False, True])
def test_a_silent_link_is_noticed_within_five_seconds(
    embedded: Place, cut_proxy: Callable[[Place], CutProxy], uploading: bool
) -> None:
    proxy = cut_proxy(embedded)
    with embedded.through(proxy).connect() as link:
        stream = link.open_stream(["cat"])
        stream.write(b"a\n")
        assert stream.read() == b"a\n"
        proxy.silent = True
        begun = time.monotonic()
        with pytest.raises(ConnectionLost):
            if uploading:
                stream.write(b"x" * 100_000_000)
            stream.read()
        assert time.monotonic() - begun < 5.0
    proxy.silent = False


@pytest.mark.parametrize("word", ["ending", "data"])
def test_a_last_word_overtaken_by_the_channels_end_harms_no_other(
    link: SSHConnection, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = link.open_stream(["sleep", "0.2"])
    transport = link._transport
    assert isinstance(transport, paramiko.Transport)
    pass_on, answered, sender = transport._send_user_message, Event(), current_thread()

    def overtaken(message: Any) -> None:
        if current_thread() is sender:
            assert answered.wait(60)
        pass_on(message)
        if current_thread() is not sender and stream._channel.closed:
            answered.set()

    monkeypatch.setattr(transport, "_send_user_message", overtaken)
    if word == "ending":
        stream.close_write()
    else:
        stream.write(b"to nobody")
    monkeypatch.undo()
    assert stream.read() == b"" and stream.exit_code == 0
    assert link.run(["echo", "still here"]).out == b"still here\n"


@pytest.mark.sshd
def test_what_the_server_says_at_its_end_is_told_every_time(sshd_v4: Place) -> None:
    with sshd_v4.connect() as link:
        message = paramiko.Message()
        message.add_byte(paramiko.common.cMSG_CHANNEL_EOF)
        message.add_int(4711)  # a channel that never was
        transport = link._transport
        assert isinstance(transport, paramiko.Transport)
        transport._send_user_message(message)
        transport.join(60)
        assert not link.alive
        for _ in range(2):
            with pytest.raises(ConnectionLost) as caught:
                link.run(["true"])
            assert "the server ended it" in caught.value.sentence()
            assert "nonexistent" in caught.value.sentence()
