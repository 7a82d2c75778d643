"""A program on the server that has ended before it was written to: its own last words are told.

Whether the write still goes through is a matter of time; here it never does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.errors import InputClosed
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.http_endpoint import HttpEndpoint
from sovdeck.remote.speech.text_reader import TextReader
from sovdeck.remote.ssh.channel_stream import ChannelStream


@dataclass
class Ended:
    """A deployed engine that cannot even start."""

    layout: Layout

    def engine_argv(self, arguments: Sequence[str]) -> list[str]:
        return ["sh", "-c", "echo no room for torch >&2; exit 9"]


@pytest.fixture
def ended(session: ServerSession, monkeypatch: pytest.MonkeyPatch) -> Ended:
    def refuse(stream: ChannelStream, data: bytes) -> None:
        raise InputClosed("box")

    deployed = Ended(session.layout())
    with session.connect():  # a log-in's own writes come before
        monkeypatch.setattr(ChannelStream, "write", refuse)
    return deployed


def test_a_reader_of_texts(session: ServerSession, ended: Ended) -> None:
    with session.connect() as connection:
        reader = TextReader(connection, ended, "Mei")  # type: ignore[arg-type]
        with pytest.raises(Problem) as caught:
            reader.read("hello", "en")
    assert caught.value.key == "remote.speak.ended"
    assert "no room for torch" in caught.value.message.en


def test_a_served_voice_that_waits_for_its_token(session: ServerSession, ended: Ended) -> None:
    with session.connect() as connection, pytest.raises(Problem) as caught:
        HttpEndpoint(
            lambda: connection,
            ended,  # type: ignore[arg-type]
            "Mei",
            0,
            token=Secret("long enough a secret"),
        )
    assert caught.value.key == "remote.speak.ended"
    assert "no room for torch" in caught.value.message.en
