"""torchrun's own processes, real, around workers that hang or are long in saving."""

from __future__ import annotations

import json
import os
import signal
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from micro_models import GPT, SOVITS
from micro_stage import Record
from micro_voice import CPU

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.runs import stages, worker_process
from sovdeck.engine.runs.launch_workers import run_workers, write_result
from sovdeck.engine.runs.unexpected_error import describe_unexpected_error
from sovdeck.engine.runtime.signals import StopFlag, Stopped
from sovdeck.engine.training.context import Export, RunContext, StageOutcome
from sovdeck.engine.training.initial_weights import InitialWeights

DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)"
FOR_EVER = "while True: time.sleep(60)"


@dataclass
class Workers:
    """Programs in the place of the engine's `worker`, and what is to happen meanwhile."""

    work: Path
    record: Record = field(default_factory=Record)
    stop: StopFlag = field(default_factory=StopFlag)

    def write(self, *programs: str) -> None:
        """Rank by rank what a worker does once torchrun has started it."""
        package = self.work / "sovdeck" / "engine"
        package.mkdir(parents=True)
        (package.parent / "__init__.py").touch()
        (package / "__init__.py").touch()
        lines = [
            "import os, pathlib, signal, sys, time",
            "rank, here = int(os.environ['RANK']), pathlib.Path.cwd()",
            "def ready(): here.joinpath(f'ready-{rank}').write_text(str(os.getppid()))",
            "def say(): os.replace(here / 'result', here / 'runs/r1/worker-gpt.json')",
        ]
        for rank, program in enumerate(programs):
            lines += [f"if rank == {rank}:", textwrap.indent(program, "    ")]
        (package / "__main__.py").write_text("\n".join(lines))

    def ends_with(self, ending: StageOutcome | Problem | Stopped) -> None:
        """What rank 0's `say()` says."""
        write_result(self.work, "gpt", ending)
        (self.work / "worker-gpt.json").rename(self.work / "result")

    def run(self, meanwhile: Callable[[int], None], **seconds: float) -> StageOutcome:
        """Run both; `meanwhile` is called with torchrun's number once they are ready."""
        run_context = RunContext(
            RunSpec("r1", "micro", "tiny"),
            Layout.at(self.work.as_posix()),
            self.record,
            self.stop,
            CPU,
        )
        (self.work / "runs" / "r1").mkdir(parents=True)
        files = [self.work / f"ready-{rank}" for rank in (0, 1)]

        def act() -> None:
            while not all(file.is_file() and file.read_text() for file in files):
                time.sleep(0.02)
            meanwhile(int(files[0].read_text()))

        threading.Thread(target=act, daemon=True).start()
        return run_workers(run_context, "gpt", 2, **seconds)

    @property
    def hung(self) -> list[str]:
        """What was said about processes that had to be killed."""
        reported = self.record.of("warning")
        assert all(one["code"] == "engine.run.worker_hung" for one in reported)
        return [one["message"]["en"] for one in reported]


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workers:
    monkeypatch.chdir(tmp_path)  # where `-m sovdeck.engine` is looked for first
    return Workers(tmp_path)


@pytest.mark.long
def test_a_worker_that_never_leaves_is_ended_after_the_others(workers: Workers) -> None:
    export = Export(workers.work / "a.ckpt", "gpt", 5, "00")
    outcome = StageOutcome("gpt", 8, 1.0, 3.0, 2.0, 3.0, 2.0, 0.5, export)
    workers.ends_with(outcome)
    workers.write("ready()\nsay()", f"{DEAF}\nready()\n{FOR_EVER}")
    assert workers.run(lambda _: None, exit_timeout_s=2) == outcome
    assert workers.hung == ["1 of the 2 processes of gpt would not end and had to be killed."]


@pytest.mark.long
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, ExitCode.PREEMPTED), (signal.SIGINT, ExitCode.INTERRUPTED)],
    ids=["term", "int"],
)
def test_workers_that_hear_no_request_to_stop_are_ended(
    number: int, code: ExitCode, workers: Workers
) -> None:
    workers.write(*[f"{DEAF}\nready()\n{FOR_EVER}"] * 2)

    def asked(torchrun: int) -> None:
        workers.stop.signal = number

    with pytest.raises(Stopped) as stopped:
        workers.run(asked, stop_timeout_s=0.5)
    assert stopped.value.exit_code is code
    assert workers.hung == ["2 of the 2 processes of gpt would not end and had to be killed."]


