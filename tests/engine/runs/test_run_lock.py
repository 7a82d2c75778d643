"""One engine at a time writes a run: a second one changes nothing and says why."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.engine.runs.run import execute_run
from sovdeck.engine.runs.run_lock import lock_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "r"
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(RunSpec(run="r", voice="Anna").to_json(), encoding="utf-8")
    return folder


def test_a_second_engine_is_refused_and_writes_no_event(folder: Path) -> None:
    (folder / "events.jsonl").write_bytes(b"")
    with lock_run(folder), pytest.raises(Problem, match="Run r is being worked on") as refused:
        execute_run(folder / "spec.json")
    assert refused.value.hint.en and (folder / "events.jsonl").read_bytes() == b""


def test_a_killed_engine_leaves_no_lock_behind(folder: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from sovdeck.engine.runs.run_lock import lock_run\n"
        "with lock_run(Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    argv = [sys.executable, "-c", program, str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(Problem), lock_run(folder):
            pass
        holder.kill()
    with lock_run(folder):
        pass


def test_a_forked_child_does_not_keep_the_lock(folder: Path) -> None:
    """A worker that outlives its engine would keep the run from going on."""
    reader, writer = os.pipe()
    with lock_run(folder):
        child = os.fork()
        if child == 0:
            os.close(writer)
            os.read(reader, 1)  # until the test is over
            os._exit(0)
        os.close(reader)
    try:
        wait_until_free(folder)
    finally:
        os.close(writer)
        assert os.waitpid(child, 0)[1] == 0


def test_a_program_that_is_started_does_not_keep_the_lock(folder: Path) -> None:
    argv = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with lock_run(folder):
        program = subprocess.Popen(argv, stdin=subprocess.PIPE, close_fds=False)
    with program:
        wait_until_free(folder)
        assert program.poll() is None
        program.communicate()


def wait_until_free(folder: Path) -> None:
    """A child lets go a moment after it was made."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with lock_run(folder):
                return
        except Problem:
            assert time.monotonic() < deadline, "the lock is kept"
            time.sleep(0.01)
