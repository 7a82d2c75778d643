"""From weight files to answers on a pipe, with the real readers and encoders."""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sovdeck.engine.commands import speak
from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.models.sovits.synthesizer import Synthesizer
from sovdeck.engine.prepare.frozen_encoders import FrozenEncoders, untrained_encoders
from sovdeck.engine.speaking.sample_speaker import SampleReference, SampleSpeaker
from sovdeck.engine.speaking.service import SpeechService
from sovdeck.engine.speaking.stdio_server import serve_lines
from sovdeck.engine.speaking.voice_loader import VoiceLoader
from sovdeck.engine.speaking.weights import load_gpt, load_sovits
from sovdeck.engine.text.lexicon import Lexicon

VOICE = "Test"
ROOT = Path(__file__).resolve().parents[3]
REQUEST = {"text": "おはようございます。", "text_lang": "all_ja", "seed": 5}


@pytest.fixture
def service(work: Path) -> SpeechService:
    return SpeechService(VoiceLoader(work, VOICE))


def ask(service: SpeechService, *requests: Any) -> list[dict[str, Any]]:
    """The answers to some lines, after `ready`."""
    answers: list[dict[str, Any]] = []
    lines = [r if isinstance(r, str) else json.dumps(r) for r in requests]
    serve_lines(service, lines, lambda event: answers.append(json.loads(json.dumps(event))))
    assert answers[0]["event"] == "ready"
    return answers[1:]


def test_weights_read_back_as_they_were_but_for_float16(
    work: Path, models: tuple[Text2Semantic, Synthesizer]
) -> None:
    session = VoiceLoader(work, VOICE)
    gpt, sovits = load_gpt(session.gpt_path()), load_sovits(session.sovits_path())
    for loaded, model in ((gpt, models[0]), (sovits, models[1])):
        assert loaded.config == model.config and not loaded.training
        original = model.state_dict()
        for name, tensor in loaded.state_dict().items():
            if not name.startswith("enc_q."):
                assert tensor.equal(original[name].half().float()), name


def test_lists_are_in_natural_order_with_metrics(service: SpeechService) -> None:
    (listed,) = ask(service, {"id": 1, "list": True})
    assert [w["name"] for w in listed["gpt"]] == ["Test-e2.ckpt", "Test-e10.ckpt"]
    assert [w["epoch"] for w in listed["sovits"]] == [2, 10]
    assert listed["gpt"][0]["metrics"] == {"loss": 1.5}
    assert listed["loaded"] is None and listed["id"] == 1


def test_a_request_is_answered_piece_by_piece_and_kept(service: SpeechService, work: Path) -> None:
    text = "おはようございます。散歩に行きましょう。"
    answers = ask(service, {"id": "a", "speak": {**REQUEST, "text": text, "slice": "zh_period"}})
    assert [a["event"] for a in answers] == ["piece", "piece", "done"]
    assert {a["id"] for a in answers} == {"a"}
    samples = [np.frombuffer(base64.b64decode(a["pcm"]), "<i2") for a in answers[:2]]
    assert sum(map(len, samples)) / 32_000 == pytest.approx(answers[2]["seconds"], abs=1e-3)
    assert (work / answers[2]["wav"]).is_file()
    assert answers[2]["wav"].startswith("takes/Test/") and answers[2]["seed"] == 5
    again = ask(
        service,
        {
            "speak": {
                **REQUEST,
                "text": text,
                "slice": "zh_period",
                "rerender_last": True,
                "speed": 1.2,
            }
        },
    )
    assert [a["reused"] for a in again[:2]] == [True, True]


def test_sounds_of_a_piece_come_before_it(service: SpeechService) -> None:
    (*sounds, piece, done) = ask(service, {"id": 1, "speak": REQUEST, "sounds": True})
    (whole, _) = ask(service, {"id": 2, "speak": REQUEST})
    assert {one["event"] for one in sounds} == {"sound"} and len(sounds) > 1
    assert (piece["event"], done["event"]) == ("piece", "done") and "pcm" not in piece
    parts = [base64.b64decode(one["pcm"]) for one in sounds]
    assert b"".join(parts) == base64.b64decode(whole["pcm"])


def test_a_text_is_read_without_being_spoken(service: SpeechService) -> None:
    (answer,) = ask(service, {"read": {"text": "2024年は мир", "text_lang": "all_ja"}})
    assert answer["event"] == "reading" and [p["text"] for p in answer["pieces"]] == [
        "2024年は мир"
    ]
    assert answer["pieces"][0]["language"] == "ja" and "n" in answer["pieces"][0]["phones"]
    assert [(lost["char"], lost["index"]) for lost in answer["lost"]] == [
        ("м", 7),
        ("и", 8),
        ("р", 9),
    ]


def test_another_process_renders_the_last_take_again(service: SpeechService, work: Path) -> None:
    ask(service, {"speak": REQUEST})
    fresh = SpeechService(VoiceLoader(work, VOICE))
    answers = ask(fresh, {"speak": {**REQUEST, "rerender_last": True, "seed": -1}})
    assert answers[0]["reused"]


