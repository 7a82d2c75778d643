"""A server without /proc, such as macOS: ps tells processes apart."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.jobs import client as job_client

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def deployed(link: Any, tmp_path: Path) -> Deployed:
    """On a link whose commands find no /proc, and the boot's name as macOS tells it."""
    tool = tmp_path / "bin" / "sysctl"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 5B1C2D3E-0000-4000-8000-000000000001\n")
    tool.chmod(0o755)
    usual = os.environ["PATH"]  # busybox ps cannot say when a process started
    link.env.update(SOVDECK_PROC=str(tmp_path / "none"), PATH=f"{tool.parent}:{usual}")
    code = tmp_path / "work" / "code" / "abc"
    code.mkdir(parents=True)
    (code / "agent").symlink_to(ROOT / "remote" / "agent")
    return Deployed(Layout.at(str(tmp_path / "work")), "python", "abc")


@pytest.fixture
def shell_path() -> str:
    return os.environ["PATH"]


def until(link: Any, run: Any, done: Callable[[Any], bool], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not done(state := job_client.fetch_state(link, run)):
        assert time.monotonic() < deadline, state
        time.sleep(0.05)
    return state


def test_a_run_is_started_once_and_its_end_is_true(link: Any, deployed: Deployed) -> None:
    run = job_client.launch_job(link, deployed, "one", ["sh", "-c", "sleep 1.5; exit 3"])
    assert until(link, run, lambda state: state.state == "running").code is None
    with pytest.raises(Problem) as caught:
        job_client.launch_job(link, deployed, "one", ["true"])
    assert caught.value.key == "remote.job.already_running"
    assert until(link, run, lambda state: state.ended).code == 3
    again = job_client.launch_job(link, deployed, "one", ["true"])
    assert until(link, again, lambda state: state.ended).attempt == 2


def test_stop_lets_it_save_or_kills_it(link: Any, deployed: Deployed) -> None:
    saves = "trap 'echo saved; exit 75' TERM; echo up; while :; do sleep 0.05; done"
    stubborn = "trap '' TERM; sleep 60 & echo up; while :; do sleep 0.05; done"
    for name, shell, code in (("a", saves, 75), ("b", stubborn, 137)):
        run = job_client.launch_job(link, deployed, name, ["sh", "-c", shell])
        log = Path(str(run.folder.log))
        until(link, run, lambda _: log.exists() and "up" in log.read_text())  # noqa: B023
        state = job_client.stop_run(link, run, grace=1)
        assert (state.state, state.code) == ("stopped", code)


def test_a_run_that_vanished_is_lost(link: Any, deployed: Deployed) -> None:
    run = job_client.launch_job(link, deployed, "one", ["sleep", "60"])
    until(link, run, lambda state: state.state == "running")
    pid = json.loads(Path(str(run.folder.pid)).read_text())
    os.killpg(pid["pid"], signal.SIGKILL)
    assert until(link, run, lambda state: state.ended).state == "lost"


def test_the_deploy_lock_holds(link: Any, deployed: Deployed, tmp_path: Path) -> None:
    argv = ["sh", "-c", read_script("lock.sh"), "lock", str(tmp_path / "deploy"), "anna@laptop"]
    with link.open_stream(argv) as first:
        assert first.read() == b"locked\n"
        assert link.open_stream(argv).read() == b"held anna@laptop\n"
