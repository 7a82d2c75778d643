"""What existing programs send to a voice server, each answered as it needs."""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
import threading
import urllib.parse
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import openai
import pytest
import soundfile
from http_voice import TEXT, Endpoint, serve

from sovdeck.engine.commands.serve import bind_loopback
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.speaking.listener import Listener

LONGER = TEXT + "お茶をどうぞ。"


@pytest.fixture(scope="module")
def voice(work: Path) -> Iterator[Endpoint]:
    with serve(work) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def client(voice: Endpoint) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{voice.address}/v1", api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def tts_wav(voice: Endpoint) -> bytes:
    """One take as api_v2 gives it: 32 kHz, whole."""
    body = {"text": TEXT, "text_lang": "all_ja", "seed": 3}
    return voice.ask("/tts", body).content


def kind_of(data: bytes) -> tuple[str, str, int, int]:
    """Container, codec, rate and samples, as FFmpeg finds them."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        count = sum(frame.samples for frame in container.decode(audio=0))
        return container.format.name, stream.codec_context.name, stream.rate, count


@pytest.mark.parametrize(
    ("name", "container", "codec", "rate"),
    [
        ("wav", "wav", "pcm_s16le", 32_000),
        ("flac", "flac", "flac", 32_000),
        ("mp3", "mp3", "mp3float", 32_000),
        ("opus", "ogg", "opus", 48_000),
        ("aac", "aac", "aac", 32_000),
    ],
)
def test_openais_client_gets_what_it_named(
    client: openai.OpenAI, tts_wav: bytes, name: Any, container: str, codec: str, rate: int
) -> None:
    answer = client.audio.speech.create(
        model="tts-1",
        voice="alloy",
        input=TEXT,
        response_format=name,
        extra_body={"infer": {"text_lang": "all_ja", "seed": 3, "slice": "punct"}},
    )
    data = answer.read()
    assert answer.response.headers["X-Seed"] == "3"
    found = kind_of(data)
    assert found[:3] == (container, codec, rate)
    assert found[3] / rate == pytest.approx((len(tts_wav) - 44) / 64_000, abs=0.09)


def test_pcm_is_24_khz_and_the_same_take(client: openai.OpenAI, tts_wav: bytes) -> None:
    """The same seed is the same take through every entry; only the rate is another."""
    data = client.audio.speech.create(
        model="Test",
        voice="Test",
        input=TEXT,
        response_format="pcm",
        extra_body={"infer": {"text_lang": "all_ja", "seed": 3, "slice": "punct"}},
    ).read()
    slow = np.frombuffer(data, "<i2").astype(float)
    fast = np.frombuffer(tts_wav[44:], "<i2").astype(float)
    assert len(slow) == pytest.approx(len(fast) * 3 / 4, abs=64)
    assert len(data) % 2 == 0
    spectra = [np.abs(np.fft.rfft(part))[:2000] for part in (slow, fast)]
    assert (
        np.corrcoef(np.stack(spectra))[0, 1] > 0.95
    )  # bins of the same length of time: the same pitches


def test_openais_streaming_client_hears_before_the_end(
    client: openai.OpenAI, voice: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any field of ours: the voice is held at its first sound until the client has it."""
    service = voice.voices.service("Test")
    speak, heard = service.speak_by_chunk, threading.Event()

    def speak_once_heard(params: Any, listener: Listener) -> Any:
        def hear(samples: Any) -> None:
            listener.on_sound(samples)
            assert heard.wait(60), "the first sound reaches nobody before the take is whole"

        return (yield from speak(params, Listener(hear, listener.is_there, listener.on_start)))

    monkeypatch.setattr(service, "speak_by_chunk", speak_once_heard)
    before = kept(voice)
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="coral", input=LONGER * 3, response_format="wav"
    ) as answer:
        parts = answer.iter_bytes(4096)
        assert next(parts)[:4] == b"RIFF"
        assert kept(voice) == before, "the take was whole before its first byte came"
        heard.set()
        total = 4096 + sum(map(len, parts))
    assert total > 32_000 and len(kept(voice)) == len(before) + 1


def kept(voice: Endpoint) -> list[Path]:
    folder = voice.voices.loader("Test").takes_folder / "serve"
    return sorted(folder.glob("*.wav"))


