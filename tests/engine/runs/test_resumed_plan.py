"""What a plan learns from the states that a run would go on from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sovdeck.engine.cli import main
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.params import ParamValue
from sovdeck.engine.contract.plan import StageProgress
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.practice.dataset import make_practice_set
from sovdeck.engine.runs.planned_stages import plan_figures
from sovdeck.engine.runs.preflight import run_preflight
from sovdeck.engine.runtime.checkpoint import CheckpointStore
from sovdeck.engine.training.meters import Position
from sovdeck.engine.training.plan import saved_progress

PARAMS: dict[str, ParamValue] = {
    "train.device": "cpu",
    "train.repeats": 1,
    "sovits.batch_size": 2,
    "gpt.batch_size": 1,
}
SPEC = RunSpec("second", "Mei", "tinyPro", params=PARAMS)


def save(work: Path, stage: str, position: Position, run: str = "first") -> Path:
    """A state of tinyPro, at this position."""
    facts: dict[str, Any] = {"position": position.as_facts(), "run": run}
    store = CheckpointStore(work / "logs" / "Mei" / "states_v2Pro" / stage)
    return store.save(position.step, {"model": torch.zeros(1)}, facts).path


def progress(work: Path, **params: Any) -> dict[str, StageProgress]:
    spec = RunSpec("second", "Mei", "tinyPro", params={**PARAMS, **params})
    return saved_progress(spec, Layout.at(work.as_posix()))


def test_the_newest_state_of_each_stage(tmp_path: Path) -> None:
    assert progress(tmp_path) == {}
    save(tmp_path, "sovits", Position())
    assert progress(tmp_path) == {"sovits": StageProgress(0)}
    save(tmp_path, "sovits", Position(epoch=3, index=2, step=10))
    save(tmp_path, "gpt", Position(epoch=1, index=3, step=3), "second")
    found = progress(tmp_path)
    assert found["sovits"] == StageProgress(2, 2)
    assert found["gpt"] == StageProgress(0, 3, same_run=True)


def test_a_manifest_that_cannot_be_read_gives_way_to_the_one_before(tmp_path: Path) -> None:
    save(tmp_path, "gpt", Position(epoch=2, step=4))
    newest = save(tmp_path, "gpt", Position(epoch=3, step=8))
    (newest / "manifest.json").write_text("{")
    assert progress(tmp_path) == {"gpt": StageProgress(1)}
    (newest / "manifest.json").unlink()
    assert progress(tmp_path) == {"gpt": StageProgress(1)}
    (newest / "manifest.json").write_text('{"facts": []}')
    assert progress(tmp_path) == {"gpt": StageProgress(1)}


def test_a_run_that_starts_over_has_nothing_done(tmp_path: Path) -> None:
    save(tmp_path, "gpt", Position(epoch=2, step=4))
    assert progress(tmp_path, **{"train.on_change": "restart"}) == {}
    assert progress(tmp_path, **{"train.on_change": "continue"}) == {"gpt": StageProgress(1)}


def test_states_of_another_version_are_not_gone_on_from(tmp_path: Path) -> None:
    save(tmp_path, "gpt", Position(epoch=2, step=4))
    other = RunSpec("second", "Mei", "tiny", params=PARAMS)
    assert saved_progress(other, Layout.at(tmp_path.as_posix())) == {}


def test_the_run_and_the_command_plan_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOVDECK_LANG", "en")
    make_practice_set(tmp_path / "data" / "Mei", "Mei", clips=8)
    layout = Layout.at(tmp_path.as_posix())
    whole = run_preflight(SPEC, layout)
    save(tmp_path, "sovits", Position(epoch=9, step=32))
    save(tmp_path, "gpt", Position(epoch=8, step=14))
    rest = run_preflight(SPEC, layout)
    sovits, gpt = rest.stages
    assert sovits.done == sovits.updates and 0 < gpt.done < gpt.updates
    assert rest.seconds < whole.seconds and rest.disk == whole.disk
    entries = {one["name"]: one for one in plan_figures(rest, SPEC.stages)["stages"]}
    assert entries["gpt"]["total"] == gpt.updates, "progress is counted from the first update"
    assert all(one["seconds"] > 0 for one in entries.values())
    arguments = ["plan", "Mei", "--work", str(tmp_path), "--preset", "tinyPro"]
    for name, value in PARAMS.items():
        arguments += ["--set", f"{name}={value}"]
    assert main([*arguments, "--json"]) == 0
    answered = json.loads(capsys.readouterr().out)
    assert [one["done"] for one in answered["stages"]] == [sovits.done, gpt.done]
    assert main(arguments) == 0
    assert f"gpt goes on after {gpt.done} updates" in capsys.readouterr().out
