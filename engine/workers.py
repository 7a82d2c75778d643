"""Several processes for one training stage, started and watched by torchrun."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from engine.contract.problem import ExitCode, Problem
from engine.runtime.durable import write_atomic
from engine.runtime.signals import StopFlag, Stopped
from engine.training.room import Export, Room, StageOutcome

_LAST_WORDS = 300  # characters of a lost worker's output
_LEAVING_S = 60.0  # after rank 0 has said how it ended; a hung GPU may never let a process go


def run_workers(room: Room, stage: str, count: int) -> StageOutcome:
    """Run `stage` in `count` processes of this machine and return what they came to.

    Rank 0 writes the events meanwhile. Raises what rank 0 ended with: Stopped after a signal,
    a Problem; and Problem `worker_lost` when a process died without a word.
    """
    folder = Path(room.layout.run(room.spec.run).path)
    result = folder / f"worker-{stage}.json"
    result.unlink(missing_ok=True)
    with room.lend(), (folder / f"worker-{stage}.log").open("wb") as log:
        agent = subprocess.Popen(  # noqa: S603  # our own interpreter, arguments in a list
            [
                sys.executable, "-m", "torch.distributed.run", "--standalone",
                f"--nproc-per-node={count}", "-m", "engine", "worker", str(folder / "spec.json"),
                "--stage", stage, "--work", str(room.work),
            ],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        _watch(agent, room.stop, result)
    if not result.is_file():
        room.stop.raise_if_set()
        words = (folder / f"worker-{stage}.log").read_text("utf-8", "replace").strip()
        raise Problem(
            "engine.run.worker_lost", ExitCode.DISTRIBUTED,
            stage=stage, count=count, words=words[-_LAST_WORDS:],
        )  # fmt: skip
    return _outcome(json.loads(result.read_text(encoding="utf-8")))


def _watch(agent: subprocess.Popen[bytes], stop: StopFlag, result: Path) -> None:
    """Until torchrun has ended, with the wish to stop passed on."""
    told, leave_by = False, None
    while agent.poll() is None:
        if stop.signal is not None and not told:
            # To the workers themselves: torchrun would kill them 30 s after passing it on, and
            # saving may take longer.
            workers = _workers(agent)
            for worker in workers:
                with suppress(psutil.NoSuchProcess):
                    worker.send_signal(stop.signal)
            told = bool(workers)
        if leave_by is None and result.is_file():
            leave_by = time.monotonic() + _LEAVING_S
        if leave_by is not None and time.monotonic() > leave_by:
            for worker in _workers(agent):
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
        try:
            agent.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            continue


def _workers(agent: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(agent.pid).children()
    except psutil.NoSuchProcess:
        return []


def write_result(folder: Path, stage: str, ending: StageOutcome | Problem | Stopped) -> None:
    """What rank 0 leaves for the process that started the workers."""
    if isinstance(ending, Problem):
        facts: dict[str, Any] = {
            "problem": ending.key, "exit_code": int(ending.exit_code),
            "facts": {name: _plain(value) for name, value in ending.facts.items()},
        }  # fmt: skip
    elif isinstance(ending, Stopped):
        facts = {"stopped": ending.status, "exit_code": int(ending.exit_code)}
    else:
        facts = {"outcome": asdict(ending)}
    text = json.dumps(facts, ensure_ascii=False, default=str)
    write_atomic(folder / f"worker-{stage}.json", text.encode())


def _outcome(facts: dict[str, Any]) -> StageOutcome:
    if "problem" in facts:
        raise Problem(facts["problem"], ExitCode(facts["exit_code"]), **facts["facts"])
    if "stopped" in facts:
        raise Stopped(facts["stopped"], ExitCode(facts["exit_code"]))
    outcome = dict(facts["outcome"])
    export = dict(outcome.pop("export"))
    return StageOutcome(**outcome, export=Export(**{**export, "path": Path(export["path"])}))


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, float, str)) else str(value)
