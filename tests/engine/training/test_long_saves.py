"""A save that takes long: asked to stop, or killed, in the middle of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from micro_stage import Record, make_stage, run_stage, same, weights
from micro_voice import gpt_task
from processes import together

from sovdeck.engine import interop
from sovdeck.engine.contract import atomic_io, estimate
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.runtime import checkpoint
from sovdeck.engine.runtime.checkpoint import CheckpointStore
from sovdeck.engine.runtime.distributed import Peers
from sovdeck.engine.runtime.selected_weights import list_weight_files
from sovdeck.engine.runtime.signals import StopFlag, Stopped
from sovdeck.engine.training.features import TrainingClip
from sovdeck.engine.training.meters import Position


def in_mid_save(save: int, act: Callable[[], None]) -> None:
    """Call `act` between the first and the last file of a state, in the save of that number."""
    plain = checkpoint._write_part
    manifests: list[Any] = []
    parts: list[Any] = []

    def write_part(path: Path, part: Any) -> dict[str, Any]:
        if path.parent not in manifests:
            manifests.append(path.parent)
            parts.clear()
        parts.append(path)
        if len(manifests) == save and len(parts) == 2:
            act()
        return plain(path, part)

    checkpoint._write_part = write_part


@pytest.fixture(autouse=True)
def put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_write_part", checkpoint._write_part)


def test_asked_to_stop_in_a_save_it_ends_the_save_first(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    """And trains one update more, to the border where it stops."""
    task = gpt_task(clips)
    per_epoch = len(task.epoch_updates(1))
    with StopFlag() as stop:
        in_mid_save(2, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Stopped) as stopped:
            run_stage(task, tmp_path, stop=stop)
    assert stopped.value.status == "preempted"
    states = CheckpointStore(tmp_path / "states" / "gpt")
    newest, faults = states.find_newest()
    assert newest is not None and newest.step == per_epoch + 1 and not faults
    kept = sorted(path.name for path in states.folder.iterdir())
    assert kept == [f"step-{per_epoch:08d}", f"step-{per_epoch + 1:08d}"]


def test_killed_in_a_save_after_a_stop_both_go_on_from_the_state_before(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    """What a scheduler does whose patience ends: TERM to all, and KILL while rank 0 saves."""
    cut = tmp_path / "cut"

    def train(peers: Peers, folder: Path) -> None:
        task = gpt_task(clips, 1, peers)
        make_stage(task, folder, peers=peers).run()
        if peers.is_leader:
            torch.save(weights(task), folder / "weights")

    def killed(peers: Peers) -> None:
        task = gpt_task(clips, 1, peers)
        begin = task.set_learning_rate

        def set_learning_rate(epoch: int) -> None:
            begin(epoch)
            if epoch == 2:
                os.kill(os.getpid(), signal.SIGTERM)

        task.set_learning_rate = set_learning_rate  # type: ignore[method-assign]
        # Rank 0 saves the base, the first epoch, and the border at which it was told to stop.
        in_mid_save(3, lambda: os.kill(os.getpid(), signal.SIGKILL))
        with StopFlag() as stop:
            try:
                make_stage(task, cut, stop=stop, peers=peers).run()
            except RuntimeError as error:
                assert "onnection" in str(error)
                os._exit(7)

    assert together(killed) == [-signal.SIGKILL, 7]
    states = CheckpointStore(cut / "states" / "gpt")
    assert len(list(states.folder.glob(".tmp-*"))) == 1, "killed inside"
    state, faults = states.find_newest()
    assert state is not None and state.facts["position"]["epoch"] == 2 and not faults
    assert state.facts["position"]["index"] == 0
    assert together(lambda peers: train(peers, cut)) == [0, 0]
    assert not list(states.folder.glob(".tmp-*"))
    straight = tmp_path / "straight"
    assert together(lambda peers: train(peers, straight)) == [0, 0]
    one, other = (torch.load(at / "weights", weights_only=True) for at in (cut, straight))
    assert same(one, other)


@pytest.mark.parametrize("again", [False, True], ids=["new", "over-an-old-one"])
def test_killed_in_an_export_no_half_file_is_taken_for_a_weight(
    again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = GptConfig.tiny()
    state = Text2Semantic(config).state_dict()
    if again:
        interop.write_gpt(tmp_path, "Mei", 4, state, config, {})
    before = [path.read_bytes() for path in list_weight_files(tmp_path)]
    child = os.fork()
    if child == 0:
        plain = atomic_io.HashingFile.write

        def write(file: Any, data: Any) -> int:
            if file.bytes > 1000:
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(file, data)

        monkeypatch.setattr(atomic_io.HashingFile, "write", write)
        interop.write_gpt(tmp_path, "Mei", 4, state, config, {})
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(list(tmp_path.glob(".*.tmp"))) == 1, "killed inside"
    assert [path.read_bytes() for path in list_weight_files(tmp_path)] == before
    written = interop.write_gpt(tmp_path, "Mei", 4, state, config, {})
    assert not list(tmp_path.glob(".*.tmp")) and written.path in list_weight_files(tmp_path)


def test_a_finished_epoch_is_saved_where_that_is_cheap(
    clips: list[TrainingClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the first state by the clock, and between epochs that are exported."""
    params = {"gpt.epochs": 4, "gpt.save_every_epochs": 4, "train.save_every_minutes": 10}
    saved: dict[float, list[int]] = {}
    for share in (1e9, 0.0):  # of the time since the last state that writing one may take
        monkeypatch.setattr(estimate, "STATE_TIME_SHARE", share)
        record = Record()
        run_stage(gpt_task(clips), tmp_path / str(share), record=record, **params)
        saved[share] = [state["epoch"] for state in record.of("checkpoint")]
    assert saved == {1e9: [0, 1, 2, 3, 4], 0.0: [0, 4]}
    record = Record()
    monkeypatch.setattr(estimate, "STATE_TIME_SHARE", 1e9)
    off = {**params, "train.save_every_minutes": 0}
    run_stage(gpt_task(clips), tmp_path / "off", record=record, **off)
    assert [state["epoch"] for state in record.of("checkpoint")] == [0, 4]


