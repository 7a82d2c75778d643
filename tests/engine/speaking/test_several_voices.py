"""Several voices behind one server: by their names, on demand, within the memory given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from http_voice import TEXT, serve
from tiny_voice import Models, make_voice

from sovdeck.engine.speaking.service import SpeechService
from sovdeck.engine.speaking.voice_loader import VoiceLoader
from sovdeck.engine.speaking.voice_pool import VoicePool


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, models: Models) -> Path:
    work = tmp_path_factory.mktemp("three")
    for name in ("Anna", "Bella", "Clara"):
        make_voice(work, models, name)
    (work / "GPT_weights" / "Half").mkdir()  # a voice whose training has not come to SoVITS
    (work / "GPT_weights" / "Half" / "Half-e1.ckpt").write_bytes(b"")
    return work


def open_voices(work: Path, budget: int | None = None) -> VoicePool:
    return VoicePool(
        lambda name: SpeechService(VoiceLoader(work, name)),
        lambda: ["Anna", "Bella", "Clara"],
        "Bella",
        budget,
    )


def speak(voices: VoicePool, name: str) -> None:
    with voices.use(name) as service:
        service.load()


def in_memory(voices: VoicePool) -> list[str]:
    names = ("Anna", "Bella", "Clara")
    found = [name for name in names if voices.service(name).pipeline is not None]
    assert sorted(voices.loaded()) == found
    return found


def test_the_least_recently_used_goes_when_memory_is_short(three: Path) -> None:
    size = SpeechService(VoiceLoader(three, "Anna")).weight_bytes()
    voices = open_voices(three, budget=2 * size + size // 2)
    for name in ("Anna", "Bella"):
        speak(voices, name)
    assert in_memory(voices) == ["Anna", "Bella"]
    speak(voices, "Anna")
    speak(voices, "Clara")
    assert in_memory(voices) == ["Anna", "Clara"]
    speak(voices, "Bella")
    assert in_memory(voices) == ["Bella", "Clara"]


def test_a_voice_that_speaks_is_never_unloaded_and_one_always_fits(three: Path) -> None:
    voices = open_voices(three, budget=1)
    with voices.use("Anna") as anna:
        pipeline = anna.load()
        speak(voices, "Bella")
        assert anna.pipeline is pipeline
    speak(voices, "Clara")
    assert in_memory(voices) == ["Clara"]


def test_an_unloaded_voice_comes_back_with_the_pair_it_had(three: Path) -> None:
    service = SpeechService(VoiceLoader(three, "Anna"))
    service.load("Anna-e2.ckpt", "Anna_e2_s200.pth")
    pair = service.pair
    service.unload()
    assert service.pipeline is None
    service.load()
    assert service.pair == pair


def test_voices_can_share_what_both_load(three: Path) -> None:
    first = VoiceLoader(three, "Anna")
    second = VoiceLoader(three, "Bella", encoders=first.encoders)
    assert first.encoders == {}
    SpeechService(first).load()
    assert len(second.encoders) == 1


def test_each_voice_answers_by_its_name_and_mood(three: Path, clip: Callable[..., Path]) -> None:
    folder = three / "references" / "Anna"
    folder.mkdir(parents=True)
    (folder / "happy.wav").write_bytes(clip(5.0, hz=330.0).read_bytes())
    (folder / "happy.json").write_text('{"text": "今日は。", "language": "ja"}', encoding="utf-8")
    with serve(three, voice="Bella", budget=1) as endpoint:
        listed = [one["id"] for one in endpoint.ask("/v1/models").json["data"]]
        assert listed == ["Bella", "Anna", "Anna:happy", "Clara"]
        assert [one["name"] for one in endpoint.ask("/speakers").json] == listed
        models = [one["id"] for one in endpoint.ask("/v1/audio/models").json["models"]]
        assert models == ["Bella", "Anna", "Clara"]

        def ask(voice: str, model: str = "tts-1") -> bytes:
            infer = {"seed": 1, "verify": False}
            body = {"model": model, "voice": voice, "input": TEXT, "infer": infer}
            answer = endpoint.ask("/v1/audio/speech", {**body, "response_format": "pcm"})
            assert answer.status == 200, answer.content
            return answer.content

        bella, anna, happy = ask("alloy"), ask("Anna"), ask("Anna:happy")
        assert happy != anna
        assert ask("Bella") == bella and ask("alloy", model="Anna") == anna
        clip_of_anna = {"text": TEXT, "text_lang": "ja", "ref_audio_path": "happy"}
        answer = endpoint.ask("/tts", clip_of_anna)
        assert (answer.status, answer.code) == (400, "engine.speaking.no_named_reference")
        assert ask("anything", model="Anna") == anna  # a client that only lets the model be chosen
        for name in ("Half", "Anna:sad", "Dora", "anna"):
            body = {"model": "tts-1", "voice": name, "input": TEXT}
            answer = endpoint.ask("/v1/audio/speech", body)
            assert (answer.status, answer.code) == (404, "engine.http.no_voice"), name
            assert "Anna:happy" in answer.json["error"]["message"]


def test_another_voices_weights_choose_that_voice(three: Path) -> None:
    """As clients of api_v2 change the voice: they name no other in what they ask to be spoken."""
    with serve(three, voice="Bella") as endpoint:

        def ask(path: str, **fields: object) -> bytes:
            answer = endpoint.ask(path, fields)
            assert answer.status == 200, answer.content
            return answer.content

        same = {"text": TEXT, "seed": 1, "media_type": "raw", "text_lang": "all_ja"}
        infer = {"seed": 1, "gpt_weight": "Anna-e2.ckpt", "text_lang": "all_ja", "slice": "punct"}
        bella = ask("/tts", **same)
        before = endpoint.voices.service("Bella").pair
        assert before is not None
        assert endpoint.ask("/set_gpt_weights?weights_path=Anna-e2.ckpt").status == 200
        assert endpoint.voices.default == "Anna"
        chosen = endpoint.voices.service("Anna").pair
        assert chosen is not None and chosen[0].name == "Anna-e2.ckpt"
        spoken = ask(
            "/v1/audio/speech", voice="Anna", input=TEXT, response_format="wav", infer=infer
        )
        assert ask("/tts", **same) == spoken[44:]
        assert endpoint.voices.service("Bella").pair == before, "hers are as they were"
        unknown = endpoint.ask("/set_gpt_weights?weights_path=Dora-e2.ckpt")
        assert (unknown.status, unknown.code) == (400, "engine.http.foreign_weight")
        assert "Anna, Bella, Clara" in unknown.json["message"]
        assert endpoint.ask("/set_gpt_weights", {"weights_path": before[0].name}).status == 200
        assert endpoint.voices.default == "Bella" and ask("/tts", **same) == bella
