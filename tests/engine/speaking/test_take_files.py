"""Takes on disk: numbered, re-rendered later, and never half-written."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.takes import last_take, next_take, read_chunk_tokens, save_take

Ask = Callable[..., SpeakRequest]


def test_a_saved_take_is_spoken_again_by_another_process(
    speaker: SpeechPipeline, ask: Ask, tmp_path: Path
) -> None:
    request = ask("おはようございます。今日はいい天気です。", slice="zh_period", seed=-1)
    take = speaker.speak(request)
    save_take(next_take(tmp_path), take)
    fresh = SpeechPipeline(speaker.gpt, speaker.sovits, speaker.content_encoder)
    fresh.last_tokens = read_chunk_tokens(last_take(tmp_path))
    again = fresh.speak(replace(request, rerender_last=True, speed=1.25))
    assert [p.tokens for p in again.chunks] == [p.tokens for p in take.chunks]

    with wave.open(str(tmp_path / "0001.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (32_000, 1, 2)
        assert file.getnframes() == len(take.samples)
    record = json.loads((tmp_path / "0001.json").read_text("utf-8"))
    assert record["seed"] == take.seed
    assert record["request"]["text"] == request.text
    assert record["pieces"][1]["text"] == "今日はいい天気です。"


def test_takes_are_numbered_past_the_last(tmp_path: Path) -> None:
    assert next_take(tmp_path).name == "0001.wav"
    for name in ("0002.wav", "0010.wav", "notes.wav"):
        (tmp_path / name).touch()
    assert next_take(tmp_path).name == "0011.wav"
    assert last_take(tmp_path).name == "0010.wav"


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[]",
        "{}",
        '{"version": 1, "pieces": [{"key": "a", "tokens": []}]}',
        '{"version": 9, "pieces": []}',
        '{"version": 1, "pieces": [3]}',
    ],
)
def test_what_is_no_take_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "0001.wav"
    if content is not None:
        path.with_suffix(".json").write_text(content)
    with pytest.raises(Problem) as caught:
        read_chunk_tokens(path)
    assert caught.value.key == "engine.speaking.no_take"


def test_no_take_yet(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no takes yet"):
        last_take(tmp_path)


def test_requests_come_from_the_parameter_table() -> None:
    request = SpeakRequest.from_params(
        {"text": "x", "ref_audio": "a.wav", "top_k": "20", "speed": 1.2, "aux_refs": ["b.wav"]}
    )
    assert request.sampling.top_k == 20 and request.sampling.repetition_penalty == 1.35
    assert request.ref_audio == Path("a.wav") and request.aux_refs == (Path("b.wav"),)
    assert request.speed == 1.2 and request.slice == "4clauses" and request.seed == -1
    for given, word in (
        ({"text": " ", "ref_audio": "a"}, "infer.text"),
        ({"text": "x"}, "infer.ref_audio"),
        ({"text": "x", "ref_audio": "a", "top_k": 0}, "infer.top_k"),
        ({"text": "x", "ref_audio": "a", "tok_k": 1}, "infer.tok_k"),
    ):
        with pytest.raises(Problem, match=word):
            SpeakRequest.from_params(given)
