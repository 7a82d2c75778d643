"""The engine's command line: quick to answer, one sentence for a problem, honest exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli import language, main
from engine.contract.problem import ExitCode
from engine.contract.spec import RunSpec
from engine.doctor import Finding, examine


def test_help_never_imports_torch() -> None:
    program = (
        "import sys, engine.cli\n"
        "try: engine.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "bad = {'torch', 'numpy', 'transformers'} & set(sys.modules)\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("run", "prepare", "train", "speak", "pack", "doctor", "plan", "report", "worker"):
        assert f"    {name} " in done.stdout


@pytest.mark.parametrize(
    ("value", "wanted"), [("zh", "zh"), ("zh_CN.UTF-8", "zh"), ("en", "en"), ("", "en")]
)
def test_language(value: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOVDECK_LANG", value)
    monkeypatch.delenv("LANG", raising=False)
    assert language() == wanted


def test_single_stage_commands_write_a_spec_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOVDECK_LANG", "en")
    code = main(
        ["train", "all", "Mei", "--work", str(tmp_path), "--preset", "tiny", "--json",
         "--set", "sovits.epochs=3", "--set", "train.device=cpu"]
    )  # fmt: skip
    assert code == ExitCode.DATA
    assert json.loads(capsys.readouterr().out)["code"] == "engine.training.not_prepared"
    (path,) = (tmp_path / "runs").glob("*/spec.json")
    spec = RunSpec.from_json(path.read_text(encoding="utf-8"))
    assert spec.stages == ("sovits", "gpt") and spec.params["sovits.epochs"] == 3


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("sovits.epochs=900", "1-200"),
        ("sovits.epoch=9", "sovits.epochs"),
        ("nonsense", "NAME=VALUE"),
    ],
)
def test_bad_parameters_are_one_sentence(
    argument: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["train", "gpt", "Mei", "--work", str(tmp_path), "--set", argument])
    assert code == ExitCode.CONFIG
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line
    assert not (tmp_path / "runs").exists()


def test_debug_shows_the_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["pack", "Mei", "--work", str(tmp_path), "--debug"])
    assert "Traceback" in capsys.readouterr().err
    main(["pack", "Mei", "--work", str(tmp_path)])
    assert "Traceback" not in capsys.readouterr().err


def test_the_doctor_names_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pretrained" / "v2").mkdir(parents=True)
    (tmp_path / "pretrained" / "v2" / "s2G2333k.pth").write_bytes(b"x")
    found = {finding.name: finding for finding in examine(tmp_path)}
    assert found["python"].state == found["torch"].state == "good"
    lacking = found["pretrained/v2"]
    assert lacking.state == "warning" and "s2D" in lacking.value and "s2G" not in lacking.value
    assert main(["doctor", "--work", str(tmp_path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["status"] == "succeeded" and len(facts["findings"]) == len(found)


def test_a_bad_finding_fails_the_doctor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine import doctor
    from engine.contract.catalogue import text

    bad = Finding("python", "bad", "3.9.1", text("engine.doctor.python"))
    monkeypatch.setattr(doctor, "examine", lambda work: [bad])
    assert main(["doctor", "--work", str(tmp_path)]) == ExitCode.CONFIG
    assert "x python" in capsys.readouterr().out
