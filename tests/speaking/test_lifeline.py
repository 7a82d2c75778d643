"""The caller's end of a pipe: what is given up, and when it is all over."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.speaking.lifeline import Lifeline
from engine.speaking.pipe import answer_lines
from engine.speaking.service import Service
from engine.speaking.studio import Studio


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_lines_come_whole_and_end_with_the_input() -> None:
    here, there = os.pipe()
    lifeline = Lifeline(here, 60.0)
    os.write(there, "one\nお".encode()[:-1])
    os.write(there, "お".encode()[-1:] + b"\nhalf")
    os.close(there)
    assert list(lifeline) == ["one", "お"]
    assert not lifeline.wants(1)


def test_a_silent_caller_is_waited_for_only_so_long(pipe: tuple[int, int]) -> None:
    assert list(Lifeline(pipe[0], 0.05)) == []


def test_a_cancelled_take_ends_at_its_next_piece_and_the_voice_stays(
    work: Path, pipe: tuple[int, int]
) -> None:
    service = Service(Studio(work, "Test"))
    lifeline = Lifeline(pipe[0], 60.0)
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
            while lifeline.wants("a"):
                cancelled.wait(0.01)
            cancelled.set()
            say({"id": "b", "list": True}, {"stop": True})

    say({"id": "a", "speak": long})
    answer_lines(service, lifeline, send, lifeline.wants)
    assert heard == [(None, "ready"), ("a", "piece"), ("a", "cancelled"), ("b", "weights")]
    assert service.speaker is not None
