"""Run a training stage in several processes, started and supervised by torchrun."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.runtime.collectives import (
    NO_PEER_ACCESS,
    choose_collective_settings,
    free_shared_memory,
    may_give_up_peer_access,
    network_interfaces,
)
from sovdeck.engine.runtime.signals import StopFlag, Stopped
from sovdeck.engine.training.context import Export, RunContext, StageOutcome

_LOG_TAIL_CHARACTERS = 300  # characters of a lost worker's output
_TORCHRUN = re.compile(r"^.*torch/distributed/elastic/", re.MULTILINE)
_ROOT_CAUSE = re.compile(r"Root Cause.*?exitcode\s*:\s*(-?\d+)", re.DOTALL)
_EXIT_TIMEOUT_S = 60.0  # after the result was written; a hung GPU may never let a process exit
# After a request to stop, until rank 0 has finished an update and written a checkpoint.
_STOP_TIMEOUT_S = 600.0
_SIGNAL_RETRY_S = 5.0  # a worker that is only starting does not handle signals yet
# torchrun would end its workers 30 s after a signal, and saving may take longer. A scheduler or
# a terminal sends one to every process, so torchrun must ignore them.
_IGNORE_SIGNALS = ("/bin/sh", "-c", "trap '' INT TERM; exec \"$@\"", "sh")
_HANDLED_SIGNALS = "SIGHUP,SIGQUIT"


def run_workers(
    context: RunContext,
    stage: str,
    count: int,
    *,
    exit_timeout_s: float = _EXIT_TIMEOUT_S,
    stop_timeout_s: float = _STOP_TIMEOUT_S,
) -> StageOutcome:
    """Run `stage` in `count` processes of this machine and return its outcome.

    Rank 0 writes the events meanwhile. Raises what rank 0 ended with: Stopped after a signal, or
    a Problem; and Problem `worker_lost` when a process died without writing a result. Processes
    that do not end are killed: `exit_timeout_s` after the result, or `stop_timeout_s` after a
    request to stop.

    GPUs that could not sum one number are tried once more by way of the computer's memory: some
    say that they reach each other's and do not. Nothing was trained by then.
    """
    device = context.device
    settings = choose_collective_settings(
        count,
        device.kind,
        device.name,
        os.environ,
        network_interfaces(),
        free_shared_memory(),
    )
    for notice in settings.notices:
        context.emit("warning", stage, **notice.as_json())
    timeouts = (exit_timeout_s, stop_timeout_s)
    try:
        return _run_torchrun(context, stage, count, settings.variables, timeouts)
    except Problem as problem:
        known = {**os.environ, **settings.variables}
        if problem.key != "engine.run.peers_silent" or device.kind != "cuda":
            raise
        if not may_give_up_peer_access(known):
            raise
    notice = Problem("engine.run.no_peer_access", ExitCode.OK, stage=stage, count=count)
    context.emit("warning", stage, **notice.as_json())
    return _run_torchrun(context, stage, count, {**settings.variables, **NO_PEER_ACCESS}, timeouts)


def _run_torchrun(
    context: RunContext,
    stage: str,
    count: int,
    variables: Mapping[str, str],
    timeouts: tuple[float, float],
) -> StageOutcome:
    """Start the processes with `variables` beside the environment, and return their outcome."""
    exit_timeout_s, stop_timeout_s = timeouts
    folder = Path(context.layout.run(context.spec.run).path)
    result = result_path(folder, stage)
    result.unlink(missing_ok=True)
    with (
        context.release_events(),
        (folder / f"worker-{stage}.log").open("wb") as log,
        TemporaryDirectory(prefix="sovdeck-torchrun-") as scratch,  # torchrun never tidies its own
    ):
        torchrun = subprocess.Popen(  # noqa: S603  # our own interpreter, arguments in a list
            [
                *_IGNORE_SIGNALS,
                sys.executable,
                "-m",
                "torch.distributed.run",
                "--standalone",
                f"--nproc-per-node={count}",
                f"--signals-to-handle={_HANDLED_SIGNALS}",
                f"--log-dir={scratch}",
                "-m",
                "sovdeck.engine",
                "worker",
                str(folder / "spec.json"),
                "--stage",
                stage,
                "--work",
                str(context.work),
                "--end-with-input",
            ],
            env={**variables, **os.environ},
            stdin=subprocess.PIPE,  # never written: it ends when this process does
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            hung = _wait_for_torchrun(
                torchrun, context.stop, result, exit_timeout_s, stop_timeout_s
            )
        except BaseException:
            for worker in _worker_processes(torchrun):  # no other process ends them
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
            torchrun.kill()
            raise
        finally:
            assert torchrun.stdin is not None
            torchrun.stdin.close()
    if hung:
        notice = Problem("engine.run.worker_hung", ExitCode.OK, stage=stage, hung=hung, count=count)
        context.emit("warning", stage, **notice.as_json())
    if not result.is_file():
        context.stop.raise_if_set()
        log_tail, code = _read_log_tail(
            (folder / f"worker-{stage}.log").read_text("utf-8", "replace")
        )
        raise Problem(
            "engine.run.worker_lost",
            ExitCode.DISTRIBUTED,
            stage=stage,
            count=count,
            words=log_tail,
            code=code,
        )
    return _parse_result(json.loads(result.read_text(encoding="utf-8")))


def _wait_for_torchrun(
    torchrun: subprocess.Popen[bytes],
    stop: StopFlag,
    result: Path,
    exit_timeout_s: float,
    stop_timeout_s: float,
) -> int:
    """Wait until torchrun has ended, forwarding a stop signal; number of workers killed."""
    ended_at = asked_at = signalled_at = None
    killed: set[int] = set()
    while torchrun.poll() is None:
        now = time.monotonic()
        if ended_at is None and result.is_file():
            ended_at = now
        if asked_at is None and stop.is_set:
            asked_at = now
        if stop.signal is not None and (
            signalled_at is None or now > signalled_at + _SIGNAL_RETRY_S
        ):
            for worker in _worker_processes(torchrun):
                signalled_at = now
                with suppress(psutil.NoSuchProcess):
                    worker.send_signal(stop.signal)
        if ended_at is not None:
            late = now > ended_at + exit_timeout_s
        else:
            late = asked_at is not None and now > asked_at + stop_timeout_s
        if late:
            for worker in _worker_processes(torchrun):
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
                    killed.add(worker.pid)
        with suppress(subprocess.TimeoutExpired):
            torchrun.wait(timeout=0.5)
    return len(killed)


def _worker_processes(torchrun: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        children = psutil.Process(torchrun.pid).children()
        return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    except psutil.NoSuchProcess:
        return []


def _read_log_tail(log: str) -> tuple[str, str]:
    """The end of the workers' output before that of torchrun, and the exit code it reports."""
    output = _TORCHRUN.split(log, maxsplit=1)[0].strip()
    code = _ROOT_CAUSE.search(log)
    return output[-_LOG_TAIL_CHARACTERS:], code[1] if code else "?"


