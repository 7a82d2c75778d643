"""The page "Use your voice in ...": every request on it is answered with sound."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from http_voice import Endpoint, serve
from tiny_voice import make_voice, tiny_models

ROOT = Path(__file__).resolve().parents[3]
PAGES = ("docs/voice_in_programs.md", "docs/zh/voice_in_programs.md")
SERVED = "http://127.0.0.1:9880"


def blocks(page: str, kind: str) -> list[str]:
    """The fenced blocks of a kind, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


ENGLISH = PAGES[0]


@pytest.fixture(scope="module")
def anna(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    work = make_voice(tmp_path_factory.mktemp("work"), tiny_models(), "Anna")
    with serve(work, voice="Anna") as endpoint:
        yield endpoint


def seconds(data: bytes) -> float:
    with av.open(io.BytesIO(data), "r") as container:
        rate = container.streams.audio[0].rate
        return float(sum(frame.samples for frame in container.decode(audio=0)) / rate)


@pytest.mark.parametrize("block", blocks(ENGLISH, "http"))
def test_each_request_is_answered(anna: Endpoint, block: str) -> None:
    first, _, body = block.partition("\n")
    method, path = first.split()
    answer = anna.ask(path, json.loads(body) if method == "POST" else None)
    assert answer.status == 200
    if path == "/v1/audio/voices":
        assert [one["id"] for one in answer.json["voices"]] == ["Anna"]
    else:
        assert seconds(answer.content) > 0.3


@pytest.mark.parametrize("block", blocks(ENGLISH, "sh"))
def test_each_curl_line_saves_a_sound(anna: Endpoint, block: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not on this machine")
    line = block.replace(SERVED, anna.address)
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    (saved,) = tmp_path.iterdir()
    assert seconds(saved.read_bytes()) > 0.3


@pytest.mark.parametrize("block", blocks(ENGLISH, "python"))
def test_each_program_saves_a_sound(
    anna: Endpoint, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block.replace(SERVED, anna.address), ENGLISH, "exec"), {})
    (saved,) = tmp_path.iterdir()
    assert seconds(saved.read_bytes()) > 0.3


def test_both_pages_show_the_same_requests() -> None:
    kinds = ("http", "sh", "python")
    english, chinese = ([blocks(page, kind) for kind in kinds] for page in PAGES)
    assert english == chinese and [len(one) for one in english] == [10, 2, 1]
