"""`phones`: one can look how a text is read before anything is spoken."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import pytest

from sovdeck.engine.cli import main


def test_one_text_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["phones", "--json", "--language", "all_zh", "2个人 мир"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {
        "pieces": [
            {
                "language": "zh",
                "text": "两个人",
                "phones": ["l", "iang3", "g", "e5", "r", "en2"],
            }
        ],
        "lost": [
            {"char": "м", "index": 4},
            {"char": "и", "index": 5},
            {"char": "р", "index": 6},
        ],
    }


def test_lines_of_standard_input_cost_only_themselves(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = b"en\tyes/no\nno tab here\nall_ja\t\xe9\xab\x99\xe6\xa9\x8b\nnone\tx\n"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(lines)))
    assert main(["phones"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert answers[0]["pieces"][0]["text"] == "yes no"
    assert answers[1]["error"]["code"] == "engine.text.bad_line"
    assert answers[2]["pieces"][0]["language"] == "ja" and answers[2]["lost"] == []
    assert answers[3]["error"]["code"] == "engine.text.mode"


def test_for_a_person_it_names_what_is_lost_or_that_nothing_is_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["phones", "--language", "en", "--text=-5 мир"]) == 0
    said = capsys.readouterr().out
    assert "negative five" in said and "м (4)" in said
    assert main(["phones", "--language", "en", "мир"]) == 3
    assert "русский" in capsys.readouterr().out
    assert main(["phones", "--json", "--language", "en", "мир"]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["lost"]) == 3 and answer["code"] == "engine.text.unreadable"


@pytest.mark.parametrize(
    ("text", "mode", "language"),
    [
        ("大学生活", "auto", "zh"),
        ("大学生活", "auto_yue", "yue"),
        ("大学生活", "ja", ""),
        ("大学に行く", "auto", ""),
        ("我们的大学", "auto", ""),
        ("駅前", "auto", ""),
        ("campus life", "auto", ""),
    ],
)
def test_a_guessed_language_is_said(
    text: str, mode: str, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["phones", "--language", mode, text]) == 0
    said = capsys.readouterr().out
    assert ("guessed" in said) == bool(language)
    assert not language or f"guessed as {language}" in said