def test_server_sent_events(voice: Endpoint) -> None:
    body = {
        "model": "tts-1",
        "voice": "alloy",
        "input": TEXT,
        "response_format": "pcm",
        "stream_format": "sse",
        "infer": {"seed": 3},
    }
    answer = voice.ask("/v1/audio/speech", body)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    lines = answer.content.decode().strip().split("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [e["type"] for e in events[:-1]] == ["speech.audio.delta"] * (len(events) - 1)
    assert events[-1]["type"] == "speech.audio.done"
    sound = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    plain = voice.ask("/v1/audio/speech", {**body, "stream_format": "audio"})
    assert sound == plain.content and len(sound) > 24_000


@pytest.mark.parametrize(
    ("path", "body", "spoken"),
    [
        ("/v1/audio/speech", {"input": TEXT, "speed": 0.25}, "0.5"),
        ("/v1/audio/speech", {"input": TEXT, "speed": 4}, "2"),
        ("/tts", {"text": TEXT, "speed_factor": 3}, "2"),
        ("/tts", {"text": TEXT, "speed_factor": "0.33", "streaming_mode": True}, "0.5"),
        ("/", {"text": TEXT, "speed": 0.4}, "0.5"),
    ],
)
def test_a_speed_out_of_reach_becomes_the_nearest(
    voice: Endpoint, path: str, body: dict[str, Any], spoken: str
) -> None:
    answer = voice.ask(path, body)
    assert answer.status == 200 and answer.headers["X-Speed"] == spoken
    asked = body.get("speed", body.get("speed_factor", "nothing"))
    assert float(answer.headers["X-Speed-Asked"]) == float(asked)


def test_a_speed_in_reach_needs_no_header(voice: Endpoint) -> None:
    assert "X-Speed" not in voice.ask("/tts", {"text": TEXT, "speed_factor": 1.5}).headers


def test_null_is_as_good_as_absent(voice: Endpoint) -> None:
    nothing = dict.fromkeys(("response_format", "speed", "voice", "instructions", "stream_format"))
    answer = voice.ask("/v1/audio/speech", {"model": None, "input": TEXT, **nothing})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "audio/mpeg")
    names = ("media_type", "speed_factor", "seed", "text_split_method", "streaming_mode", "top_k")
    answer = voice.ask("/tts", {"text": TEXT, **dict.fromkeys(names)})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "audio/wav")


def test_lists_of_voices_and_models(client: openai.OpenAI, voice: Endpoint) -> None:
    assert [one.id for one in client.models.list()] == ["Test"]
    assert client.models.retrieve("Test").owned_by == "sovdeck"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("tts-9")
    assert caught.value.code == "engine.http.no_voice"
    # Open WebUI reads these two, XTTS clients the third.
    assert voice.ask("/v1/audio/voices").json == {"voices": [{"id": "Test", "name": "Test"}]}
    assert voice.ask("/v1/audio/models").json == {"models": [{"id": "Test", "name": "Test"}]}
    (speaker,) = voice.ask("/speakers").json
    assert (speaker["name"], speaker["voice_id"]) == ("Test", "Test")


