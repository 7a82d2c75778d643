"""A run from recordings to a packed voice, at its smallest, and how it ends when it must not."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import zipfile
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from whole_run import FEW, events, write_spec

from sovdeck.engine import interop
from sovdeck.engine.cli import main
from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.fold import RunState, fold
from sovdeck.engine.contract.problem import ExitCode
from sovdeck.engine.runs import stages
from sovdeck.engine.runs.run import execute_run
from sovdeck.engine.speaking.training_record import recorded_identity
from sovdeck.engine.training import resume


@pytest.fixture
def work(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "work")
    return tmp_path / "work"


def test_every_promise_of_a_run(trained: Path) -> None:
    state = fold(RunState(), events(trained, "one"))
    assert (state.status, state.exit_code, state.gaps, state.repeats) == ("succeeded", 0, 0, 0)
    assert [(s.name, s.state) for s in state.stages] == [
        (name, "finished") for name in ("prepare", "sovits", "gpt", "proof", "pack")
    ]
    for name, updates in (("sovits", 12), ("gpt", 12)):
        stage = state.stage(name)
        assert stage is not None and stage.updates == updates == stage.total
        assert stage.first_loss is not None and stage.last_loss is not None
    for event in events(trained, "one"):
        if event.type == "stage_finished" and event.stage in ("sovits", "gpt"):
            assert event.payload["after"] < event.payload["before"]
            assert event.payload["change"] > 0
    assert state.memory["source"] == "psutil" and state.memory["process_rss"] > 0
    assert {sample["path"].split("/")[-1] for sample in state.samples} >= {
        "sovits-e3-1.wav",
        "gpt-e3-1.wav",
        "proof.wav",
    }
    for trained_stage in ("sovits", "gpt"):  # three sentences a save
        spoken = [s["path"] for s in state.samples if f"/{trained_stage}-e3-" in s["path"]]
        assert len(spoken) == 3 and all((trained / path).is_file() for path in spoken)
    for export in state.exports:
        path = trained / export["path"]
        assert path.stat().st_size == export["bytes"] and file_sha256(path) == export["sha256"]
    assert {export["kind"] for export in state.exports} == {"sovits", "gpt", "proof", "pack"}


def test_curves_lie_ready_for_tensorboard(trained: Path) -> None:
    folder = trained / "logs/Mei/tensorboard/one"
    assert {path.parent.name for path in folder.rglob("events.out.tfevents.*")} == {"gpt", "sovits"}


def test_exports_load_as_upstream_files(trained: Path) -> None:
    weight = trained / "SoVITS_weights/Mei/Mei_e3_s12.pth"
    sovits = interop.read_sovits(weight)
    assert recorded_identity(weight).startswith("made:"), "speaking takes its encoders by this"
    gpt = interop.read_gpt(trained / "GPT_weights/Mei/Mei-e3.ckpt")
    assert (sovits.epoch, sovits.step, gpt.epoch) == (3, 12, 3)
    note = json.loads((trained / "GPT_weights/Mei/Mei-e3.ckpt.json").read_text("utf-8"))
    assert note["metrics"]["batch_size"] == 1 and note["metrics"]["dataset"]


def test_the_proof_is_sound(trained: Path) -> None:
    samples, rate = soundfile.read(trained / "logs/Mei/proof.wav")
    assert rate == 32000 and len(samples) > 3200 and abs(samples).max() > 0


def test_the_zip_holds_the_voice(trained: Path) -> None:
    with zipfile.ZipFile(trained / "packs/Mei.zip") as archive:
        assert archive.testzip() is None
        assert "GPT_weights/Mei/Mei-e3.ckpt" in archive.namelist()
        manifest = json.loads(archive.read("manifest.json"))
    made = manifest["weights"]["GPT_weights/Mei/Mei-e3.ckpt"]["metrics"]
    assert made["parameters"]["gpt.epochs"] == 3 and "train.seed" in made["parameters"]
    assert made["dataset"] and made["torch"] == torch.__version__ and "metrics" in made
    assert manifest["engine"]


def test_a_second_attempt_does_nothing_twice(work: Path) -> None:
    before = (work / "packs/Mei.zip").read_bytes()
    ending = execute_run(work / "runs/one/spec.json")
    assert ending.status == "succeeded"
    again = [event for event in events(work, "one") if event.attempt == 2]
    assert not [e for e in again if e.type == "step" and e.stage in ("sovits", "gpt")]
    assert (work / "packs/Mei.zip").read_bytes() == before


def test_a_voice_that_is_already_there_is_no_op(work: Path) -> None:
    spec = write_spec(work, "two", stages=("prepare", "sovits", "gpt"))
    assert main(["run", str(spec), "--json"]) == ExitCode.NO_OP
    state = fold(RunState(), events(work, "two"))
    assert state.status == "no_op"
    codes = [notice.payload["code"] for notice in state.notices]
    assert codes.count("engine.training.already_there") == 2
    assert codes[-1] == "engine.run.nothing_trained"


def test_more_epochs_go_on_where_the_voice_stands(work: Path) -> None:
    spec = write_spec(work, "more", stages=("gpt",), params={**FEW, "gpt.epochs": 4})
    ending = execute_run(spec)
    assert ending.status == "succeeded", ending.problem
    stage = fold(RunState(), events(work, "more")).stage("gpt")
    assert stage is not None and stage.updates == 4
    assert (work / "GPT_weights/Mei/Mei-e4.ckpt").is_file()


def test_a_stage_that_was_finished_before_is_no_failure_of_the_next(work: Path) -> None:
    spec = write_spec(work, "rest", params={**FEW, "gpt.epochs": 4})
    ending = execute_run(spec)
    assert ending.status == "succeeded", ending.problem
    state = fold(RunState(), events(work, "rest"))
    updates = {stage.name: stage.updates for stage in state.stages}
    assert updates["sovits"] == 0 and updates["gpt"] == 4
    with zipfile.ZipFile(work / "packs/Mei.zip") as archive:
        assert json.loads(archive.read("manifest.json"))["toy"] is True


def test_a_voice_older_than_repeats_goes_on_as_it_was_trained(work: Path) -> None:
    """Four updates an epoch, not the many that a small set would get today."""
    for manifest in (work / "logs/Mei/states/gpt").glob("*/manifest.json"):
        saved = json.loads(manifest.read_text("utf-8"))
        del saved["facts"]["must_match"]["repeats"]
        manifest.write_text(json.dumps(saved), "utf-8")
    params = {name: value for name, value in FEW.items() if name != "train.repeats"}
    for epochs, run in ((4, "four"), (5, "five")):
        spec = write_spec(work, run, stages=("gpt",), params={**params, "gpt.epochs": epochs})
        ending = execute_run(spec)
        assert ending.status == "succeeded", ending.problem
        stage = fold(RunState(), events(work, run)).stage("gpt")
        assert stage is not None and stage.updates == 4


def test_a_voice_started_over_speaks_with_its_new_files(work: Path) -> None:
    """Three epochs lie there from before; the two of the new training are proved and packed."""
    params = {**FEW, "gpt.epochs": 2, "train.seed": 7, "train.on_change": "restart"}
    spec = write_spec(work, "over", stages=("gpt", "proof", "pack"), params=params)
    before = set(zipfile.ZipFile(work / "packs/Mei.zip").namelist())
    assert "GPT_weights/Mei/Mei-e3.ckpt" in before
    execute_run(spec)
    assert (work / "GPT_weights/Mei/Mei-e3.ckpt").is_file()
    packed = set(zipfile.ZipFile(work / "packs/Mei.zip").namelist())
    assert packed - before == {f"GPT_weights/Mei/Mei-e2.ckpt{end}" for end in ("", ".json")}
    assert "GPT_weights/Mei/Mei-e3.ckpt" not in packed


def test_the_proof_waits_for_a_full_disk(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speak, fails = stages._speak_sample, [OSError(errno.ENOSPC, "No space left on device")]

    def spoken(*given: Any) -> float:
        if fails:
            raise fails.pop()
        return speak(*given)

    monkeypatch.setattr(stages, "_speak_sample", spoken)
    monkeypatch.setattr(resume.retry_while_disk_full, "__kwdefaults__", {"sleep": lambda _: None})
    ending = execute_run(write_spec(work, "proof", stages=("proof",)))
    assert ending.status == "succeeded", ending.problem
    codes = [event.payload["code"] for event in events(work, "proof") if event.type == "warning"]
    assert "engine.training.disk_full" in codes


def test_sigterm_in_a_run_ends_it_as_preempted(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write_spec(work, "cut", stages=("gpt",), params={**FEW, "gpt.epochs": 9})
    child = os.fork()
    if child == 0:
        from sovdeck.engine.training import loop

        update = loop.run_update

        def once(*args: Any) -> Any:
            os.kill(os.getpid(), signal.SIGTERM)
            return update(*args)

        monkeypatch.setattr(loop, "run_update", once)
        os._exit(main(["run", str(spec)]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == ExitCode.PREEMPTED
    state = fold(RunState(), events(work, "cut"))
    assert (state.status, state.exit_code) == ("preempted", 75)
    assert events(work, "cut")[-2].type in ("checkpoint", "memory")


def test_a_missing_dataset_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = write_spec(tmp_path, "none")
    assert main(["run", str(spec)]) == ExitCode.DATA
    errors = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in errors if 'none of "Mei"' in line]) == 1
    assert "Traceback" not in "".join(errors)
    assert fold(RunState(), events(tmp_path, "none")).status == "failed"


def test_a_missing_pretrained_set_says_what_to_fetch(tmp_path: Path) -> None:
    ending = execute_run(write_spec(tmp_path, "set", preset="v2", pretrained="v2"))
    assert ending.problem is not None and ending.exit_code is ExitCode.CONFIG
    assert ending.problem.key == "engine.training.no_pretrained"
    assert "chinese-hubert-base" in ending.problem.facts["missing"]


def test_an_unreadable_spec_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tmp_path / "spec.json")]) == ExitCode.CONFIG
    assert "spec.json cannot be read" in capsys.readouterr().err


def test_a_defect_of_ours_still_ends_the_stream(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sovdeck.engine.runs import stages

    def broken(*_: object) -> None:
        raise ZeroDivisionError("made for the test")

    monkeypatch.setitem(stages._STAGES, "pack", broken)
    ending = execute_run(write_spec(work, "bug", stages=("pack",)))
    assert ending.exit_code is ExitCode.INTERNAL
    assert "ZeroDivisionError" in (work / "runs/bug/traceback.txt").read_text()
    assert events(work, "bug")[-1].payload["status"] == "failed"
