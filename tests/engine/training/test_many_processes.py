"""Several processes train as one: the same losses, one answer to stop and to memory, clean ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from micro_stage import Record, make_stage, run_stage, weights
from micro_voice import TASKS, gpt_task, networks, sovits_task, without_dropout
from processes import free_port, together

from sovdeck.engine.contract.fold import RunState, fold
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime.distributed import Peers, join_peers
from sovdeck.engine.runtime.signals import StopFlag, Stopped
from sovdeck.engine.training.features import TrainingClip

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", TASKS)
def test_two_processes_equal_one(name: str, clips: list[TrainingClip], tmp_path: Path) -> None:
    def make(peers: Peers, batch: int) -> Any:
        task = TASKS[name](clips, batch, peers)
        for model in networks(task):
            without_dropout(model)
        return task

    def work(peers: Peers) -> None:
        task = make(peers, 1)
        record = Record()
        make_stage(task, tmp_path / "two", record, peers=peers).run()
        torch.save([step["losses"] for step in record.of("step")], tmp_path / f"l{peers.rank}")
        torch.save(weights(task), tmp_path / f"w{peers.rank}")

    assert together(work) == [0, 0]
    alone, record = make(Peers(), 2), Record()
    run_stage(alone, tmp_path / "one", record=record)
    losses = [step["losses"] for step in record.of("step")]
    both = [torch.load(tmp_path / f"l{rank}", weights_only=True) for rank in (0, 1)]
    assert both[0] == both[1] and len(both[0]) == len(losses) >= 8
    for one, two in zip(losses, both[0], strict=True):
        assert two == pytest.approx(one, rel=2e-4)
    first, second = (torch.load(tmp_path / f"w{rank}", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_all_stop_when_one_is_told_to(clips: list[TrainingClip], tmp_path: Path) -> None:
    def work(peers: Peers) -> None:
        with StopFlag() as stop:
            if peers.rank == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(Stopped) as stopped:
                stage = make_stage(gpt_task(clips, 1, peers), tmp_path, stop=stop, peers=peers)
                stage.run()
            assert stopped.value.exit_code is ExitCode.PREEMPTED

    assert together(work) == [0, 0]
    assert (tmp_path / "states" / "gpt" / "step-00000001").is_dir()


def test_all_shrink_when_one_runs_out_of_memory(clips: list[TrainingClip], tmp_path: Path) -> None:
    def work(peers: Peers) -> None:
        task = gpt_task(clips, 2, peers)
        if peers.rank == 1:
            plain = task.model.forward
            failed: list[Any] = []

            def forward(*inputs: Any, **options: Any) -> Any:
                if not failed:
                    failed.append(1)
                    raise torch.OutOfMemoryError("injected")
                return plain(*inputs, **options)

            task.model.forward = forward
        record = Record()
        outcome = make_stage(task, tmp_path, record, peers=peers).run()
        assert outcome.updates == 2 * len(task.epoch_updates(1))
        assert [event["batch_after"] for event in record.of("oom_recovered")] == [1]

    assert together(work) == [0, 0]


@pytest.mark.parametrize("name", TASKS)
def test_an_overflow_in_one_process_skips_the_update_in_all(
    name: str, clips: list[TrainingClip], tmp_path: Path
) -> None:
    """fp16: all processes see the same sum of gradients, so their scales and weights agree."""

    def work(peers: Peers) -> None:
        task, passes = TASKS[name](clips, 1, peers, "fp16"), []
        model = networks(task)[0]

        def third(gradient: torch.Tensor) -> torch.Tensor:
            passes.append(1)
            return gradient * float("inf") if len(passes) == 3 and peers.rank else gradient

        next(p for p in model.parameters() if p.requires_grad).register_hook(third)
        outcome = make_stage(task, tmp_path / "both", peers=peers).run()
        assert (
            outcome.updates == 2 * len(task.epoch_updates(1)) - 1
        )  # what was skipped is no update
        assert not peers.is_leader or outcome.weight_change > 0
        end = {**weights(task), "scale": torch.tensor(task._scaler.get_scale())}
        torch.save(end, tmp_path / f"w{peers.rank}")

    assert together(work) == [0, 0]
    first, second = (torch.load(tmp_path / f"w{rank}", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert all(value.isfinite().all() for value in first.values())
    assert first["scale"] <= 65536 / 2


def test_scaled_gradients_survive_memory_running_out_in_one_process(
    clips: list[TrainingClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge has stepped, the generator's pass fails on one rank: both repeat only that."""

    def work(peers: Peers) -> None:
        task = sovits_task(clips, 2, peers, "fp16")
        steps: list[Any] = []
        failed: list[Any] = []
        step, imitate = task._step_discriminator, task._compute_generator_gradients

        def counted() -> Any:
            steps.append(1)
            return step()

        def failing(pieces: Any) -> Any:
            if peers.rank and not failed:
                failed.append(1)
                raise torch.OutOfMemoryError("injected")
            return imitate(pieces)

        monkeypatch.setattr(task, "_step_discriminator", counted)
        monkeypatch.setattr(task, "_compute_generator_gradients", failing)
        record = Record()
        outcome = make_stage(task, tmp_path / "both", record, peers=peers).run()
        assert outcome.updates == len(steps) == 2 * len(task.epoch_updates(1))
        assert [event["batch_after"] for event in record.of("oom_recovered")] == [1]
        torch.save(weights(task), tmp_path / f"w{peers.rank}")

    assert together(work) == [0, 0]
    first, second = (torch.load(tmp_path / f"w{rank}", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert all(value.isfinite().all() for value in first.values())


def test_when_one_dies_the_other_ends_and_both_resume(
    clips: list[TrainingClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(peers: Peers) -> None:
        task = gpt_task(clips, 1, peers)
        phases, seen = task.phases, []

        def counted() -> Any:
            seen.append(1)
            if peers.rank == 1 and len(seen) == 6:
                os.kill(os.getpid(), signal.SIGKILL)
            return phases()

        monkeypatch.setattr(task, "phases", counted)
        try:
            make_stage(task, tmp_path, peers=peers).run()
        except RuntimeError as error:
            assert "onnection" in str(error)  # the closed connection, not a timeout
            os._exit(7)

    assert together(work) == [7, -signal.SIGKILL]

    def again(peers: Peers) -> None:
        task, record = gpt_task(clips, 1, peers), Record()
        outcome = make_stage(task, tmp_path, record, peers=peers).run()
        assert record.codes() == ["engine.training.resumed"]
        assert outcome.updates == 2 * len(task.epoch_updates(1))

    assert together(again) == [0, 0]


def test_a_host_without_the_saved_state_is_refused(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    """No shared folder: the second process has nothing to go on from, and both say so."""
    here, there = tmp_path / "here", tmp_path / "there"

    def first(peers: Peers) -> None:
        make_stage(gpt_task(clips, 1, peers), here, peers=peers).run()

    def again(peers: Peers) -> None:
        folder = there if peers.rank else here
        with pytest.raises(Problem) as problem:
            make_stage(gpt_task(clips, 1, peers), folder, peers=peers).run()
        assert problem.value.key == "engine.training.peers_differ"
        assert problem.value.exit_code is ExitCode.DISTRIBUTED
        assert problem.value.facts["rank"] == 1 and problem.value.facts["what"] == "state"

    assert together(first) == [0, 0]
    assert together(again) == [0, 0]
    assert not there.exists()


def test_peers_that_do_not_answer_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from sovdeck.engine.runtime import distributed

    monkeypatch.setattr(distributed, "_PREFLIGHT_TIMEOUT", timedelta(seconds=0.5))
    for name, value in (
        ("RANK", "0"),
        ("WORLD_SIZE", "2"),
        ("LOCAL_RANK", "0"),
        ("MASTER_ADDR", "127.0.0.1"),
        ("MASTER_PORT", str(free_port())),
    ):
        monkeypatch.setenv(name, value)
    with pytest.raises(Problem) as problem, join_peers("cpu"):
        pass
    assert problem.value.exit_code is ExitCode.DISTRIBUTED


def test_only_the_preflight_lets_nccl_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that hangs must end in a sentence: by default a thread of NCCL ends the process."""
    from sovdeck.engine.runtime import distributed

    name, seen = "TORCH_NCCL_BLOCKING_WAIT", []
    make = distributed.dist.new_group

    def noted(*args: Any, **options: Any) -> Any:
        seen.append(os.environ.get(name))
        return make(*args, **options)

    monkeypatch.setattr(distributed.dist, "new_group", noted)
    for key, value in (
        ("RANK", "0"),
        ("WORLD_SIZE", "1"),
        ("LOCAL_RANK", "0"),
        ("MASTER_ADDR", "127.0.0.1"),
        ("MASTER_PORT", str(free_port())),
    ):
        monkeypatch.setenv(key, value)
    with join_peers("cpu") as peers:
        assert peers.is_leader
    assert seen == ["1", None, None] and name not in os.environ


@pytest.mark.long
@pytest.mark.parametrize(
    ("number", "code", "status"),
    [(signal.SIGTERM, 75, "preempted"), (signal.SIGINT, 130, "stopped")],
    ids=["term", "int"],
)
def test_a_signal_reaches_the_workers_themselves(
    number: int, code: int, status: str, tmp_path: Path, trained: Path
) -> None:
    """torchrun would kill them 30 s after passing it on, in the middle of a large save."""
    from whole_run import FEW, events, write_spec

    work = tmp_path / "work"
    shutil.copytree(trained, work)
    shutil.rmtree(work / "logs" / "Mei" / "states")
    params = {**FEW, "train.gpus": "0-1", "gpt.epochs": 100}
    spec = write_spec(work, "pair", stages=("gpt",), params=params)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    argv = [sys.executable, "-m", "sovdeck.engine", "run", str(spec)]
    run = subprocess.Popen(argv, cwd=ROOT, env={**os.environ, "TMPDIR": str(temporary)})
    log = work / "runs/pair/events.jsonl"
    while not log.is_file() or log.read_bytes().count(b'"type": "step"') < 2:
        assert run.poll() is None, "it ended by itself"
        time.sleep(0.05)
    run.send_signal(number)
    assert run.wait(120) == code
    reported = events(work, "pair")
    state = fold(RunState(), reported)
    assert (state.status, state.exit_code, state.gaps) == (status, code, 0)
    steps = [event.payload["step"] for event in reported if event.type == "step"]
    saved = [event.payload["step"] for event in reported if event.type == "checkpoint"]
    assert saved[-1] == steps[-1], "saved at the border it stopped at"
    assert "death signal" not in (work / "runs/pair/worker-gpt.log").read_text()
    assert not list(temporary.glob("*torch*")), "a server's temporary folder is left as it was"


@pytest.mark.long
def test_torchrun_trains_a_stage(tmp_path: Path, trained: Path) -> None:
    from whole_run import FEW, events, write_spec

    from sovdeck.engine.runs.run import execute_run

    work = tmp_path / "work"
    shutil.copytree(trained, work)
    shutil.rmtree(work / "logs" / "Mei" / "states")
    params = {**FEW, "train.gpus": "0-1", "gpt.epochs": 2}
    ending = execute_run(write_spec(work, "pair", stages=("gpt",), params=params))
    log = work / "runs/pair/worker-gpt.log"
    assert ending.status == "succeeded", (ending.problem, log.read_text()[-2000:])
    state = fold(RunState(), events(work, "pair"))
    assert (state.gaps, state.repeats, state.status) == (0, 0, "succeeded")
    stage = state.stage("gpt")
    assert stage is not None and stage.updates == 8 and stage.state == "finished"


def test_rng_differs_also_where_a_resume_has_more_processes(
    clips: list[TrainingClip], tmp_path: Path
) -> None:
    """The saved ones are of another number of processes, so each gets its own again."""
    run_stage(gpt_task(clips, 2), tmp_path)

    def work(peers: Peers) -> None:
        task = gpt_task(clips, 1, peers)
        load, drawn = task.phases, []

        def noted() -> Any:
            drawn.append(torch.get_rng_state())
            return load()

        task.phases = noted  # type: ignore[method-assign]
        three: dict[str, Any] = {"gpt.epochs": 3}
        make_stage(task, tmp_path, peers=peers, **three).run()
        torch.save(drawn[0], tmp_path / f"d{peers.rank}")

    assert together(work) == [0, 0]
    first, second = (torch.load(tmp_path / f"d{rank}", weights_only=True) for rank in (0, 1))
    assert not torch.equal(first, second)