def result_path(folder: Path, stage: str) -> Path:
    """File in the run's `folder` with the result of the worker processes."""
    return folder / f"worker-{stage}.json"


def write_result(folder: Path, stage: str, result: StageOutcome | Problem | Stopped) -> None:
    """Write how a worker ended, for the process that started it."""
    if isinstance(result, Problem):
        facts: dict[str, Any] = {
            "problem": result.key,
            "exit_code": int(result.exit_code),
            "facts": {name: _to_json_value(value) for name, value in result.facts.items()},
        }
    elif isinstance(result, Stopped):
        facts = {"stopped": result.status, "exit_code": int(result.exit_code)}
    else:
        facts = {"outcome": asdict(result)}
    text = json.dumps(facts, ensure_ascii=False, default=str)
    write_atomic(result_path(folder, stage), text.encode())


def _parse_result(facts: dict[str, Any]) -> StageOutcome:
    if "problem" in facts:
        raise Problem(facts["problem"], ExitCode(facts["exit_code"]), **facts["facts"])
    if "stopped" in facts:
        raise Stopped(facts["stopped"], ExitCode(facts["exit_code"]))
    outcome = dict(facts["outcome"])
    export = dict(outcome.pop("export"))
    return StageOutcome(**outcome, export=Export(**{**export, "path": Path(export["path"])}))


def _to_json_value(value: Any) -> Any:
    return value if isinstance(value, (int, float, str)) else str(value)
