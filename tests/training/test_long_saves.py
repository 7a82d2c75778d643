"""A save that takes long: asked to stop, or killed, in the middle of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from micro_stage import make_stage, run_stage, same, weights
from micro_voice import gpt_task
from processes import together

from engine import interop
from engine.models.gpt.config import GptConfig
from engine.models.gpt.text2semantic import Text2Semantic
from engine.pack import weight_files
from engine.runtime import checkpoint, durable
from engine.runtime.checkpoint import Checkpoints
from engine.runtime.distributed import Peers
from engine.runtime.signals import StopFlag, Stopped
from engine.training.features import Clip


def in_mid_save(save: int, act: Callable[[], None]) -> None:
    """Call `act` between the first and the last file of a state, in the save of that number."""
    plain, manifests, parts = checkpoint._write_part, [], []

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


def test_asked_to_stop_in_a_save_it_ends_the_save_first(clips: list[Clip], tmp_path: Path) -> None:
    """And trains one update more, to the border where it stops."""
    task = gpt_task(clips)
    per_epoch = len(task.order(1))
    with StopFlag() as stop:
        in_mid_save(2, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Stopped) as stopped:
            run_stage(task, tmp_path, stop=stop)
    assert stopped.value.status == "preempted"
    states = Checkpoints(tmp_path / "states" / "gpt")
    newest, faults = states.newest()
    assert newest is not None and newest.step == per_epoch + 1 and not faults
    kept = sorted(path.name for path in states.folder.iterdir())
    assert kept == [f"step-{per_epoch:08d}", f"step-{per_epoch + 1:08d}"]


def test_killed_in_a_save_after_a_stop_both_go_on_from_the_state_before(
    clips: list[Clip], tmp_path: Path
) -> None:
    """What a scheduler does whose patience ends: TERM to all, and KILL while rank 0 saves."""
    cut = tmp_path / "cut"

    def train(peers: Peers, folder: Path) -> None:
        task = gpt_task(clips, 1, peers)
        make_stage(task, folder, peers=peers).run()
        if peers.leads:
            torch.save(weights(task), folder / "weights")

    def killed(peers: Peers) -> None:
        task = gpt_task(clips, 1, peers)
        begin = task.begin_epoch

        def begin_epoch(epoch: int) -> None:
            begin(epoch)
            if epoch == 2:
                os.kill(os.getpid(), signal.SIGTERM)

        task.begin_epoch = begin_epoch  # type: ignore[method-assign]
        # Rank 0 saves the base, the first epoch, and the border at which it was told to stop.
        in_mid_save(3, lambda: os.kill(os.getpid(), signal.SIGKILL))
        with StopFlag() as stop:
            try:
                make_stage(task, cut, stop=stop, peers=peers).run()
            except RuntimeError as error:
                assert "onnection" in str(error)
                os._exit(7)

    assert together(killed) == [-signal.SIGKILL, 7]
    states = Checkpoints(cut / "states" / "gpt")
    assert len(list(states.folder.glob(".tmp-*"))) == 1, "killed inside"
    state, faults = states.newest()
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
    again: bool, tmp_path: Path
) -> None:
    config = GptConfig.tiny()
    state = Text2Semantic(config).state_dict()
    if again:
        interop.write_gpt(tmp_path, "Mei", 4, state, config, {})
    before = [path.read_bytes() for path in weight_files(tmp_path)]
    child = os.fork()
    if child == 0:
        plain = durable.HashedFile.write

        def write(file: Any, data: Any) -> int:
            if file.bytes > 1000:
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(file, data)

        durable.HashedFile.write = write  # type: ignore[method-assign]
        interop.write_gpt(tmp_path, "Mei", 4, state, config, {})
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(list(tmp_path.glob(".*.tmp"))) == 1, "killed inside"
    assert [path.read_bytes() for path in weight_files(tmp_path)] == before
    written = interop.write_gpt(tmp_path, "Mei", 4, state, config, {})
    assert not list(tmp_path.glob(".*.tmp")) and written.path in weight_files(tmp_path)
