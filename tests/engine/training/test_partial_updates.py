"""Memory that runs out inside the optimiser: half of the weights have moved, and nothing stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from micro_stage import Record, make_stage, run_stage, same, weights
from micro_voice import gpt_task, networks, sovits_task, without_dropout
from out_of_memory import starve_once, tear
from processes import together

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime import distributed
from sovdeck.engine.runtime.checkpoint import CheckpointStore
from sovdeck.engine.runtime.distributed import Peers
from sovdeck.engine.training.features import TrainingClip

OPTIMIZERS = ["discriminator", "generator", "gpt"]


def make(which: str, clips: list[TrainingClip], **options: Any) -> Any:
    task = (gpt_task if which == "gpt" else sovits_task)(clips, **options)
    for model in networks(task):
        without_dropout(model)
    return task


@pytest.mark.parametrize("precision", ["fp32", pytest.param("fp16", marks=pytest.mark.long)])
@pytest.mark.parametrize("which", OPTIMIZERS)
def test_a_torn_update_leaves_no_trace(
    which: str, precision: str, clips: list[TrainingClip], tmp_path: Path
) -> None:
    """As if the second epoch, whose state before it is the newest, had begun in small pieces."""
    wanted = make(which, clips, precision=precision)
    starve_once(wanted, which, epoch=2)
    run_stage(wanted, tmp_path / "small")

    task, record = make(which, clips, precision=precision), Record()
    per_epoch = len(task.epoch_updates(1))
    tear(task, which, epoch=2, update=2)
    outcome = run_stage(task, tmp_path / "torn", record=record)
    assert outcome.updates == 2 * per_epoch
    assert same(weights(wanted), weights(task))
    (event,) = record.of("oom_recovered")
    assert (event["batch_before"], event["batch_after"], event["effective_batch"]) == (2, 1, 2)
    (notice,) = record.of("warning")
    assert notice["code"] == "engine.training.step_undone"
    assert "epoch 2, update 2" in notice["message"]["en"] and notice["step"] == per_epoch


def test_the_first_update_may_be_torn(clips: list[TrainingClip], tmp_path: Path) -> None:
    """Where the moments are made is where memory ends most often; the base itself comes back."""
    wanted = make("gpt", clips)
    starve_once(wanted, "gpt", epoch=1)
    run_stage(wanted, tmp_path / "small")
    task = make("gpt", clips)
    tear(task, "gpt", epoch=1, update=1)
    run_stage(task, tmp_path / "torn")
    assert same(weights(wanted), weights(task))


@pytest.mark.parametrize(
    ("batch", "on_oom"), [(1, "shrink"), (2, "stop")], ids=["smallest", "stop"]
)
def test_where_nothing_is_smaller_the_run_ends_in_a_sentence(
    batch: int, on_oom: str, clips: list[TrainingClip], tmp_path: Path
) -> None:
    straight = make("gpt", clips, batch=batch)
    run_stage(straight, tmp_path / "straight")
    task = make("gpt", clips, batch=batch)
    per_epoch = len(task.epoch_updates(1))
    tear(task, "gpt", epoch=2, update=1)
    with pytest.raises(Problem) as problem:
        run_stage(task, tmp_path / "torn", **{"train.on_oom": on_oom})
    assert problem.value.key == "engine.training.no_room_to_step"
    assert problem.value.exit_code is ExitCode.MEMORY
    state, faults = CheckpointStore(tmp_path / "torn" / "states" / "gpt").find_newest()
    assert state is not None and state.step == per_epoch and not faults
    again = make("gpt", clips, batch=batch)
    run_stage(again, tmp_path / "torn")
    assert same(weights(straight), weights(again))


@pytest.mark.parametrize("place", ["step", "sum"])
def test_all_put_back_what_one_has_torn(
    place: str, clips: list[TrainingClip], tmp_path: Path
) -> None:
    """In the step, or in summing gradients: there the others would wait for ten minutes."""

    def work(peers: Peers) -> None:
        task, record = make("gpt", clips, batch=2, peers=peers), Record()
        if peers.rank == 1 and place == "step":
            tear(task, "gpt", epoch=1, update=3)
        if peers.rank == 1 and place == "sum":
            plain, asked = distributed._buckets, []

            def no_memory(gradients: Any) -> Any:
                asked.append(1)
                if len(asked) == 3:
                    raise torch.OutOfMemoryError("injected")
                return plain(gradients)

            distributed._buckets = no_memory
        outcome = make_stage(task, tmp_path / "both", record, peers=peers).run()
        assert outcome.updates == 2 * len(task.epoch_updates(1))
        assert record.codes() == ["engine.training.step_undone"]
        torch.save(weights(task), tmp_path / f"w{peers.rank}")

    assert together(work) == [0, 0]
    first, second = (torch.load(tmp_path / f"w{rank}", weights_only=True) for rank in (0, 1))
    assert same(first, second)
