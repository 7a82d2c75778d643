"""What cannot be spoken: one sentence in the person's language, and nothing earlier is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Place
from tiny_voice import VOICE, tone
from trip_steps import laptop, open_server

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.json_lines import EngineProblem
from sovdeck.remote.speech.speech_session import SpeechChunk, SpeechSession
from sovdeck.tui.cli.main import main

SAY = {"text": "おはよう。", "text_lang": "all_ja", "seed": 5}


@pytest.fixture(scope="module")
def speaker(session: ServerSession) -> Iterator[SpeechSession]:
    with SpeechSession(
        session.connection(), session.require_deployment(), VOICE, ("--device", "cpu")
    ) as speaker:
        speaker.speak(SAY, lambda _: None)  # the earlier output that must stay
        yield speaker


@pytest.fixture(scope="module")
def clips(work: Path) -> Path:
    folder = work / "clips"
    folder.mkdir()
    for name, sound in (
        ("short", tone(1.0)),
        ("silent", tone(4.0, level=0.0)),
        ("long", tone(14.0)),
    ):
        (folder / f"{name}.wav").write_bytes(sound)
    return folder


REFUSALS: dict[str, tuple[dict[str, Any], str, ExitCode]] = {
    "short reference": ({"ref_audio": "{clips}/short.wav"}, "reference_short", ExitCode.DATA),
    "silent reference": ({"ref_audio": "{clips}/silent.wav"}, "reference_silent", ExitCode.DATA),
    "long reference": ({"ref_audio": "{clips}/long.wav"}, "reference_long", ExitCode.DATA),
    "no such reference": ({"ref_audio": "{clips}/no.wav"}, "reference_missing", ExitCode.DATA),
    "only punctuation": ({"text": "。。。！？"}, "no_words", ExitCode.DATA),
    "endless reference text": ({"ref_text": "あ" * 3000}, "too_long", ExitCode.DATA),
    "unknown language": ({"text_lang": "tlh"}, "params.out_of_range", ExitCode.CONFIG),
    "unknown parameter": ({"top_q": 1}, "params.unknown", ExitCode.CONFIG),
    "wrong kind of weight": (
        {"gpt_weight": "{work}/SoVITS_weights/Test/Test_e2_s200.pth"},
        "wrong_kind",
        ExitCode.DATA,
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_the_engines_own_words_arrive(
    speaker: SpeechSession, clips: Path, work: Path, case: str
) -> None:
    change, key, code = REFUSALS[case]
    places = {"{clips}": str(clips), "{work}": str(work)}
    filled = dict(change)
    for name, value in change.items():
        for mark, place in places.items():
            if isinstance(value, str) and mark in value:
                filled[name] = value.replace(mark, place)
    before = sorted((work / "takes").rglob("*"))
    with pytest.raises(Problem) as refused:
        speaker.speak({**SAY, **filled}, lambda _: None)
    assert refused.value.key.endswith(key) and refused.value.exit_code is code
    for language in ("en", "zh"):
        sentence = refused.value.sentence(language)
        assert 10 < len(sentence) < 700 and "\n" not in sentence and "Traceback" not in sentence
    assert sorted((work / "takes").rglob("*")) == before != []


def test_a_refusal_is_the_engines_own_and_costs_one_take(speaker: SpeechSession) -> None:
    with pytest.raises(EngineProblem) as refused:
        speaker.speak({**SAY, "text": "。。。"}, lambda _: None)
    assert refused.value.key == "engine.speaking.no_words"
    assert refused.value.exit_code is ExitCode.DATA
    assert "没有可读的字词" in refused.value.sentence("zh")
    assert speaker.speak(SAY, lambda _: None).seconds > 0


def test_20_000_characters_are_spoken_piece_by_piece_and_may_be_given_up(
    speaker: SpeechSession, work: Path
) -> None:
    before = sorted((work / "takes").rglob("*"))
    enough, heard = threading.Event(), []

    def on_piece(piece: SpeechChunk) -> None:
        heard.append(piece.text)
        enough.set()

    with pytest.raises(Problem) as ended:
        speaker.speak({**SAY, "text": "おはよう。" * 4000, "slice": "zh_period"}, on_piece, enough)
    assert ended.value.exit_code is ExitCode.INTERRUPTED and len(heard) == 1
    assert sorted((work / "takes").rglob("*")) == before


@pytest.fixture(scope="module")
def typed(
    embedded: Place, work: Path, session: ServerSession, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The home of a laptop with `box`, which is deployed, and `bare`, which is not."""
    home = tmp_path_factory.mktemp("typed")
    open_server(embedded, home, "box", work).close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOVDECK_HOME", str(home))
        patch.setenv("SOVDECK_LANG", "zh")
        yield home


TYPED: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no text": (("speak", "box", VOICE), 2, "tui.speak.no_text"),
    "unknown language": (
        ("speak", "box", VOICE, "hi", "--text-lang", "tlh"),
        2,
        "engine.params.out_of_range",
    ),
    "too fast": (("speak", "box", VOICE, "hi", "--speed", "9"), 2, "engine.params.out_of_range"),
    "no voice yet": (
        ("speak", "box", "Nobody", "hi", "--device", "cpu"),
        3,
        "engine.pack.no_voice",
    ),
    "short clip here": (
        ("speak", "box", VOICE, "hi", "--ref", "{home}/short.wav"),
        3,
        "engine.speaking.reference_short",
    ),
    "silent clip here": (
        ("speak", "box", VOICE, "hi", "--ref", "{home}/silent.wav"),
        3,
        "engine.speaking.reference_silent",
    ),
    "no clip here": (
        ("speak", "box", VOICE, "hi", "--ref", "{home}/none.wav"),
        3,
        "remote.speak.no_clip",
    ),
    "no audition yet": (("audition", "box", "Nobody", "--show"), 3, "engine.speaking.no_table"),
    "half a pair": (("audition", "box", VOICE, "--choose", "a"), 2, "tui.audition.which_pair"),
    "no upstream": (
        ("pull", "box", VOICE, "--into", "{home}/none"),
        2,
        "remote.upstream.not_one",
    ),
}


@pytest.mark.parametrize("case", TYPED)
def test_what_a_person_types_wrong(
    typed: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (typed / "short.wav").write_bytes(tone(1.0))
    (typed / "silent.wav").write_bytes(tone(4.0, level=0.0))
    words, code, key = TYPED[case]
    arguments = [word.replace("{home}", str(typed)) for word in words]
    project = ["--config", str(typed / "deploy.toml")]
    assert main([*project, *arguments, "--json"]) == code
    said = capsys.readouterr()
    assert json.loads(said.out.splitlines()[-1])["code"] == key
    assert said.err.startswith("sovdeck: ") and said.err.count("\n") == 1
    assert any("一" <= char <= "鿿" for char in said.err), "in the person's language"
    assert not list(typed.rglob("*.wav.part")) and not (typed / "voices").exists()


def test_a_server_without_the_engine_says_how_to_deploy(
    embedded: Place,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_server(embedded, tmp_path, "bare", tmp_path / "empty").close()
    _, project = laptop(tmp_path, tmp_path / "empty")
    monkeypatch.setenv("SOVDECK_HOME", str(tmp_path))
    assert main(["--config", str(project), "--lang", "en", "speak", "bare", VOICE, "hi"]) == 2
    assert "sovdeck deploy bare" in capsys.readouterr().err
