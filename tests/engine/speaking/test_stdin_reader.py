"""The caller's end of a pipe: what is given up, and when it is all over."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sovdeck.engine.speaking.service import SpeechService
from sovdeck.engine.speaking.stdin_reader import StdinReader
from sovdeck.engine.speaking.stdio_server import serve_lines
from sovdeck.engine.speaking.voice_loader import VoiceLoader


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_lines_come_whole_and_end_with_the_input() -> None:
    here, there = os.pipe()
    reader = StdinReader(here, 60.0)
    os.write(there, "one\nお".encode()[:-1])
    os.write(there, "お".encode()[-1:] + b"\nhalf")
    os.close(there)
    assert list(reader) == ["one", "お"]
    assert not reader.is_wanted(1)


def test_a_silent_caller_is_waited_for_only_so_long(pipe: tuple[int, int]) -> None:
    assert list(StdinReader(pipe[0], 0.05)) == []


def test_a_cancelled_take_ends_at_its_next_piece_and_the_voice_stays(
    work: Path, pipe: tuple[int, int]
) -> None:
    service = SpeechService(VoiceLoader(work, "Test"))
    reader = StdinReader(pipe[0], 60.0)
    cancelled = threading.Event()
    heard: list[tuple[object, object]] = []
    text = "おはようございます。散歩に行きましょう。さようなら。"
    long = {"text": text, "text_lang": "all_ja", "seed": 5, "slice": "zh_period"}

    def say(*requests: dict[str, object]) -> None:
        os.write(pipe[1], "".join(json.dumps(one) + "\n" for one in requests).encode())

    def send(event: dict[str, object]) -> None:
        heard.append((event.get("id"), event["event"]))
        if event["event"] == "piece" and not cancelled.is_set():
            say({"cancel": "a"})
            while reader.is_wanted("a"):
                cancelled.wait(0.01)
            cancelled.set()
            say({"id": "b", "list": True}, {"stop": True})

    say({"id": "a", "speak": long})
    serve_lines(service, reader, send, reader.is_wanted)
    assert heard == [(None, "ready"), ("a", "piece"), ("a", "cancelled"), ("b", "weights")]
    assert service.pipeline is not None