@pytest.mark.long
def test_a_long_save_outlasts_what_torchrun_allows(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler sends its signal to every process; torchrun would kill after its 30 s, here 1."""
    (workers.work / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'torch.distributed.run' in sys.orig_argv:\n"
        "    from torch.distributed.elastic.multiprocessing.api import PContext\n"
        "    PContext.close.__defaults__ = (None, 1)\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{workers.work}:{os.environ.get('PYTHONPATH', '')}")
    workers.ends_with(Stopped("preempted", ExitCode.PREEMPTED))
    saves = """
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
ready()
while not asked: time.sleep(0.02)
time.sleep(3)
"""
    workers.write(saves + "here.joinpath('saved').touch()\nsay()\nsys.exit(75)", saves)

    def everybody(torchrun: int) -> None:
        os.kill(torchrun, signal.SIGTERM)
        workers.stop.signal = signal.SIGTERM

    with pytest.raises(Stopped) as stopped:
        workers.run(everybody)
    assert stopped.value.exit_code is ExitCode.PREEMPTED
    assert (workers.work / "saved").is_file() and not workers.hung


@pytest.mark.long
def test_a_request_to_stop_reaches_workers_that_only_start(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until a worker listens it ignores signals, as torchrun has to."""
    monkeypatch.setattr("sovdeck.engine.runs.launch_workers._SIGNAL_RETRY_S", 0.1)
    workers.ends_with(Stopped("preempted", ExitCode.PREEMPTED))
    listens = """
ready()
time.sleep(1)
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
while not asked: time.sleep(0.02)
"""
    workers.write(listens + "say()", listens)

    def asked(torchrun: int) -> None:
        workers.stop.signal = signal.SIGTERM

    with pytest.raises(Stopped):
        workers.run(asked)


def test_what_ended_one_worker_is_what_the_run_ends_with(workers: Workers) -> None:
    """Rank 0 only sees a closed connection; the sentence of the other one is the reason."""
    workers.ends_with(describe_unexpected_error(torch.OutOfMemoryError("2 GiB"), workers.work))
    workers.write("ready()\nsys.exit(1)", "ready()\nsay()\nsys.exit(4)")
    with pytest.raises(Problem) as problem:
        workers.run(lambda _: None)
    assert problem.value.exit_code is ExitCode.MEMORY and not workers.hung


def test_a_lost_worker_is_told_with_its_own_last_words(workers: Workers) -> None:
    """And not with the table that torchrun makes of it."""
    workers.write(
        f"signal.signal(signal.SIGTERM, signal.SIG_DFL)\nready()\n{FOR_EVER}",
        "ready()\nwhile not here.joinpath('ready-0').is_file(): time.sleep(0.02)\n"
        "print('boom', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)",
    )
    with pytest.raises(Problem) as problem:
        workers.run(lambda _: None)
    assert problem.value.key == "engine.run.worker_lost"
    assert problem.value.facts["words"].endswith("boom") and problem.value.facts["code"] == "-9"
    assert problem.value.exit_code is ExitCode.DISTRIBUTED


def failing_worker(
    error: Exception, work: Path, rank: int, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], ExitCode]:
    """`python -m sovdeck.engine worker` in this process, whose training ends with `error`."""

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(worker_process, "_train_stage", fails)
    monkeypatch.setenv("RANK", str(rank))
    spec = work / "runs" / "r1" / "spec.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(RunSpec("r1", "micro", "tiny").to_json())
    return lambda: worker_process.run_worker(spec, "gpt", None)


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (ZeroDivisionError("a defect"), "engine.run.unexpected"),
        (RuntimeError("gloo/transport/tcp/pair.cc: Connection closed by peer"), None),
    ],
    ids=["defect", "lost-peer"],
)
def test_a_defect_is_told_and_a_closed_connection_is_none(
    error: Exception, key: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_on, run = failing_worker(error, tmp_path, 0, monkeypatch), tmp_path / "runs" / "r1"
    if key is None:
        with pytest.raises(RuntimeError):
            work_on()
        assert not (run / "worker-gpt.json").exists()
    else:
        assert work_on() is ExitCode.INTERNAL
        assert json.loads((run / "worker-gpt.json").read_text())["problem"] == key
        assert "ZeroDivisionError" in (run / "traceback.txt").read_text()


@pytest.mark.parametrize("rank", [0, 1])
def test_memory_that_ends_in_one_worker_is_told_by_it(
    rank: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of what nobody foresaw stands: what follows may come of it."""
    work_on = failing_worker(
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 GiB"),
        tmp_path,
        rank,
        monkeypatch,
    )
    result = tmp_path / "runs" / "r1" / "worker-gpt.json"
    assert work_on() is ExitCode.MEMORY
    reported = json.loads(result.read_text())
    assert reported["problem"] == "engine.run.out_of_memory" and "9 GiB" in reported["facts"]["why"]
    result.write_text("{}")
    work_on()
    assert result.read_text() == "{}"


@pytest.mark.parametrize("rank", [0, 1])
def test_what_rank_0_foresaw_is_the_last_word(
    rank: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = Problem("engine.training.no_updates", ExitCode.NO_OP, stage="gpt")
    work_on = failing_worker(problem, tmp_path, rank, monkeypatch)
    result = tmp_path / "runs" / "r1" / "worker-gpt.json"
    result.write_text("{}")
    work_on()
    assert (result.read_text() == "{}") is (rank != 0)


def test_workers_get_the_memory_that_preparing_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process keeps what torch has cached on a GPU that its workers are to train on."""
    done: list[str] = []

    def run(*_: object) -> StageOutcome:
        done.append("workers")
        return StageOutcome("gpt", 8, 1.0, 3.0, 2.0, 3.0, 2.0, 0.5, Export(Path(), "gpt", 5, "0"))

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("memory"))
    monkeypatch.setattr(stages, "run_workers", run)
    spec = RunSpec("r1", "micro", "tiny", params={"train.gpus": "0-1"})
    run_context = RunContext(spec, Layout.at("/work"), Record(), StopFlag(), CPU)
    stages.run_stage(
        "gpt", run_context, stages.RunProgress(InitialWeights(Path(), True, SOVITS, GPT, 1, "x"))
    )
    assert done == ["memory", "workers"]
