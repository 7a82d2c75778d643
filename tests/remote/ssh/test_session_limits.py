"""Within what sshd allows on one connection: slower with one session or two, never broken."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from servers import Place, start_sshd, stop_sshd

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.errors import InputClosed
from sovdeck.remote.probe import probe as probe_module
from sovdeck.remote.probe.probe import probe_server
from sovdeck.remote.ssh import base_connection
from sovdeck.remote.ssh.base_connection import BaseConnection
from sovdeck.remote.ssh.channel_stream import ChannelStream

pytestmark = pytest.mark.sshd


@pytest.fixture(scope="module", params=[1, 2])
def strict(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A real sshd with MaxSessions 1, and one with 2."""
    folder = tmp_path_factory.mktemp(f"sessions{request.param}")
    place = start_sshd(folder, "127.0.0.1", f"MaxSessions {request.param}")
    yield place
    stop_sshd(place)


def test_commands_one_after_another(strict: Place) -> None:
    with strict.connect() as connection:
        for number in range(12):
            assert connection.run(["echo", str(number)]).out == f"{number}\n".encode()
        assert connection._further is not None and connection._further._connections == []


def test_a_program_that_ends_before_its_start_is_answered(
    strict: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # sshd says that it ended, and frees its session a moment later: the next one waits for that.
    open_session = BaseConnection._open_session
    opened: list[Any] = []

    def open_slowly(connection: BaseConnection, window: int) -> Any:
        if len(opened) == 1:
            opened.append(None)
            raise connection._transport.broken[0](1, "Connect failed")
        channel = open_session(connection, window)
        opened.append(channel)
        start = channel.exec_command

        def start_and_wait(text: str) -> None:
            start(text)
            deadline = time.monotonic() + 60
            while not channel.closed and time.monotonic() < deadline:
                time.sleep(0.01)

        channel.exec_command = start_and_wait
        return channel

    monkeypatch.setattr(BaseConnection, "_open_session", open_slowly)
    with strict.connect() as connection:
        connection._preopened.give_up()
        for number in range(4):
            assert connection.run(["echo", str(number)]).out == f"{number}\n".encode()
        assert connection._further is not None and connection._further._connections == []


def test_streams_that_stay_and_commands_beside_them(strict: Place) -> None:
    # As the dashboard: figures, a log, a resident voice, and what a person does meanwhile.
    with strict.connect() as connection:
        streams = [connection.open_stream(["cat"]) for _ in range(3)]
        for number in range(4):
            assert connection.run(["echo", str(number)]).out == f"{number}\n".encode()
        for number, stream in enumerate(streams):
            stream.write(f"line {number}\n".encode())
            assert next(stream.lines()) == f"line {number}".encode()
        with connection.open_sftp() as sftp:
            sftp.write(b"\x00\x00\x00\x05\x01\x00\x00\x00\x03")
            assert sftp.read(5)[4] == 2, "SFTP's VERSION"
        for stream in streams:
            stream.close()
        assert connection.run(["echo", "back"]).out == b"back\n"


def test_many_threads_at_once(strict: Place) -> None:
    answers: list[bytes] = []
    with strict.connect() as connection:
        threads = [
            threading.Thread(
                target=lambda n=number: answers.append(connection.run(["echo", str(n)]).out)
            )
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(answers) == [f"{number}\n".encode() for number in range(8)]


def test_without_a_further_connection_the_next_waits(
    strict: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> BaseConnection:
        raise Problem("remote.auth.needed", 7, server="h", user="me", tried="-")  # type: ignore[arg-type]

    with strict.connect() as connection:
        assert connection._further is not None
        monkeypatch.setattr(connection._further, "_connect", refuse)
        streams = [connection.open_stream(["cat"])]
        while True:
            try:
                monkeypatch.setattr(base_connection, "_WAIT_FOR_SESSION_S", 0.5)
                streams.append(connection.open_stream(["cat"]))
            except Problem as problem:
                assert problem.key == "remote.connection.no_channel"
                break
        monkeypatch.setattr(base_connection, "_WAIT_FOR_SESSION_S", 30.0)
        threading.Timer(0.3, streams[0].close).start()
        assert connection.run(["echo", "next"]).out == b"next\n"


def test_an_sftp_program_that_has_ended_at_once_is_none(
    strict: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the account's shell is nologin: whether it took the hello is a matter of time."""
    write = ChannelStream.write

    def refuse(stream: ChannelStream, data: bytes) -> None:
        if data == probe_module._SFTP_INIT:
            raise InputClosed("box")
        write(stream, data)

    monkeypatch.setattr(ChannelStream, "write", refuse)
    with strict.connect() as connection:
        facts = probe_server(connection, check_access=True)
    assert facts.sftp is False and facts.machine
