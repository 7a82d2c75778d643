"""A run has one writer: real engines, of which one is killed, doubled or meets foreign events."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from whole_run import FEW, events, write_spec

ROOT = Path(__file__).resolve().parents[3]
STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def no_engine_is_left() -> Iterator[None]:
    yield
    while STARTED:
        engine = STARTED.pop()
        engine.kill()
        engine.communicate()


def start_engine(trained: Path, tmp_path: Path, gpus: str) -> tuple[subprocess.Popen[str], Path]:
    """An engine in the middle of a long stage, and the folder of its run."""
    work = tmp_path / "work"
    shutil.copytree(trained, work)
    shutil.rmtree(work / "logs" / "Mei" / "states")
    params = {**FEW, "train.gpus": gpus, "gpt.epochs": 100}
    engine = run_engine(write_spec(work, "more", stages=("gpt",), params=params))
    log = work / "runs/more/events.jsonl"
    while not log.is_file() or log.read_bytes().count(b'"type": "step"') < 2:
        assert engine.poll() is None, engine.communicate()
        time.sleep(0.05)
    return engine, log.parent


def run_engine(spec: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "sovdeck.engine", "run", str(spec)]
    engine = subprocess.Popen(
        argv, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    STARTED.append(engine)
    return engine


@pytest.mark.long
def test_workers_end_with_a_killed_engine(tmp_path: Path, trained: Path) -> None:
    """They would go on writing events beside the engine that is started next."""
    engine, run = start_engine(trained, tmp_path, "0-1")
    workers = psutil.Process(engine.pid).children(recursive=True)
    assert len(workers) >= 3  # torchrun and two of its own
    engine.kill()
    engine.communicate()
    _, alive = psutil.wait_procs(workers, timeout=60)
    for process in alive:
        process.kill()
    assert not alive
    left = [event.seq for event in events(run.parents[1], "more")]
    assert left == list(range(len(left)))


@pytest.mark.long
def test_a_second_engine_and_foreign_events_are_one_sentence(tmp_path: Path, trained: Path) -> None:
    engine, run = start_engine(trained, tmp_path, "0")
    engine.send_signal(signal.SIGSTOP)  # however fast it is, it has not finished by then
    second = run_engine(run / "spec.json")
    said = second.communicate(timeout=120)
    assert second.returncode == 2 and "Run more is being worked on" in said[1], said
    assert "Traceback" not in said[1]
    foreign = b'{"from": "another program"}\n'
    with (run / "events.jsonl").open("ab") as file:
        file.write(foreign)
    engine.send_signal(signal.SIGCONT)
    said = engine.communicate(timeout=120)
    assert engine.returncode == 2 and "Another program changed events.jsonl" in said[1], said
    assert "Traceback" not in said[1]
    written = (run / "events.jsonl").read_bytes()
    assert written.endswith(foreign) and b"run_finished" not in written
