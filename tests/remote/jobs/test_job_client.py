"""Runs started, listed, stopped and queued through the commands a link carries."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import RunSpec
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.jobs import client as job_client

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def deployed(tmp_path: Path) -> Deployed:
    code = tmp_path / "work" / "code" / "abc"
    code.mkdir(parents=True)
    (code / "agent").symlink_to(ROOT / "remote" / "agent")
    layout = Layout.at(str(tmp_path / "work"))
    return Deployed(layout, "python", "abc", {"SOVDECK_WORD": 'a "quoted" $word'})


def until(link: Any, run: Any, done: Callable[[Any], bool], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = job_client.fetch_state(link, run)
        if done(state):
            return state
        time.sleep(0.05)
    raise AssertionError(f"still {state}")


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"  # ended; nobody has asked for its code


def launch(link: Any, deployed: Deployed, run: str, *command: str, **options: Any) -> Any:
    return job_client.launch_job(link, deployed, run, command, **options)


def test_the_engines_command_line(link: Any, deployed: Deployed) -> None:
    # A python that only shows how it was called: the engine has its own tests.
    reported = Deployed(deployed.layout, "echo", "abc")
    spec = RunSpec(run="one", voice="anna", preset="tiny")
    run = job_client.start_run(link, reported, spec)
    assert until(link, run, lambda state: state.ended).state == "succeeded"
    assert Path(str(run.folder.log)).read_text() == "-m sovdeck.engine run spec.json\n"
    assert RunSpec.from_json(Path(str(run.folder.spec)).read_text()) == spec


def test_a_run_has_its_environment_spec_and_end(link: Any, deployed: Deployed) -> None:
    shell = 'printf "%s|%s" "$SOVDECK_WORD" "$(cat spec.json)"; exit 3'
    run = launch(link, deployed, "one", "sh", "-c", shell, spec_json='{"a": "b c"}')
    state = until(link, run, lambda state: state.ended)
    assert (state.state, state.code, state.attempt) == ("failed", 3, 1)
    log = Path(str(run.folder.log)).read_text()
    assert log == 'a "quoted" $word|{"a": "b c"}\n'


def test_starting_stopping_and_asking_are_one_round_trip_each(
    link: Any, deployed: Deployed
) -> None:
    run = launch(link, deployed, "one", "sleep", "60")
    assert link.trips == 1
    job_client.fetch_state(link, run)
    assert link.trips == 2
    job_client.stop_run(link, run, grace=2)
    assert link.trips == 4  # stop, then what became of it


def test_second_start_is_refused(link: Any, deployed: Deployed) -> None:
    run = launch(link, deployed, "one", "sleep", "60")
    with pytest.raises(Problem) as caught:
        launch(link, deployed, "one", "sleep", "60")
    assert caught.value.key == "remote.job.already_running"
    assert job_client.stop_run(link, run, grace=2).state == "stopped"


def test_same_name_for_another_spec_is_refused(link: Any, deployed: Deployed) -> None:
    run = launch(link, deployed, "one", "true", spec_json='{"epochs": 1}')
    until(link, run, lambda state: state.ended)
    with pytest.raises(Problem) as caught:
        launch(link, deployed, "one", "true", spec_json='{"epochs": 2}')
    assert caught.value.key == "remote.job.another_spec"
    again = launch(link, deployed, "one", "true", spec_json='{"epochs": 1}')
    assert until(link, again, lambda state: state.ended).attempt == 2


def test_without_deployed_code_the_start_says_so(link: Any, deployed: Deployed) -> None:
    lost = Deployed(deployed.layout, "python", "gone")
    with pytest.raises(Problem) as caught:
        launch(link, lost, "one", "true")
    assert caught.value.key == "remote.job.start_failed"


def test_stop_lets_the_command_save(link: Any, deployed: Deployed) -> None:
    shell = "trap 'sleep 0.5; echo saved; exit 75' TERM; echo up; while :; do sleep 0.05; done"
    run = launch(link, deployed, "one", "sh", "-c", shell)
    log = Path(str(run.folder.log))
    until(link, run, lambda _: log.exists() and "up" in log.read_text())
    state = job_client.stop_run(link, run, grace=8)
    assert (state.state, state.code) == ("stopped", 75) and "saved" in log.read_text()


def test_stop_in_the_instant_of_the_start_still_lets_it_save(link: Any, deployed: Deployed) -> None:
    shell = "trap 'echo saved; exit 75' TERM; echo up; while :; do sleep 0.05; done"
    run = launch(link, deployed, "one", "sh", "-c", shell)
    path, log = Path(str(run.folder.pid)), Path(str(run.folder.log))
    until(link, run, lambda _: log.exists() and "up" in log.read_text())
    true = path.read_text()
    early = {**json.loads(true), "child": 0, "child_start": 0}
    path.write_text(json.dumps(early, separators=(",", ":")) + "\n")
    writer = threading.Timer(0.5, path.write_text, (true,))
    writer.start()
    state = job_client.stop_run(link, run, grace=8)
    writer.join()
    assert (state.state, state.code) == ("stopped", 75) and "saved" in log.read_text()


def test_stop_kills_what_will_not_end_and_what_ran_away(link: Any, deployed: Deployed) -> None:
    shell = "trap '' TERM; setsid sleep 60 & echo $!; while :; do sleep 0.05; done"
    run = launch(link, deployed, "one", "sh", "-c", shell)
    log = Path(str(run.folder.log))
    until(link, run, lambda _: log.exists() and bool(log.read_text().strip()))
    runaway = int(log.read_text())
    state = job_client.stop_run(link, run, grace=1)
    assert (state.state, state.signal) == ("stopped", 9)
    assert not is_running(runaway)


def test_stop_after_the_supervisor_was_killed(link: Any, deployed: Deployed) -> None:
    run = launch(link, deployed, "one", "sleep", "60")
    until(link, run, lambda state: state.state == "running")
    pid = json.loads(Path(str(run.folder.pid)).read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    state = until(link, run, lambda state: "supervisor" in state.why.en)
    assert state.state == "running"
    assert job_client.stop_run(link, run, grace=2).state == "stopped"


def test_supervisor_and_work_killed_is_lost_not_succeeded(link: Any, deployed: Deployed) -> None:
    run = launch(link, deployed, "one", "sleep", "60")
    until(link, run, lambda state: state.state == "running")
    pid = json.loads(Path(str(run.folder.pid)).read_text())["pid"]
    os.killpg(pid, signal.SIGKILL)
    assert until(link, run, lambda state: state.ended).state == "lost"


def test_a_reused_pid_and_a_reboot_are_told_apart(link: Any, deployed: Deployed) -> None:
    run = launch(link, deployed, "one", "sleep", "60")
    until(link, run, lambda state: state.state == "running")
    path = Path(str(run.folder.pid))
    true = json.loads(path.read_text())
    path.write_text(json.dumps({**true, "start": 1, "child_start": 1}, separators=(",", ":")))
    reused = job_client.fetch_state(link, run)
    path.write_text(json.dumps({**true, "boot": "another"}, separators=(",", ":")))
    rebooted = job_client.fetch_state(link, run)
    # Neither of them is ours to signal.
    job_client.stop_run(link, run, grace=1)
    path.write_text(json.dumps(true, separators=(",", ":")))
    assert (reused.state, rebooted.state) == ("lost", "lost")
    assert reused.why != rebooted.why
    assert job_client.fetch_state(link, run).state == "running"
    assert job_client.stop_run(link, run, grace=2).state == "stopped"


def test_stopping_a_run_that_ended_changes_nothing(link: Any, deployed: Deployed) -> None:
    run = launch(link, deployed, "one", "true")
    before = until(link, run, lambda state: state.ended)
    assert job_client.stop_run(link, run, grace=1).state == before.state == "succeeded"


def test_strange_folders_are_no_runs(link: Any, deployed: Deployed) -> None:
    run = launch(link, deployed, "one", "true")
    until(link, run, lambda state: state.ended)
    for name in ("\x1b[2Jevil", "two words", "-rf"):
        (Path(str(run.folder.path.parent)) / name).mkdir()
    assert [state.run_id for state in job_client.list_runs(link, deployed.layout)] == ["one"]


def test_queued_runs_follow_each_other(link: Any, deployed: Deployed) -> None:
    shell = "sleep 1; touch done; pwd"
    runs = [
        launch(link, deployed, name, "sh", "-c", shell, queue=place)
        for name, place in (("a", "join"), ("b", "wait"), ("c", "wait"))
    ]
    waiting = job_client.fetch_state(link, runs[2])
    assert (waiting.state, waiting.queued) == ("starting", 2)
    job_client.stop_run(link, runs[1], grace=1)
    assert job_client.fetch_state(link, runs[1]).state == "stopped"
    until(link, runs[2], lambda state: state.ended)
    first, last = (Path(str(run.folder.path / "done")).stat().st_mtime for run in runs[::2])
    assert last - first >= 0.9
    states = {state.run_id: state.state for state in job_client.list_runs(link, deployed.layout)}
    assert states == {"a": "succeeded", "b": "stopped", "c": "succeeded"}


@pytest.mark.parametrize("name", ["../up", "-rf", "", "a b", "a/b", ".hidden", "x" * 200])
def test_names_that_could_be_a_path_or_an_option_are_refused(name: str) -> None:
    with pytest.raises(Problem):
        job_client.make_handle(Layout.at("/w"), name)


def test_a_full_disk_is_named_and_leaves_nothing_behind(link: Any, deployed: Deployed) -> None:
    original = link.run

    def run_without_space(argv: list[str], **options: Any) -> Any:
        """Every write fails, as on a full disk."""
        limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh", *argv]
        return original(limited, **options)

    link.run = run_without_space
    with pytest.raises(Problem) as full:
        launch(link, deployed, "one", "true", spec_json='{"epochs": 1}')
    assert full.value.key == "remote.job.unwritable" and "disk is full" in full.value.message.en
    assert list((Path(str(deployed.layout.work)) / "runs" / "one").iterdir()) == []
    # A job that has no spec fails a step later: nothing of it is said to run already.
    with pytest.raises(Problem) as full:
        launch(link, deployed, "two", "true")
    assert full.value.key == "remote.job.unwritable"
    link.run = original
    run = launch(link, deployed, "one", "true", spec_json='{"epochs": 1}')
    assert until(link, run, lambda state: state.ended).state == "succeeded"
    run = launch(link, deployed, "two", "true")
    assert until(link, run, lambda state: state.ended).state == "succeeded"


def test_what_a_killed_start_left_goes_with_the_next(link: Any, deployed: Deployed) -> None:
    folder = Path(str(deployed.layout.work)) / "runs" / "one"
    folder.mkdir(parents=True)
    old, fresh = folder / "spec.part.7", folder / "spec.part.8"
    for part in (old, fresh):
        part.write_text("{")
    os.utime(old, (time.time() - 3600,) * 2)
    run = launch(link, deployed, "one", "true", spec_json='{"epochs": 1}')
    until(link, run, lambda state: state.ended)
    assert not old.exists() and fresh.exists()  # another start may be at work on that one