def test_openais_client_understands_a_refusal(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.speech.create(model="tts-1", voice="alloy", input="。。。")
    assert caught.value.code == "engine.speaking.no_words"
    with pytest.raises(openai.NotFoundError) as unknown:
        client.audio.speech.create(model="tts-1", voice="Tset", input=TEXT)
    assert unknown.value.param == "voice" and "Test" in unknown.value.message


def test_a_voice_by_its_newer_spelling(voice: Endpoint) -> None:
    body = {"model": "tts-1", "voice": {"id": "Test"}, "input": TEXT}
    assert voice.ask("/v1/audio/speech", body).status == 200


# --- GPT-SoVITS's clients


def test_an_api_v2_client_gets_a_wav(voice: Endpoint, tts_wav: bytes) -> None:
    body = {
        "text": TEXT,
        "text_lang": "all_ja",
        "seed": 3,
        "batch_size": 4,
        "parallel_infer": True,
        "batch_threshold": 0.75,
        "super_sampling": False,
        "text_split_method": "cut5",
    }
    answer = voice.ask("/tts", body)
    assert answer.status == 200 and answer.headers["Content-Type"] == "audio/wav"
    assert answer.content == tts_wav and answer.headers["Content-Length"] == str(len(tts_wav))
    assert voice.ask(f"/tts?{urllib.parse.urlencode(body)}").content == tts_wav
    with wave.open(io.BytesIO(tts_wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (32_000, 1, 2)
        assert file.getnframes() * 2 + 44 == len(tts_wav)


@pytest.mark.parametrize("mode", [True, "true", 1, "1"])
@pytest.mark.parametrize(
    ("media_type", "codec"), [("ogg", "vorbis"), ("aac", "aac"), ("wav", "pcm_s16le")]
)
def test_every_format_streams(voice: Endpoint, mode: Any, media_type: str, codec: str) -> None:
    """As SillyTavern asks: ogg, streamed."""
    body = {"text": TEXT, "text_lang": "all_ja", "seed": 3, "media_type": media_type}
    answer = voice.ask("/tts", {**body, "streaming_mode": mode})
    assert answer.headers["Transfer-Encoding"] == "chunked" and answer.headers["X-Seed"] == "3"
    assert kind_of(answer.content)[1:3] == (codec, 32_000)


def test_streaming_says_the_same_as_waiting(voice: Endpoint) -> None:
    body = {"text": LONGER, "text_lang": "all_ja", "seed": 4}
    whole = voice.ask("/tts", body).content
    streamed = voice.ask("/tts", {**body, "streaming_mode": True}).content
    assert streamed[:4] == b"RIFF" and streamed[44:] == whole[44:]
    assert soundfile.read(io.BytesIO(streamed))[1] == 32_000
    raw = voice.ask("/tts", {**body, "streaming_mode": True, "media_type": "raw"}).content
    assert raw == whole[44:]
    assert voice.ask("/tts", {**body, "return_fragment": True, "media_type": "raw"}).content == raw


@pytest.mark.parametrize("mode", [2, "3"])
def test_the_quicker_modes_speak_early(voice: Endpoint, mode: Any) -> None:
    body = {"text": TEXT, "seed": 4, "media_type": "raw", "streaming_mode": mode}
    early, whole = voice.ask("/tts", body), voice.ask("/tts", {**body, "streaming_mode": 1})
    assert early.status == 200 and early.content != whole.content
    assert len(early.content) == pytest.approx(len(whole.content), rel=0.1)


def test_a_falsy_value_is_a_value(voice: Endpoint) -> None:
    body = {"text": LONGER, "seed": 0, "media_type": "raw"}
    paused = voice.ask("/tts", {**body, "fragment_interval": 1})
    close = voice.ask("/tts", {**body, "fragment_interval": 0})
    assert paused.headers["X-Seed"] == close.headers["X-Seed"] == "0"
    assert len(paused.content) - len(close.content) == 2 * 64_000
    assert voice.ask("/tts", {**body, "top_k": 0}).json["error"]["param"] == "top_k"
    assert voice.ask("/tts", {"text": ""}).code == "engine.speaking.missing"


@pytest.mark.parametrize("path", [None, ""])
@pytest.mark.parametrize(
    "given", [{"prompt_lang": "zh"}, {"prompt_text": "你好", "prompt_lang": "zh"}]
)
def test_without_a_clip_its_words_are_the_voices_own(
    voice: Endpoint, tts_wav: bytes, path: str | None, given: dict[str, str]
) -> None:
    """As xiaozhi asks: a language for a clip that it does not name."""
    body = {"text": TEXT, "text_lang": "all_ja", "seed": 3, "ref_audio_path": path, **given}
    assert voice.ask("/tts", body).content == tts_wav


def test_without_a_language_the_text_tells_it(voice: Endpoint) -> None:
    body = {"text": "Good morning.", "media_type": "raw", "seed": 1}
    assert voice.ask("/tts", body).content == voice.ask("/tts", {**body, "text_lang": "en"}).content


def test_the_older_endpoint(voice: Endpoint, tts_wav: bytes) -> None:
    body = {
        "refer_wav_path": "",
        "prompt_text": "",
        "prompt_language": "",
        "text": TEXT,
        "text_language": "日文",
        "cut_punc": "，。",
    }
    answer = voice.ask("/", body)
    assert answer.status == 200 and kind_of(answer.content)[1:3] == ("pcm_s16le", 32_000)
    query = urllib.parse.urlencode({"text": TEXT, "text_language": "ja"})
    assert voice.ask(f"/?{query}").status == 200


def test_weights_can_be_changed_and_only_to_the_voices_own(voice: Endpoint, work: Path) -> None:
    full = work / "SoVITS_weights" / "Test" / "Test_e2_s200.pth"
    for kind, path in (("gpt", "Test-e2.ckpt"), ("sovits", str(full)), ("gpt", "Test-e10.ckpt")):
        query = urllib.parse.urlencode({"weights_path": path})
        assert voice.ask(f"/set_{kind}_weights?{query}").json == {"message": "success"}
    pair = voice.voices.service("Test").pair
    assert pair is not None and pair[0].name == "Test-e10.ckpt"
    for path in ("none.ckpt", "/etc/hostname", "../../other.ckpt"):
        query = urllib.parse.urlencode({"weights_path": path})
        answer = voice.ask(f"/set_gpt_weights?{query}")
        assert (answer.status, answer.code) == (400, "engine.http.foreign_weight")
    assert voice.ask("/set_gpt_weights").json["error"]["param"] == "weights_path"
    voice.ask("/set_sovits_weights?weights_path=Test_e10_s1000.pth")


def test_control_is_refused_politely(voice: Endpoint) -> None:
    for command in ("restart", "exit"):
        answer = voice.ask(f"/control?command={command}")
        assert (answer.status, answer.code) == (403, "engine.http.no_control")
    assert voice.ask("/control", {"command": "restart"}).status == 403


# --- Files of the voice alone


def test_a_clip_of_the_voice_may_be_named_and_no_other_file(
    voice: Endpoint, work: Path, clip: Callable[..., Path], tmp_path: Path
) -> None:
    references = work / "references" / "Test"
    references.mkdir(parents=True, exist_ok=True)
    (references / "happy.wav").write_bytes(clip(5.0, hz=330.0).read_bytes())
    outside = tmp_path / "mine.wav"
    outside.write_bytes(clip(4.0).read_bytes())
    (references / "linked.wav").symlink_to(outside)
    try:
        for named in ("happy.wav", str(references / "happy.wav")):
            body = {"text": TEXT, "ref_audio_path": named, "seed": 1, "media_type": "raw"}
            assert voice.ask("/tts", body).status == 200
        inside = [
            outside,
            "linked.wav",
            "../../../etc/hostname",
            "/etc/hostname",
            "none.wav",
            "a\0b",
        ]
        for path in map(str, inside):
            answer = voice.ask("/tts", {"text": TEXT, "ref_audio_path": path})
            assert (answer.status, answer.code) == (400, "engine.http.foreign_path"), path
            assert answer.json["error"]["param"] == "ref_audio_path"
            assert "happy" not in answer.content.decode()
            answer = voice.ask("/v1/audio/speech", {"input": TEXT, "infer": {"ref_audio": path}})
            assert answer.code == "engine.http.foreign_path"
            answer = voice.ask("/tts", {"text": TEXT, "aux_ref_audio_paths": [path]})
            assert answer.json["error"]["param"] == "aux_ref_audio_paths"
        weight = {"input": TEXT, "infer": {"gpt_weight": "/etc/hostname"}}
        assert voice.ask("/v1/audio/speech", weight).code == "engine.http.foreign_weight"
        assert voice.ask("/set_refer_audio?refer_audio_path=happy.wav").status == 200
        assert voice.ask("/set_refer_audio?refer_audio_path=/etc/hostname").status == 400
        plain = {"text": TEXT, "seed": 1, "media_type": "raw"}
        clip_set = voice.ask("/tts", plain).content
        assert clip_set == voice.ask("/tts", {**plain, "ref_audio_path": "happy.wav"}).content
        voice.voices.set_default_reference({})
        assert clip_set != voice.ask("/tts", plain).content
        # A mood is a named reference.
        assert {"id": "Test:happy", "name": "Test:happy"} in voice.ask("/v1/audio/voices").json[
            "voices"
        ]
        sounds = [
            voice.ask(
                "/v1/audio/speech",
                {"voice": name, "input": TEXT, "response_format": "pcm", "infer": {"seed": 1}},
            )
            for name in ("Test", "Test:happy", "Test:sad")
        ]
        assert [one.status for one in sounds] == [200, 200, 404]
    finally:
        voice.voices.set_default_reference({})
        for file in references.iterdir():
            file.unlink()


# --- Refusals


REFUSED = [
    ("/tts", {"text": "。。。", "text_lang": "all_ja"}, "engine.speaking.no_words", None),
    ("/tts", {"text": "。。。", "streaming_mode": True}, "engine.speaking.no_words", None),
    ("/tts", {}, "engine.speaking.missing", "text"),
    ("/tts", {"text": ["a"]}, "engine.params.out_of_range", "text"),
    ("/tts", {"text": TEXT, "text_lang": "tlh"}, "engine.params.out_of_range", "text_lang"),
    (
        "/tts",
        {"text": TEXT, "text_split_method": "cut9"},
        "engine.http.choice",
        "text_split_method",
    ),
    ("/tts", {"text": TEXT, "media_type": "midi"}, "engine.speaking.sound_type", "media_type"),
    ("/tts", {"text": TEXT, "streaming_mode": 7}, "engine.http.choice", "streaming_mode"),
    ("/tts", {"text": TEXT, "seed": "a"}, "engine.params.out_of_range", "seed"),
    ("/tts", {"text": TEXT, "speed_factor": "fast"}, "engine.params.out_of_range", "speed_factor"),
    ("/tts", {"text": TEXT, "speed_factor": -1}, "engine.params.out_of_range", "speed_factor"),
    ("/tts", {"text": TEXT, "text_lang": "en"}, "engine.text.unreadable", None),
    (
        "/tts",
        {"text": TEXT, "text_lang": "en", "streaming_mode": 1},
        "engine.text.unreadable",
        None,
    ),
    ("/tts", {"text": "あ" * 10_001}, "engine.http.long_text", "text"),
    ("/v1/audio/speech", {"input": 5}, "engine.params.out_of_range", "input"),
    ("/v1/audio/speech", {}, "engine.speaking.missing", "input"),
    ("/v1/audio/speech", {"input": TEXT, "infer": "a"}, "engine.speaking.not_fields", "infer"),
    (
        "/v1/audio/speech",
        {"input": TEXT, "infer": {"top_k": "x"}},
        "engine.params.out_of_range",
        "infer.top_k",
    ),
    (
        "/v1/audio/speech",
        {"input": TEXT, "infer": {"tempo": 1}},
        "engine.params.unknown",
        "infer.tempo",
    ),
    ("/v1/audio/speech", {"input": TEXT, "speed": True}, "engine.params.out_of_range", "speed"),
    ("/v1/audio/speech", {"input": TEXT, "voice": 5}, "engine.http.not_text", "voice"),
    (
        "/v1/audio/speech",
        {"input": TEXT, "response_format": 1},
        "engine.speaking.sound_type",
        "response_format",
    ),
    (
        "/v1/audio/speech",
        {"input": TEXT, "stream_format": "x"},
        "engine.http.choice",
        "stream_format",
    ),
    (
        "/",
        {"text": TEXT, "text_language": "klingon"},
        "engine.params.out_of_range",
        "text_language",
    ),
]


@pytest.mark.parametrize(("path", "body", "code", "field"), REFUSED)
def test_refusals_have_one_shape_in_the_clients_own_words(
    voice: Endpoint, path: str, body: dict[str, Any], code: str, field: str | None
) -> None:
    answer = voice.ask(path, body)
    assert (answer.status, answer.code) == (400, code)
    check_shape(answer.json)
    assert answer.json["error"]["param"] == field
    if field is not None and code.startswith("engine.params"):
        assert answer.json["message"].startswith((f"{field} = ", "There is no parameter"))


def check_shape(answer: dict[str, Any]) -> None:
    assert set(answer) == {"error", "message", "exception"}
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert answer["message"] == answer["error"]["message"]
    assert answer["exception"]["message"]["zh"] and answer["exception"]["hint"]["zh"]


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/tts", b'{"text": "\\ud800"}', 400),
        ("/tts", b'["text"]', 400),
        ("/tts", b"{", 400),
        ("/tts", b"\xff\xfe", 400),
        ("/tts", b"[" * 100_000, 400),
        ("/v1/audio/speech", b'{"input": "\\udfff"}', 400),
        ("/v1/audio/speech", b'{"input": "' + b"a" * (80 << 20) + b'"}', 413),
        ("/nowhere", None, 404),
        ("/v1/audio/speech", None, 405),
    ],
    ids=["surrogate", "list", "cut", "bytes", "deep", "surrogate2", "80 MB", "404", "405"],
)
def test_odd_bodies_and_paths_are_answered_in_the_same_shape(
    voice: Endpoint, path: str, data: bytes | None, status: int
) -> None:
    answer = voice.ask(path, data)
    assert answer.status == status
    check_shape(answer.json)


NO_HTTP = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS, as https:// begins\r\n\r\n",
    b"GET /v1/models\r\n\r\n",
    b"GET /v1/models HTTP/1.1\r\n\r\n",  # no Host
    b"POST /tts HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    b"POST /tts HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
]