def test_no_estimate_says_zero_before_the_last_save(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    record = Record()
    run_stage(gpt_task(clips), tmp_path, record=record)
    estimates = [step["eta_s"] for step in record.of("step")]
    assert len(estimates) > 2 and all(value is None or value > 0 for value in estimates)
    assert estimates[-1] is not None, "a save is still to come"


def test_nor_where_a_run_goes_on_in_its_last_epoch(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    """It knows the loss at the start, so nothing here was measured before its first update."""
    with StopFlag() as stop:
        task = gpt_task(clips)
        begin = task.set_learning_rate

        def set_learning_rate(epoch: int) -> None:
            begin(epoch)
            if epoch == 2:
                os.kill(os.getpid(), signal.SIGTERM)

        task.set_learning_rate = set_learning_rate  # type: ignore[method-assign]
        with pytest.raises(Stopped):
            run_stage(task, tmp_path, stop=stop)
    record = Record()
    run_stage(gpt_task(clips), tmp_path, record=record)
    estimates = [step["eta_s"] for step in record.of("step")]
    assert estimates and all(value is None or value > 0.5 for value in estimates)


@pytest.mark.parametrize("each_save", [True, False], ids=["each", "last"])
def test_saves_are_taken_to_be_as_slow_as_updates(
    clips: list[TrainingClip], tmp_path: Path, each_save: bool
) -> None:
    """On a processor that is busy with others; files go to the disk at its own pace."""
    params: dict[str, Any] = {
        "gpt.export_each_save": each_save,
        "gpt.save_every_epochs": 1,
        "gpt.epochs": 3,
    }
    stage = make_stage(gpt_task(clips), tmp_path, **params)
    first, last = Position(epoch=1, index=1), Position(epoch=3, index=1)
    quick, slow = (stage._rest_s(first, seconds) for seconds in (0.1, 1.0))
    assert 2 * quick < slow < 10 * quick
    assert 0 < stage._rest_s(last, 0.1) < quick
