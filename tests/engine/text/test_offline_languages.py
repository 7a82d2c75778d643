"""No language asks for the network, at import or at first use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import socket

def refuse(*args, **kwargs):
    raise AssertionError(f"the network was asked: {args}")

socket.socket.connect = refuse
socket.create_connection = refuse
socket.getaddrinfo = refuse

from sovdeck.engine.text.phonemize import TEXT_LANGUAGES, phonemize
from sovdeck.engine.text.segment import segment_by_language

texts = {"zh": "我的银行，2023年。", "ja": "今日は晴れ。", "en": "Blorptastic $5 read.",
         "ko": "값이 3개", "yue": "佢哋好呀"}
assert set(texts) == set(TEXT_LANGUAGES)
for language, text in texts.items():
    assert phonemize(text, language).phones, language
assert segment_by_language("我的 iPhone", "auto")
"""


def test_first_use_of_every_language_without_a_network(tmp_path: Path) -> None:
    # An empty home and temporary folder: nothing cached by an earlier run can help, and
    # nothing may be left there either.
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    environment = {
        **os.environ,
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "NLTK_DATA": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).resolve().parents[3],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert list(home.rglob("*")) == [] and list(temporary.rglob("*")) == []