@pytest.mark.parametrize("sent", NO_HTTP)
def test_what_is_no_http_is_answered_in_the_same_shape(voice: Endpoint, sent: bytes) -> None:
    host, port = urllib.parse.urlsplit(voice.address).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(sent)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert answer.status == 400
        found = json.loads(answer.read())
    check_shape(found)
    assert found["error"]["code"] == "engine.http.not_http"


def test_head_speaks_and_changes_nothing(voice: Endpoint) -> None:
    before = kept(voice)
    for path in ("/tts?text=Hello.", "/?text=Hello.", "/set_gpt_weights?weights_path=Test-e2.ckpt"):
        answer = voice.ask(path, method="HEAD")
        assert answer.status == 405 and "GET" in answer.headers["Allow"]
    assert kept(voice) == before
    assert voice.ask("/v1/models", method="HEAD").status == 200


@pytest.mark.parametrize("path", ["//tts", "//v1/audio/speech", "/v1//audio/speech"])
def test_an_address_that_ends_in_a_slash_is_no_other_path(voice: Endpoint, path: str) -> None:
    assert voice.ask(path, {"text": TEXT, "input": TEXT}).status == 200


def test_a_client_that_leaves_in_its_body_is_no_fault(
    voice: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = urllib.parse.urlsplit(voice.address).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(b"POST /tts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{")
        client.shutdown(socket.SHUT_WR)
        assert not client.recv(100)
    assert voice.ask("/v1/models").status == 200
    assert not [record for record in caplog.records if record.exc_info]


def test_a_fault_of_ours_is_an_answer_too(voice: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(voice.voices.service("Test"), "speak_by_chunk", fail)
    for path, body in (("/tts", {"text": TEXT}), ("/v1/audio/speech", {"input": TEXT})):
        answer = voice.ask(path, body)
        assert answer.status == 500 and "fire" not in answer.content.decode()
        check_shape(answer.json)


def test_a_take_that_fails_in_the_middle_breaks_the_stream(
    voice: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = voice.voices.service("Test")
    whole, before = service.speak_by_chunk, kept(voice)

    def fail_later(*arguments: Any) -> Any:
        chunks = whole(*arguments)
        yield next(chunks)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(service, "speak_by_chunk", fail_later)
    body = {"input": LONGER, "response_format": "pcm", "infer": {"slice": "zh_period"}}
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{voice.address}/v1/audio/speech", json=body, timeout=60)
    answer = voice.ask("/v1/audio/speech", {**body, "stream_format": "sse"})
    assert b'"type": "error"' in answer.content and b"speech.audio.done" not in answer.content
    assert kept(voice) == before, "a failed take leaves nothing behind"


def test_takes_are_kept_within_their_bound_newest_first(work: Path) -> None:
    with serve(work, kept_bytes=1_000_000) as bounded:
        folder = bounded.voices.loader("Test").takes_folder / "serve"
        for file in folder.glob("*"):
            file.unlink()
        sizes = [len(bounded.ask("/tts", {"text": TEXT, "seed": s}).content) for s in range(8)]
        files = sorted(folder.glob("*.wav"))
        used = sum(file.stat().st_size for file in folder.iterdir())
    assert files[-1].stat().st_size == sizes[-1] and files[-1].stem == "0008"
    assert used <= 1_000_000 and 0 < len(files) < 8


def test_a_taken_port_is_one_sentence() -> None:
    taken = bind_loopback(0)
    with pytest.raises(Problem) as caught:
        bind_loopback(taken.getsockname()[1])
    taken.close()
    assert caught.value.key == "engine.speaking.port"
