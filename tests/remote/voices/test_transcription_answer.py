"""What the engine says at the end of a transcription is read as typed fields, whatever it says."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.remote.voices import transcription
from sovdeck.remote.voices.transcription import BareRecordings, _Written

SKIPPED = {"code": "engine.data.silent", "message": {"en": "no", "zh": "不"}, "exit_code": 3}


@pytest.mark.parametrize(
    ("problems", "count"), [(None, 0), ([], 0), (3, 0), ("x", 0), ([1, SKIPPED, {}], 1)]
)
def test_its_problems_are_those_that_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problems: Any, count: int
) -> None:
    written = _Written(summary={"event": "written", "clips": "many", "problems": problems})
    monkeypatch.setattr(transcription, "_find_running", lambda *_: None)
    monkeypatch.setattr(transcription, "_launch", lambda *_: None)
    monkeypatch.setattr(transcription, "_follow", lambda *_: written)
    monkeypatch.setattr(transcription, "_fetch_clips", lambda *_: None)
    monkeypatch.setattr(transcription, "_fetch_list", lambda *_: None)
    session: Any = SimpleNamespace(layout=lambda: Layout.at("/w"))
    options: Any = SimpleNamespace(cancel=threading.Event())
    recordings = BareRecordings("Mei", tmp_path, {})
    found = transcription.transcribe(session, recordings, options, lambda _: None)
    assert found.clips == 0 and len(found.problems) == count
