"""Several processes for one training stage, started and watched by torchrun."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from engine.contract.problem import ExitCode, Problem
from engine.runtime.durable import write_atomic
from engine.runtime.signals import StopFlag, Stopped
from engine.training.room import Export, Room, StageOutcome

_LAST_WORDS = 300  # characters of a lost worker's output
_TORCHRUN = re.compile(r"^.*torch/distributed/elastic/", re.MULTILINE)
_ROOT_CAUSE = re.compile(r"Root Cause.*?exitcode\s*:\s*(-?\d+)", re.DOTALL)
_LEAVING_S = 60.0  # after a word on how it ended; a hung GPU may never let a process go
# After the wish to stop, until rank 0 has ended an update and written a state; then one hangs.
_STOPPING_S = 600.0
_AGAIN_S = 5.0  # a worker that is only starting does not hear the wish to stop yet
# torchrun would end its workers 30 s after a signal, and saving may take longer. A scheduler or
# a terminal sends one to every process, so torchrun must not hear any.
_DEAF = ("/bin/sh", "-c", "trap '' INT TERM; exec \"$@\"", "sh")
_HEARD = "SIGHUP,SIGQUIT"


def run_workers(
    room: Room,
    stage: str,
    count: int,
    *,
    leaving_s: float = _LEAVING_S,
    stopping_s: float = _STOPPING_S,
) -> StageOutcome:
    """Run `stage` in `count` processes of this machine and return what they came to.

    Rank 0 writes the events meanwhile. Raises what rank 0 ended with: Stopped after a signal,
    a Problem; and Problem `worker_lost` when a process died without a word. Processes that do
    not end are killed: `leaving_s` after that word, or `stopping_s` after the wish to stop.
    """
    folder = Path(room.layout.run(room.spec.run).path)
    result = result_file(folder, stage)
    result.unlink(missing_ok=True)
    with (
        room.lend(),
        (folder / f"worker-{stage}.log").open("wb") as log,
        TemporaryDirectory(prefix="sovdeck-torchrun-") as scratch,  # torchrun never tidies its own
    ):
        agent = subprocess.Popen(  # noqa: S603  # our own interpreter, arguments in a list
            [
                *_DEAF, sys.executable, "-m", "torch.distributed.run", "--standalone",
                f"--nproc-per-node={count}", f"--signals-to-handle={_HEARD}",
                f"--log-dir={scratch}", "-m", "engine",
                "worker", str(folder / "spec.json"), "--stage", stage, "--work", str(room.work),
            ],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            hung = _watch(agent, room.stop, result, leaving_s, stopping_s)
        except BaseException:
            for worker in _workers(agent):  # they hear nobody else
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
            agent.kill()
            raise
    if hung:
        notice = Problem("engine.run.worker_hung", ExitCode.OK, stage=stage, hung=hung, count=count)
        room.emit("warning", stage, **notice.as_json())
    if not result.is_file():
        room.stop.raise_if_set()
        words, code = _last_words((folder / f"worker-{stage}.log").read_text("utf-8", "replace"))
        raise Problem(
            "engine.run.worker_lost", ExitCode.DISTRIBUTED,
            stage=stage, count=count, words=words, code=code,
        )  # fmt: skip
    return _outcome(json.loads(result.read_text(encoding="utf-8")))


def _watch(
    agent: subprocess.Popen[bytes],
    stop: StopFlag,
    result: Path,
    leaving_s: float,
    stopping_s: float,
) -> int:
    """Until torchrun has ended, with the wish to stop passed on; how many had to be killed."""
    ended_at = asked_at = told_at = None
    killed: set[int] = set()
    while agent.poll() is None:
        now = time.monotonic()
        if ended_at is None and result.is_file():
            ended_at = now
        if asked_at is None and stop.is_set:
            asked_at = now
        if stop.signal is not None and (told_at is None or now > told_at + _AGAIN_S):
            for worker in _workers(agent):
                told_at = now
                with suppress(psutil.NoSuchProcess):
                    worker.send_signal(stop.signal)
        if ended_at is not None:
            late = now > ended_at + leaving_s
        else:
            late = asked_at is not None and now > asked_at + stopping_s
        if late:
            for worker in _workers(agent):
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
                    killed.add(worker.pid)
        with suppress(subprocess.TimeoutExpired):
            agent.wait(timeout=0.5)
    return len(killed)


def _workers(agent: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        children = psutil.Process(agent.pid).children()
        return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    except psutil.NoSuchProcess:
        return []


def _last_words(log: str) -> tuple[str, str]:
    """The end of what the workers said, before torchrun tells of it, and the exit code it saw."""
    said = _TORCHRUN.split(log, maxsplit=1)[0].strip()
    code = _ROOT_CAUSE.search(log)
    return said[-_LAST_WORDS:], code[1] if code else "?"


def result_file(folder: Path, stage: str) -> Path:
    """Where the workers of a run leave how they ended."""
    return folder / f"worker-{stage}.json"


def write_result(folder: Path, stage: str, ending: StageOutcome | Problem | Stopped) -> None:
    """What a worker leaves for the process that started it."""
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
    write_atomic(result_file(folder, stage), text.encode())


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