def test_changing_the_pair_keeps_the_last_delivery(service: SpeechService) -> None:
    answers = ask(
        service,
        {"weights": {"gpt": "Test-e2.ckpt", "sovits": "Test_e2_s200.pth"}},
        {"speak": REQUEST},
        {"speak": {**REQUEST, "sovits_weight": "", "rerender_last": True}},
        {"list": True},
    )
    assert answers[0]["loaded"] == {"gpt": "Test-e2.ckpt", "sovits": "Test_e2_s200.pth"}
    assert answers[3]["event"] == "piece" and answers[3]["reused"]
    assert answers[-1]["loaded"] == {"gpt": "Test-e2.ckpt", "sovits": "Test_e10_s1000.pth"}


def test_a_bad_request_costs_only_itself(service: SpeechService, work: Path) -> None:
    before = set((work / "takes").rglob("*.wav"))
    swapped = {"gpt_weight": str(work / "SoVITS_weights/Test/Test_e2_s200.pth")}
    answers = ask(
        service,
        "not json",
        "[]",
        '{"id": 4}',
        "",
        {"id": 5, "speak": {"text": "x", "top_q": 1}},
        {"id": 6, "speak": {**REQUEST, "text": "。。。"}},
        {"id": 7, "speak": {**REQUEST, "ref_audio": "nowhere.wav"}},
        {"id": 8, "speak": {**REQUEST, **swapped}},
        {"id": 9, "weights": {"gpt": "none.ckpt"}},
    )
    assert [a["event"] for a in answers] == ["error"] * 8
    assert [a["code"].rsplit(".", 1)[-1] for a in answers] == [
        "bad_line",
        "bad_line",
        "bad_line",
        "unknown",
        "no_words",
        "reference_missing",
        "wrong_kind",
        "unreadable",
    ]
    assert all(a["message"]["zh"] and a["hint"]["en"] for a in answers)
    assert set((work / "takes").rglob("*.wav")) == before
    assert ask(service, {"speak": REQUEST})[-1]["event"] == "done"


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_fewer_bits_speak_too(work: Path, precision: str) -> None:
    answers = ask(SpeechService(VoiceLoader(work, VOICE), precision=precision), {"speak": REQUEST})
    assert [a["event"] for a in answers] == ["piece", "done"]
    pcm = np.frombuffer(base64.b64decode(answers[0]["pcm"]), "<i2")
    assert np.abs(pcm).max() > 0
    with pytest.raises(Problem, match="only on the CPU"):
        VoiceLoader(work, VOICE).open_pipeline(Path(), Path(), "cuda", "int8")


def test_stop_ends_the_service(service: SpeechService) -> None:
    assert ask(service, {"id": 1, "stop": True}, {"id": 2, "list": True}) == []


def test_a_voice_without_weights_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        SpeechService(VoiceLoader(tmp_path, "Nobody")).load()
    assert caught.value.key == "engine.pack.no_voice"


def test_the_proof_sentence(work: Path, tmp_path: Path, clip: Callable[..., Path]) -> None:
    session, out = VoiceLoader(work, VOICE), tmp_path / "proof.wav"

    def encoders(device: torch.device) -> FrozenEncoders:
        return untrained_encoders(0, 32, device, speaker_numbers=None)

    speaker = SampleSpeaker(encoders, Lexicon, torch.device("cpu"))
    seconds = speaker.speak(
        session.gpt_path(),
        session.sovits_path(),
        SampleReference(clip(2.0), "今日は。", "ja"),
        "おはようございます。",
        "ja",
        out,
        max_tokens=20,
    )
    assert seconds == pytest.approx(20 / 25 + 0.3)
    assert out.stat().st_size == 44 + 2 * round(seconds * 32_000)


NOISY = """
import os, sys
from sovdeck.engine.commands import speak as commands

class Noisy:
    loader = commands  # anything that can be told what to call
    def load(self, gpt, sovits):
        print("a library greets")
    def list_weights(self):
        os.write(1, b"native noise\\n")
        return {}

sys.exit(commands._serve_stdio(Noisy(), {}, 60.0))
"""


def test_the_pipe_carries_answers_and_nothing_else() -> None:
    lines = '{"id": "お", "list": true}\n{"stop": true}\n'
    done = subprocess.run(
        [sys.executable, "-c", NOISY],
        input=lines,
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events == [{"event": "ready"}, {"id": "お", "event": "weights"}]
    assert "a library greets" in done.stderr and done.stderr.count("native noise") == 2


def test_one_take_on_the_command_line(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    speak.add_arguments(parser)
    out = tmp_path / "out.wav"
    arguments = ["--work", str(work), "--device", "cpu", "--out", str(out), "--json"]
    arguments += ["--text", "おはようございます。", "--text-lang", "all_ja", "--top-k", "5"]
    assert speak.run(parser.parse_args([VOICE, *arguments])) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["piece", "done"]
    assert out.read_bytes() == (work / events[1]["wav"]).read_bytes()
    record = json.loads((work / events[1]["wav"]).with_suffix(".json").read_text("utf-8"))
    assert record["request"]["sampling"]["top_k"] == 5
    assert record["request"]["ref_text"] == "今日は。"


def test_every_speaking_parameter_has_a_flag() -> None:
    parser = argparse.ArgumentParser()
    speak.add_arguments(parser)
    flags = {action.dest for action in parser._actions}
    assert {name for name in PARAMS if name.startswith("infer.")} <= flags
    assert "Speaking rate" in parser.format_help()
