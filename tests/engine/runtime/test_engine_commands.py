"""The engine's command line: quick to answer, one sentence for a problem, honest exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sovdeck.engine.cli import main
from sovdeck.engine.commands.doctor_checks import CheckResult, has_kernels, run_checks
from sovdeck.engine.contract.pretrained_set import files_for
from sovdeck.engine.contract.problem import ExitCode
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.runtime.console import output_language


def test_help_never_imports_torch() -> None:
    program = (
        "import sys, sovdeck.engine.cli\n"
        "try: sovdeck.engine.cli.main(['--help'])\n"
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
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert output_language() == wanted


def test_single_stage_commands_write_a_spec_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOVDECK_LANG", "en")
    code = main(
        [
            "train",
            "all",
            "Mei",
            "--work",
            str(tmp_path),
            "--preset",
            "tiny",
            "--json",
            "--set",
            "sovits.epochs=3",
            "--set",
            "train.device=cpu",
        ]
    )
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
    found = {finding.name: finding for finding in run_checks(tmp_path)}
    assert found["python"].state == found["torch"].state == "good"
    lacking = found["pretrained/v2"]
    assert lacking.state == "warning" and "s2D" in lacking.value and "s2G" not in lacking.value
    assert main(["doctor", "--work", str(tmp_path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["status"] == "succeeded" and len(facts["findings"]) == len(found)


def test_the_doctor_praises_a_set_that_is_complete_for_one_version(tmp_path: Path) -> None:
    for file in files_for("v2"):
        path = tmp_path / "pretrained" / "v2" / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    finding = next(one for one in run_checks(tmp_path) if one.name == "pretrained/v2")
    assert (finding.state, finding.value) == ("good", "v2")


def test_a_bad_finding_fails_the_doctor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sovdeck.engine.commands import doctor_checks
    from sovdeck.engine.contract.catalogue import text

    bad = CheckResult("python", "bad", "3.9.1", text("engine.doctor.python"))
    monkeypatch.setattr(doctor_checks, "run_checks", lambda work: [bad])
    assert main(["doctor", "--work", str(tmp_path)]) == ExitCode.CONFIG
    assert "x python" in capsys.readouterr().out


CU126 = ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]
CU128 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]


@pytest.mark.parametrize(
    ("card", "capability", "built", "runs"),
    [
        ("V100", (7, 0), CU126, True),
        ("V100", (7, 0), CU128, False),
        ("RTX 4090", (8, 9), CU126, True),
        ("RTX 5090", (12, 0), CU126, False),
        ("RTX 5090", (12, 0), CU128, True),
        ("GB10", (12, 1), CU128, True),
        ("B300", (10, 3), CU128, True),
        ("a card of tomorrow", (13, 0), CU128, False),
        ("a card of tomorrow", (13, 0), [*CU128, "compute_120"], True),
        ("H100", (9, 0), ["sm_90a"], True),
        ("a sister of the H100", (9, 1), ["sm_90a"], False),
    ],
)
def test_whether_torch_has_kernels_for_a_card(
    card: str, capability: tuple[int, int], built: list[str], runs: bool
) -> None:
    assert has_kernels(built, capability) is runs, card
