"""Clients that leave: their work ends within a sentence, and the next request is not held up."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from http_voice import TEXT, Endpoint, serve

from sovdeck.engine.speaking.http.speech_queue import SpeechQueue
from sovdeck.engine.speaking.listener import Listener

BOOK = TEXT * 60
WAY_NAMES = ("whole", "streamed", "early", "openai", "events")
WAYS: list[tuple[str, dict[str, Any]]] = [
    ("/tts", {"text": BOOK}),
    ("/tts", {"text": BOOK, "streaming_mode": 1, "media_type": "ogg"}),
    ("/tts", {"text": BOOK, "streaming_mode": 3, "media_type": "raw"}),
    ("/v1/audio/speech", {"input": BOOK}),
    ("/v1/audio/speech", {"input": BOOK, "stream_format": "sse", "response_format": "pcm"}),
]


class Counted:
    """A service that counts the sentences of each text that were spoken."""

    def __init__(self, endpoint: Endpoint, patch: pytest.MonkeyPatch) -> None:
        self.sentences: dict[str, int] = {}
        self.ended = threading.Semaphore(0)
        service = endpoint.voices.service("Test")
        speak = service.speak_by_chunk

        def counting(params: Any, listener: Any) -> Any:
            text = params["text"]
            self.sentences.setdefault(text, 0)
            try:
                chunks = speak(params, listener)
                while True:
                    try:
                        chunk = next(chunks)
                    except StopIteration as end:
                        return end.value
                    self.sentences[text] += 1
                    yield chunk
            finally:
                self.ended.release()

        patch.setattr(service, "speak_by_chunk", counting)


@pytest.fixture
def voice(work: Path) -> Iterator[Endpoint]:
    with serve(work, jobs=SpeechQueue(limit=8, limit_a_client=3)) as endpoint:
        yield endpoint


def send(endpoint: Endpoint, path: str, body: dict[str, Any], agent: str = "one") -> socket.socket:
    """Send a request and leave the answer unread."""
    there = urlsplit(endpoint.address)
    connection = socket.create_connection((str(there.hostname), int(there.port or 0)))
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {agent}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    connection.sendall(head.encode() + data)
    return connection


@pytest.mark.parametrize(("path", "body"), WAYS, ids=WAY_NAMES)
def test_who_leaves_is_spoken_to_no_longer(
    voice: Endpoint, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any]
) -> None:
    counted = Counted(voice, monkeypatch)
    folder = voice.voices.loader("Test").takes_folder / "serve"
    before = sorted(folder.glob("*"))
    for number in range(4):
        field = "input" if "input" in body else "text"
        connection = send(voice, path, {**body, field: f"{BOOK}{number}"}, f"agent {number}")
        while not counted.sentences.get(f"{BOOK}{number}"):
            assert counted.ended.acquire(timeout=0.02) is False
        connection.close()
        assert counted.ended.acquire(timeout=30), "the take goes on without a listener"
    assert voice.ask("/tts", {"text": TEXT}).status == 200
    spoken = [count for text, count in counted.sentences.items() if text.startswith(BOOK)]
    assert len(spoken) == 4 and max(spoken) <= 8, "of sixty sentences each"
    assert len(sorted(folder.glob("*"))) == len(before) + 2, "an abandoned take leaves nothing"


@pytest.mark.parametrize(("path", "body"), WAYS, ids=WAY_NAMES)
def test_nothing_is_spoken_after_the_part_in_which_the_listener_left(
    voice: Endpoint, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any]
) -> None:
    """Counted, not timed: the first part of sound is held until the server knows."""
    service = voice.voices.service("Test")
    speak = service.speak_by_chunk
    first, ended = threading.Event(), threading.Event()
    parts = 0

    def speak_until_left(params: Any, listener: Listener) -> Any:
        def hear(samples: Any) -> None:
            nonlocal parts
            parts += 1
            listener.on_sound(samples)
            first.set()
            until = time.monotonic() + 60
            while listener.is_there() and time.monotonic() < until:
                time.sleep(0.005)

        try:
            held = Listener(hear, listener.is_there, listener.on_start)
            return (yield from speak(params, held))
        finally:
            ended.set()

    with monkeypatch.context() as patch:
        patch.setattr(service, "speak_by_chunk", speak_until_left)
        connection = send(voice, path, body)
        assert first.wait(60)
        connection.close()
        assert ended.wait(60), "the take goes on without a listener"
    assert parts == 1
    assert voice.ask("/tts", {"text": TEXT}).status == 200


def test_who_leaves_while_waiting_is_never_begun(
    voice: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(voice, monkeypatch)
    first = send(voice, "/tts", {"text": BOOK})
    while not counted.sentences.get(BOOK):
        assert counted.ended.acquire(timeout=0.02) is False
    waiting = [send(voice, "/tts", {"text": f"{TEXT}{number}"}) for number in range(2)]
    answer = voice.ask("/tts", {"text": TEXT}, User_Agent="one")
    while answer.status != 429:  # until both have arrived
        answer = voice.ask("/tts", {"text": TEXT}, User_Agent="one")
    assert answer.code == "engine.http.busy" and 1 <= int(answer.headers["Retry-After"]) <= 120
    assert answer.json["error"]["type"] == "rate_limit_error"
    assert voice.ask("/tts", {"text": TEXT}, User_Agent="another").status == 200
    for connection in (*waiting, first):
        connection.close()
    assert voice.ask("/tts", {"text": TEXT}, User_Agent="one").status == 200
    assert not any(counted.sentences.get(f"{TEXT}{number}") for number in range(2))


@pytest.mark.parametrize("stream", [0, 1])
def test_who_leaves_before_the_first_sound_ends_nothing_else(
    voice: Endpoint, monkeypatch: pytest.MonkeyPatch, stream: int
) -> None:
    counted = Counted(voice, monkeypatch)
    for number in range(3):
        text = f"{BOOK}{number}"
        connection = send(voice, "/tts", {"text": text, "streaming_mode": stream})
        while text not in counted.sentences:
            assert counted.ended.acquire(timeout=0.005) is False
        connection.close()
        assert counted.ended.acquire(timeout=30)
    assert voice.ask("/tts", {"text": TEXT}).status == 200
