"""The endpoints, over a real socket on the loopback address."""

from __future__ import annotations

import io
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
import uvicorn

from engine.contract.problem import Problem
from engine.speaking.http import build
from engine.speaking.http_command import listen
from engine.speaking.service import Service
from engine.speaking.studio import Studio

TEXT = "おはようございます。"


@pytest.fixture(scope="module")
def address(work: Path) -> Iterator[str]:
    service = Service(Studio(work, "Test"))
    service.load()
    listener = listen(0)
    server = uvicorn.Server(uvicorn.Config(build(service), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=20)
    assert not thread.is_alive()


def post(url: str, body: dict[str, Any], **headers: str) -> tuple[int, bytes, Any]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "opus"])
def test_an_openai_client_gets_its_sound(address: str, kind: str) -> None:
    body = {"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": kind,
            "infer": {"text_lang": "all_ja", "seed": 3}}  # fmt: skip
    status, content, headers = post(f"{address}/v1/audio/speech", body)
    assert status == 200 and headers["X-Seed"] == "3"
    samples, rate = soundfile.read(io.BytesIO(content))
    assert rate == 32_000 and len(samples) > 16_000 and abs(samples).max() > 0


def test_an_api_v2_client_gets_a_wav(address: str, clip: Callable[..., Path]) -> None:
    body = {"text": TEXT, "text_lang": "all_ja", "ref_audio_path": str(clip(4.0)),
            "prompt_text": "今日は", "prompt_lang": "all_ja", "seed": 3, "batch_size": 4,
            "text_split_method": "cut1"}  # fmt: skip
    status, content, headers = post(f"{address}/tts", body)
    assert status == 200 and headers["Content-Type"] == "audio/wav"
    query = urllib.parse.urlencode(body)
    with urllib.request.urlopen(f"{address}/tts?{query}", timeout=60) as answer:
        assert answer.read() == content
    with wave.open(io.BytesIO(content)) as file:
        assert file.getframerate() == 32_000


def test_streaming_says_the_same_as_waiting(address: str) -> None:
    body = {"text": TEXT + "散歩に行きましょう。", "text_lang": "all_ja", "seed": 4,
            "text_split_method": "cut5"}  # fmt: skip
    _, whole, _ = post(f"{address}/tts", body)
    status, streamed, _ = post(f"{address}/tts", {**body, "streaming_mode": True})
    assert status == 200 and streamed[:4] == b"RIFF" and streamed[44:] == whole[44:]
    _, raw, _ = post(f"{address}/tts", {**body, "streaming_mode": True, "media_type": "raw"})
    assert raw == whole[44:]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": "。。。", "text_lang": "all_ja"}, "engine.speaking.no_words"),
        ({"text": "。。。", "streaming_mode": True}, "engine.speaking.no_words"),
        ({"text": ""}, "engine.speaking.missing"),
        ({"text": TEXT, "text_lang": "tlh"}, "engine.params.out_of_range"),
        ({"text": TEXT, "text_split_method": "cut9"}, "engine.params.out_of_range"),
        ({"text": TEXT, "media_type": "aac"}, "engine.speaking.sound_type"),
        ({"text": TEXT, "media_type": "mp3", "streaming_mode": 1}, "engine.speaking.no_stream"),
        ({"text": TEXT, "ref_audio_path": "/nowhere.wav"}, "engine.speaking.reference_missing"),
    ],
)
def test_errors_are_answers(address: str, body: dict[str, Any], code: str) -> None:
    status, content, _ = post(f"{address}/tts", body)
    answer = json.loads(content)
    assert status == 400 and answer["error"]["code"] == code
    assert answer["message"] == answer["error"]["message"]
    assert answer["exception"]["message"]["zh"]


def test_weights_can_be_changed(address: str) -> None:
    for kind, name in (("gpt", "Test-e2.ckpt"), ("sovits", "Test_e2_s200.pth")):
        with urllib.request.urlopen(f"{address}/set_{kind}_weights?weights_path={name}") as answer:
            assert json.load(answer) == {"message": "success"}
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"{address}/set_gpt_weights?weights_path=none.ckpt")
    with urllib.request.urlopen(f"{address}/v1/models") as answer:
        assert [one["id"] for one in json.load(answer)["data"]] == ["Test"]


def test_another_host_name_is_refused(address: str) -> None:
    status, _, _ = post(f"{address}/tts", {"text": TEXT}, Host="evil.example")
    assert status == 400


def test_a_taken_port_is_one_sentence() -> None:
    taken = listen(0)
    with pytest.raises(Problem) as caught:
        listen(taken.getsockname()[1])
    taken.close()
    assert caught.value.key == "engine.speaking.port"
