"""Eight straight updates equal five, a kill, and three more: bit for bit, both stages."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import micro_voice
import pytest
from micro_stage import Record, make_stage, run_stage, same, weights
from micro_voice import gpt_task

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime import rng
from sovdeck.engine.runtime.checkpoint import CheckpointStore
from sovdeck.engine.runtime.signals import StopFlag, Stopped
from sovdeck.engine.training.features import TrainingClip

TASKS: dict[str, Callable[[list[TrainingClip]], Any]] = {
    **micro_voice.TASKS,
    "gpt-dpo": lambda clips: gpt_task(clips, dpo=True),
}


def stop_after(task: Any, updates: int, act: Callable[[], None]) -> None:
    """Do `act` in the middle of the update that follows `updates` whole ones."""
    phases, seen = task.phases, []

    def counted() -> Any:
        seen.append(1)
        if len(seen) == updates + 1:
            act()
        return phases()

    task.phases = counted


def in_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked process; minus the signal that ended it, else its exit code."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("name", TASKS)
def test_eight_updates_equal_five_a_kill_and_three(
    name: str, clips: list[TrainingClip], tmp_path: Path
) -> None:
    straight = TASKS[name](clips)
    run_stage(straight, tmp_path / "straight")
    per_epoch = len(straight.epoch_updates(1))
    assert per_epoch >= 4  # so the fifth or sixth update lies inside an epoch

    def killed() -> None:
        task = TASKS[name](clips)
        # Saves after five updates by the clock, then dies in the middle of the next but one.
        minutely: dict[str, Any] = {"train.save_every_minutes": 1}
        stage = make_stage(task, tmp_path / "cut", **minutely)
        done: list[int] = []
        stage._save_due = lambda: len(done) == 5  # type: ignore[method-assign]
        phases = task.phases

        def counted() -> Any:
            done.append(1)
            if len(done) == 7:
                os.kill(os.getpid(), signal.SIGKILL)
            return phases()

        task.phases = counted
        rng.seed_all(5)
        stage.run()

    assert in_child(killed) == -signal.SIGKILL
    state, faults = CheckpointStore(tmp_path / "cut" / "states" / straight.name).find_newest()
    assert state is not None and state.step == 5 and not faults
    assert state.facts["position"]["index"] == 5 - (5 // per_epoch) * per_epoch

    resumed, record = TASKS[name](clips), Record()
    rng.seed_all(99)  # whatever came before must not matter
    outcome = make_stage(resumed, tmp_path / "cut", record).run()
    assert same(weights(straight), weights(resumed))
    assert outcome.updates == 2 * per_epoch and outcome.weight_change > 0
    assert record.codes() == ["engine.training.resumed"]
    assert [step["step"] for step in record.of("step")] == list(range(6, 2 * per_epoch + 1))


@pytest.mark.parametrize("whole", [2, 3, 7], ids=["inside", "end-of-epoch", "end-of-all"])
def test_sigterm_saves_at_the_next_border_and_resumes(
    whole: int, clips: list[TrainingClip], tmp_path: Path
) -> None:
    straight = gpt_task(clips)
    run_stage(straight, tmp_path / "straight")
    task = gpt_task(clips)
    with StopFlag() as stop:
        stop_after(task, whole, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Stopped) as stopped:
            run_stage(task, tmp_path / "cut", stop=stop)
    assert stopped.value.exit_code is ExitCode.PREEMPTED
    assert len(straight.epoch_updates(1)) == 4
    resumed = gpt_task(clips)
    outcome = run_stage(resumed, tmp_path / "cut")
    assert outcome.updates == 8 and outcome.export.path.name == "gpt-e2.pt"
    assert same(weights(straight), weights(resumed))


def test_sigint_is_a_person_who_stops(clips: list[TrainingClip], tmp_path: Path) -> None:
    task = gpt_task(clips)
    with StopFlag() as stop:
        stop_after(task, 1, lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(Stopped) as stopped:
            run_stage(task, tmp_path, stop=stop)
    assert (stopped.value.status, stopped.value.exit_code) == ("stopped", ExitCode.INTERRUPTED)


def test_a_damaged_state_falls_back_to_the_one_before(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    run_stage(gpt_task(clips), tmp_path)
    folder = tmp_path / "states" / "gpt"
    newest = sorted(folder.iterdir())[-1]
    model = newest / "model.pt"
    model.write_bytes(model.read_bytes()[:-1])
    record = Record()
    resumed = gpt_task(clips)
    run_stage(resumed, tmp_path, record=record)
    assert record.codes() == ["engine.training.state_damaged", "engine.training.resumed"]


def test_only_damaged_states_never_become_the_base_silently(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    run_stage(gpt_task(clips), tmp_path)
    for state in (tmp_path / "states" / "gpt").iterdir():
        (state / "manifest.json").unlink()
    with pytest.raises(Problem) as problem:
        run_stage(gpt_task(clips), tmp_path)
    assert problem.value.key == "engine.training.no_state_left"
    outcome = run_stage(gpt_task(clips), tmp_path, **{"train.on_change": "restart"})
    assert outcome.updates == 2 * len(gpt_task(clips).epoch_updates(1))


def test_changed_data_asks(clips: list[TrainingClip], tmp_path: Path) -> None:
    run_stage(gpt_task(clips), tmp_path)
    more = {"gpt.epochs": 3}
    with pytest.raises(Problem) as problem:
        run_stage(gpt_task(clips), tmp_path, facts={"dataset": "d2"}, **more)
    assert problem.value.key == "engine.training.changed"
    assert problem.value.facts["what"] == "dataset"
    new = {"facts": {"dataset": "d2"}, "run": "r2", **more}
    going_on = run_stage(gpt_task(clips), tmp_path, **new, **{"train.on_change": "continue"})
    assert going_on.updates == len(gpt_task(clips).epoch_updates(1))
    again = run_stage(
        gpt_task(clips), tmp_path, facts={"dataset": "d3"}, **more, **{"train.on_change": "restart"}
    )
    assert again.updates == 3 * len(gpt_task(clips).epoch_updates(1))


@pytest.mark.parametrize("before", [3, 1])
def test_another_batch_size_goes_on_after_a_stop(
    clips: list[TrainingClip], tmp_path: Path, before: int
) -> None:
    """The guide's own advice when memory is short: stop, lower the batch, train on."""
    task = gpt_task(clips)
    stop = StopFlag()
    stop_after(task, before, lambda: setattr(stop, "signal", signal.SIGINT))
    with pytest.raises(Stopped):
        run_stage(task, tmp_path, stop=stop, facts={"batch_size": 4}, **{"gpt.epochs": 3})
    record = Record()
    new = {"facts": {"batch_size": 2}, "run": "r2", "gpt.epochs": 3}
    outcome = run_stage(gpt_task(clips), tmp_path, record=record, **new)
    assert record.codes() == ["engine.training.resumed"] and outcome.updates > 0
    assert "batch_size" in str(record.of("warning")[0])


def test_a_state_older_than_a_choice_means_what_it_was(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    """Before `train.repeats` an epoch showed each clip once; only another number is a change."""
    run_stage(gpt_task(clips), tmp_path)
    with pytest.raises(Problem) as problem:
        run_stage(gpt_task(clips), tmp_path, facts={"repeats": 6}, **{"gpt.epochs": 3})
    assert problem.value.facts["what"] == "repeats"
    going_on = run_stage(gpt_task(clips), tmp_path, facts={"repeats": 1}, **{"gpt.epochs": 3})
    assert going_on.updates == 3 * len(gpt_task(clips).epoch_updates(1))


def test_a_finished_voice_says_so(clips: list[TrainingClip], tmp_path: Path) -> None:
    run_stage(gpt_task(clips), tmp_path)
    record = Record()
    outcome = run_stage(gpt_task(clips), tmp_path, record=record, run="r2")
    assert outcome.updates == 0
    assert record.codes() == ["engine.training.already_there"]
