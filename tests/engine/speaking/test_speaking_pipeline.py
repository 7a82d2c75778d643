"""The whole way from text to samples on a tiny pair, with every refusal said in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, limit_peak, to_int16
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.models.gpt.graphs import DecodeGraphs
from sovdeck.engine.models.gpt.sampling import Sampling
from sovdeck.engine.speaking.phrases import read_phrase
from sovdeck.engine.speaking.pipeline import SpeechPipeline, chunk_seed, token_limit
from sovdeck.engine.speaking.request import SpeakRequest

Ask = Callable[..., SpeakRequest]
THREE = "おはようございます。今日はいい天気です。散歩に行きましょう。"


def test_pieces_come_one_by_one_with_their_pauses(speaker: SpeechPipeline, ask: Ask) -> None:
    heard: list[str] = []
    take = speaker.speak(
        ask(THREE, slice="zh_period", pause_s=0.25), lambda p: heard.append(p.text)
    )
    assert heard == ["おはようございます。", "今日はいい天気です。", "散歩に行きましょう。"]
    assert take.seed == 7
    for piece in take.chunks:
        assert len(piece.tokens) <= 16
        assert len(piece.samples) == 2 * len(piece.tokens) * 640 + SPEECH_SAMPLE_RATE // 4
        assert not piece.samples[-SPEECH_SAMPLE_RATE // 4 :].any()
        assert np.isfinite(piece.samples).all() and np.abs(piece.samples).max() <= 1.0
    assert take.seconds == pytest.approx(len(take.samples) / SPEECH_SAMPLE_RATE)


def test_the_first_piece_is_there_before_the_second_is_drawn(
    speaker: SpeechPipeline, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    real = speaker._sample_tokens
    monkeypatch.setattr(speaker, "_sample_tokens", lambda *a: drawn.append(1) or real(*a))
    stream = speaker.stream(ask(THREE, slice="zh_period"), 1)
    next(stream)
    assert len(drawn) == 1


def test_a_gpu_that_cannot_capture_speaks_on_and_says_so(speaker: SpeechPipeline, ask: Ask) -> None:
    def refuse(run: Callable[[], None], restore: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    plain = speaker.speak(ask(THREE))
    speaker._graphs = DecodeGraphs(speaker.gpt, refuse)
    take = speaker.speak(ask(THREE))
    assert take.chunks[0].tokens == plain.chunks[0].tokens
    said = [notice for notice in take.notices if notice.key == "engine.speaking.not_captured"]
    assert len(said) == 1 and "stream is capturing" in said[0].message.en


def test_a_seed_speaks_the_same_again_and_another_one_differently(
    speaker: SpeechPipeline, ask: Ask
) -> None:
    first, again, other = (speaker.speak(ask(THREE, seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.samples, again.samples)
    assert first.chunks[0].tokens != other.chunks[0].tokens
    drawn = speaker.speak(ask("こんにちは。", seed=-1))
    assert drawn.seed >= 0
    repeated = speaker.speak(ask("こんにちは。", seed=drawn.seed))
    assert drawn.chunks[0].tokens == repeated.chunks[0].tokens


def test_a_changed_piece_leaves_the_others_as_they_were(speaker: SpeechPipeline, ask: Ask) -> None:
    first = speaker.speak(ask("おはようございます。今日はいい天気です。", slice="zh_period"))
    second = speaker.speak(ask("おはようございます。明日は雨ですよ。", slice="zh_period"))
    assert first.chunks[0].tokens == second.chunks[0].tokens
    assert first.chunks[1].tokens != second.chunks[1].tokens


def test_rerender_keeps_the_delivery_and_changes_the_speed(
    speaker: SpeechPipeline, ask: Ask
) -> None:
    request = ask(THREE, slice="zh_period", seed=-1)
    first = speaker.speak(request)
    slow = speaker.speak(replace(request, rerender_last=True, speed=0.8))
    assert [p.tokens for p in slow.chunks] == [p.tokens for p in first.chunks]
    assert all(p.reused for p in slow.chunks)
    tokens, pause = len(first.chunks[0].tokens), round(0.3 * SPEECH_SAMPLE_RATE)
    assert len(slow.chunks[0].samples) == (int(2 * tokens / 0.8) + 1) * 640 + pause


def test_rerender_goes_by_words_not_by_place(speaker: SpeechPipeline, ask: Ask) -> None:
    first = speaker.speak(ask("おはようございます。散歩に行きましょう。", slice="zh_period"))
    turned = ask(
        "散歩に行きましょう。そうしましょうか。", slice="zh_period", rerender_last=True, seed=99
    )
    take = speaker.speak(turned)
    assert take.chunks[0].reused and take.chunks[0].tokens == first.chunks[1].tokens
    assert not take.chunks[1].reused


@pytest.mark.parametrize(
    "change",
    [
        {"sampling": Sampling(top_k=3)},
        {"ref_text": "別の文です"},
        {"no_ref_text": True},
        {"text_lang": "ja"},
    ],
)
def test_rerender_speaks_anew_when_what_decides_the_delivery_changed(
    speaker: SpeechPipeline, ask: Ask, change: dict[str, object]
) -> None:
    request = ask("おはようございます。")
    speaker.speak(request)
    take = speaker.speak(replace(request, rerender_last=True, **change))  # type: ignore[arg-type]
    assert not take.chunks[0].reused


def test_equal_sentences_keep_their_own_delivery(speaker: SpeechPipeline, ask: Ask) -> None:
    request = ask("そうですか。そうですか。", slice="punct")
    first = speaker.speak(request)
    assert first.chunks[0].tokens != first.chunks[1].tokens
    again = speaker.speak(replace(request, rerender_last=True))
    assert [p.tokens for p in again.chunks] == [p.tokens for p in first.chunks]


def test_extra_references_change_only_the_timbre(
    speaker: SpeechPipeline, ask: Ask, clip: Callable[..., Path]
) -> None:
    request = ask("おはようございます。")
    first = speaker.speak(request)
    short_extra = clip(1.0, hz=330.0)
    take = speaker.speak(replace(request, aux_refs=(short_extra,)))
    assert take.chunks[0].tokens == first.chunks[0].tokens
    assert not np.array_equal(take.samples, first.samples)


def test_one_reference_is_encoded_once(
    speaker: SpeechPipeline, ask: Ask, clip: Callable[..., Path]
) -> None:
    for _ in range(2):
        speaker.speak(ask("おはようございます。"))
    assert speaker.content_encoder.calls == 1  # type: ignore[attr-defined]
    speaker.speak(ask("おはようございます。", ref_audio=clip(5.0)))
    assert speaker.content_encoder.calls == 2  # type: ignore[attr-defined]
    speaker.speak(ask("おはようございます。", no_ref_text=True))
    speaker.speak(ask("おはようございます。", ref_text=""))
    assert speaker.content_encoder.calls == 2  # type: ignore[attr-defined]


def test_the_prompt_is_the_clip_and_six_tenths_of_silence(
    speaker: SpeechPipeline, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sovdeck.engine.speaking import pipeline as module

    prompts: list[torch.Tensor] = []
    real = module.generate

    def spy(model, phones, bert, prompt, **rest):
        prompts.append((len(phones), prompt))
        return real(model, phones, bert, prompt, **rest)

    monkeypatch.setattr(module, "generate", spy)
    speaker.speak(ask("おはようございます。"))
    speaker.speak(ask("おはようございます。", no_ref_text=True))
    assert len(prompts[0][1]) == (4 * 16_000 + 9_600) // 320 // 2
    assert prompts[1][1] is None and prompts[1][0] < prompts[0][0]


def test_a_rambling_piece_is_stopped() -> None:
    assert token_limit(6, None) == 75  # 3 s for half a second of speech
    assert token_limit(500, None) == 1500
    assert token_limit(6, 1500) == 1500


def test_the_limit_is_said(speaker: SpeechPipeline, ask: Ask) -> None:
    take = speaker.speak(ask("おはようございます。", max_tokens=12))
    assert len(take.chunks[0].tokens) == 12 and not take.chunks[0].ended


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"text": "。。。！？"}, "no_words"),
        ({"text_lang": "klingon"}, "language"),
        ({"ref_lang": "xx"}, "language"),
        ({"ref_audio": Path("nowhere.wav")}, "reference_missing"),
        ({"aux_refs": (Path("nowhere.wav"),)}, "reference_missing"),
        ({"text": "おはよう" * 100 + "。", "slice": "none"}, "too_long"),
    ],
)
def test_refusals(
    models: tuple[torch.nn.Module, torch.nn.Module],
    speaker: SpeechPipeline,
    ask: Ask,
    change: dict[str, object],
    key: str,
) -> None:
    if key == "too_long":
        small = replace(speaker.gpt.config, max_positions=50)
        speaker.gpt = type(speaker.gpt)(small).eval()
    request = replace(ask("おはようございます。"), **change)  # type: ignore[arg-type]
    with pytest.raises(Problem) as caught:
        speaker.speak(request)
    assert caught.value.key == f"engine.speaking.{key}"
    assert caught.value.exit_code is ExitCode.DATA
    assert caught.value.hint.en and caught.value.hint.zh


@pytest.mark.parametrize(
    ("seconds", "level", "key"),
    [(2.9, 0.3, "short"), (10.5, 0.3, "long"), (4.0, 0.001, "silent")],
)
def test_references_are_checked(
    speaker: SpeechPipeline,
    ask: Ask,
    clip: Callable[..., Path],
    seconds: float,
    level: float,
    key: str,
) -> None:
    for no_text in (False, True):
        with pytest.raises(Problem) as caught:
            speaker.speak(ask("おはよう。", ref_audio=clip(seconds, level), no_ref_text=no_text))
        assert caught.value.key == f"engine.speaking.reference_{key}"


def test_a_broken_reference_is_one_sentence(
    speaker: SpeechPipeline, ask: Ask, tmp_path: Path
) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(b"not a wav file at all" * 100)
    with pytest.raises(Problem, match="clip.wav"):
        speaker.speak(ask("おはよう。", ref_audio=path))


def test_full_scale_never_wraps_round() -> None:
    loud = limit_peak(np.array([0.5, -4.0, 4.0, 1.0], dtype=np.float32))
    assert np.abs(loud).max() == 1.0 and limit_peak(loud / 2)[0] == loud[0] / 2
    assert to_int16(np.array([1.0, -1.0, 1.5, -1.5, 0.0])).tolist() == [
        32767,
        -32767,
        32767,
        -32767,
        0,
    ]


@pytest.mark.parametrize(
    ("text", "language", "phones"),
    [
        ("今日はOKです。", "ja", 16),
        ("今日はOKです。", "auto", 16),
        ("はい", "all_ja", 5),
        ("안녕하세요.", "all_ko", 15),
        ("今日天氣", "all_yue", 8),
        ("Hello there.", "en", 8),
    ],
)
def test_every_language_becomes_phones(text: str, language: str, phones: int) -> None:
    phrase = read_phrase(text, language)
    assert len(phrase.phones) == phones and phrase.bert.shape == (1024, phones)


def test_only_chinese_is_read_with_features() -> None:
    class Ones:
        def features(self, text: str, word2ph: Sequence[int], /) -> torch.Tensor:
            return torch.ones(1024, sum(word2ph))

    mixed = read_phrase("你好，world。", "zh", Ones())
    columns = mixed.bert[0].tolist()
    assert 0.0 in columns and columns[:4] == [1.0] * 4


def test_seeds_of_pieces_and_attempts_differ() -> None:
    seeds = {chunk_seed(s, i, a) for s in (0, 1) for i in range(20) for a in range(3)}
    assert len(seeds) == 120
