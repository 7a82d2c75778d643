"""`sovdeck audition --vote` asks the dashboard's few balanced comparisons, not every pair."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import Mock

import pytest

from sovdeck.engine.contract.audition import AuditionCell, Standing
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech import audition
from sovdeck.tui.cli import blind_vote
from sovdeck.tui.cli.console import Console
from sovdeck.tui.state.blind_test import MAX_COMPARED_PAIRS, MAX_COMPARISONS
from sovdeck.tui.state.speech_models import AuditionState

PAIRS = [(f"V-e{epoch}.ckpt", f"V_e{epoch}_s1.pth") for epoch in range(6)]


@pytest.fixture
def grid(tmp_path: Path) -> AuditionState:
    """Six pairs by three sentences: 45 duels, if every one were asked."""
    cells = []
    for gpt, sovits in PAIRS:
        for sentence in range(3):
            wav = tmp_path / f"{gpt}-{sentence}.wav"
            wav.write_bytes(b"RIFF" + gpt.encode())
            name = f"{gpt}-{sentence}"
            cells.append(
                AuditionCell(name, "cell", sentence, "お", gpt, sovits, sha256="0", wav=str(wav))
            )
    standings = tuple(Standing(*pair, 1.0, 1.0, 3, 0, 0) for pair in PAIRS)
    return AuditionState("box", "V", tuple(cells), standings=standings)


@pytest.mark.parametrize(
    ("answers", "votes"), [(["a", "b"] * 50, MAX_COMPARISONS), (["a", "", "q"], 1), ([], 0)]
)
def test_few_balanced_questions_each_counted_once(
    grid: AuditionState,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: list[str],
    votes: int,
) -> None:
    typed = iter(answers)
    cast: list[tuple[AuditionCell, AuditionCell]] = []

    def answer(_: str) -> str:
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    def vote(session: Any, voice: str, better: AuditionCell, worse: AuditionCell) -> list[Any]:
        cast.append((better, worse))
        return [audition.AuditionSummary(len(cast), None)]

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr(audition, "vote", vote)
    monkeypatch.setattr(audition, "local_folder", lambda session, voice: tmp_path / "here")
    monkeypatch.setattr(blind_vote, "play_file", lambda path: None)
    console = Console(json_output=True, language="en")
    ended = blind_vote.run_blind_vote(Mock(spec=ServerSession), grid, console, Random(3))
    assert len(cast) == votes == ended.votes
    best = set(PAIRS[:MAX_COMPARED_PAIRS])
    for better, worse in cast:
        assert {(better.gpt, better.sovits), (worse.gpt, worse.sovits)} <= best
        assert better.sentence == worse.sentence
    asked = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    files = [one["files"] for one in asked if one.get("event") == "match"]
    assert {Path(name).name for names in files for name in names} == {"A.wav", "B.wav"}
    assert not (tmp_path / "here" / "blind").exists()
