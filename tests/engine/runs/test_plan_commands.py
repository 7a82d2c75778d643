"""`engine report` and `engine plan` as commands, on real files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sovdeck.engine.cli import main


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOVDECK_LANG", "en")
    wavs = tmp_path / "data" / "V" / "wavs"
    wavs.mkdir(parents=True)
    rows = []
    for number in range(20):
        t = np.arange(16000 * 4) / 16000
        wav = 0.3 * np.sin(2 * np.pi * (150 + number) * t) * (t % 1 < 0.7)
        soundfile.write(wavs / f"{number}.wav", wav, 16000)
        rows.append(f"{number}.wav|mei|ja|{'あいうえお' * 4}")
    rows.append("gone.wav|mei|ja|あ")
    (tmp_path / "data" / "V" / "V.list").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def test_report(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = work / "data" / "V"
    assert main(["report", str(folder / "V.list"), "--wavs", str(folder / "wavs"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["clips"] == 20 and report["seconds"] == 80.0
    assert [p["code"] for p in report["problems"]] == ["engine.data.missing"]
    assert main(["report", str(folder / "V.list"), "--wavs", str(folder / "wavs")]) == 0
    assert "20 usable clips, 1.3 minutes" in capsys.readouterr().out
    assert main(["report", str(folder), "--strict"]) == 3
    (folder / "W.list").write_text("", encoding="utf-8")
    assert main(["report", str(folder)]) == 3


def test_the_laptops_check(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from sovdeck.tui.cli.main import main as sovdeck

    folder = work / "data" / "V"
    assert sovdeck(["data", "check", str(folder)]) == 3  # one line names a missing file
    out = capsys.readouterr().out
    assert "20 usable clips, 1.3 minutes" in out and "gone.wav" in out and "█" in out
    assert sovdeck(["data", "check", str(folder / "V.list"), "--json"]) == 3
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["report"]["clips"] for line in lines if "report" in line] == [20]
    assert sovdeck(["data", "check", str(folder), "--strict"]) == 3
    assert "line 21" in capsys.readouterr().err


def test_plan(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "V", "--work", str(work), "--set", "train.device=cpu", "--preset", "tiny"]
    assert main([*arguments, "--json", "--price", "1.5", "--currency", "EUR"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [stage["name"] for stage in plan["stages"]] == ["sovits", "gpt"]
    assert plan["clips"] == 20 and plan["currency"] == "EUR" and plan["cost"] > 0
    assert plan["stages"][0]["updates"] == 8 * plan["stages"][0]["updates_per_epoch"]
    assert main(arguments) == 0 and "updates an epoch" in capsys.readouterr().out
    assert main([*arguments, "--set", "gpt.batch_size=40"]) == 2
    captured = capsys.readouterr()
    assert "gpt.batch_size" in captured.err and not list((work / "runs").glob("*"))
