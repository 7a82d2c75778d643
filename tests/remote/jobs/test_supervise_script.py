"""agent/supervise.sh keeps its promises whatever is killed around it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.runs.run_lock import lock_run

ROOT = Path(__file__).resolve().parents[3]
AGENT = ROOT / "remote" / "agent"


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def exit_of(job: Any) -> dict[str, Any]:
    wait_for((job.folder / "exit.json").exists)
    return json.loads(job.text("exit.json"))


def pid_of(job: Any) -> dict[str, Any]:
    def with_child() -> dict[str, Any] | None:
        path = job.folder / "pid.json"
        raw = json.loads(path.read_text()) if path.exists() else {}
        return raw if raw.get("child") else None

    return wait_for(with_child)


def log_has(job: Any, word: str) -> Callable[[], bool]:
    path = job.folder / "log.txt"
    return lambda: path.exists() and word in path.read_text()


@pytest.mark.parametrize("path", sorted(AGENT.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_clean_posix_shell(path: Path) -> None:
    assert subprocess.run(["sh", "-n", str(path)]).returncode == 0
    if busybox := shutil.which("busybox"):
        assert subprocess.run([busybox, "sh", "-n", str(path)]).returncode == 0
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", "-s", "sh", str(path)], capture_output=True, text=True)
    assert done.stdout == ""


def test_exit_code_and_both_outputs_are_kept(supervise: Callable[..., Any]) -> None:
    job = supervise("sh", "-c", "echo one; echo two >&2; printf last; exit 7")
    end = exit_of(job)
    assert (end["attempt"], end["code"], end["signal"]) == (1, 7, None)
    assert sorted(job.text("log.txt").splitlines()) == ["last", "one", "two"]


def test_a_killed_command_is_told_from_a_failed_one(supervise: Callable[..., Any]) -> None:
    job = supervise("sleep", "60")
    os.kill(pid_of(job)["child"], signal.SIGKILL)
    end = exit_of(job)
    assert (end["code"], end["signal"]) == (137, 9)


def test_beat_goes_on_and_the_identity_is_the_kernels(supervise: Callable[..., Any]) -> None:
    job = supervise("sleep", "60")
    pid = pid_of(job)
    stat = Path(f"/proc/{pid['pid']}/stat").read_text().rpartition(")")[2].split()
    assert pid["start"] == int(stat[19]) and pid["pid"] == job.process.pid
    assert pid["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    beat = job.folder / "beat"
    wait_for(beat.exists)
    first = beat.stat().st_mtime_ns
    wait_for(lambda: beat.stat().st_mtime_ns > first, 4)


def test_second_start_is_refused_and_harms_nothing(supervise: Callable[..., Any]) -> None:
    job = supervise("sleep", "60")
    before = pid_of(job)
    assert supervise("sleep", "60").process.wait(timeout=60) == 98
    assert json.loads(job.text("pid.json")) == before


def test_a_command_whose_supervisor_was_killed_is_not_joined_by_a_second(
    supervise: Callable[..., Any],
) -> None:
    job = supervise("sleep", "60")
    pid = pid_of(job)
    try:
        os.kill(pid["pid"], signal.SIGKILL)
        job.process.wait(timeout=60)
        assert supervise("sleep", "60").process.wait(timeout=60) == 98
        assert json.loads(job.text("pid.json")) == pid
    finally:
        os.kill(pid["child"], signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{pid['child']}").exists())
    again = supervise("sh", "-c", "exit 0")
    again.process.wait(timeout=60)
    assert exit_of(again)["attempt"] == 2


needs_flock = pytest.mark.skipif(
    shutil.which("flock") is None, reason="no program asks for the lock"
)


# As the engine ends: it holds its lock, says so, works until it is told how to end.
ENGINE = """
import sys, time
from pathlib import Path
from sovdeck.engine.runs.run_lock import lock_run
from sovdeck.engine.runtime.event_writer import EventWriter
folder = Path.cwd()
with lock_run(folder) as lock, EventWriter(folder / "events.jsonl", "run") as events:
    lock.note_attempt(events.attempt)
    events.emit("run_started", voice="a", stages=[], device={}, engine="0")
    while not (folder / "go").exists():
        time.sleep(0.02)
    code = int((folder / "go").read_text())
    (folder / "go").unlink()
    events.emit("run_finished", status="succeeded", exit_code=code, exports=[])
sys.exit(code)
"""


@pytest.fixture
def engine(supervise: Callable[..., Any]) -> Callable[[], Any]:
    """Start the stand-in of an engine, under a supervisor."""

    def start() -> Any:
        env = {"PYTHONPATH": str(ROOT / "dev")}
        return supervise(sys.executable, "-c", ENGINE, env=env)

    return start


def orphan(job: Any) -> dict[str, Any]:
    """Kill the supervisor of an engine at work; what pid.json says of them."""
    pid = pid_of(job)
    begun = [event for event in job.text("events.jsonl").splitlines() if "run_started" in event]
    os.kill(pid["pid"], signal.SIGKILL)
    job.process.wait(timeout=60)
    assert begun
    return pid


def begin(engine: Callable[[], Any], times: int = 1) -> Any:
    job = engine()
    path = job.folder / "events.jsonl"
    wait_for(lambda: path.exists() and path.read_text().count("run_started") == times)
    return job


@pytest.mark.parametrize("code", [0, 3, 130])
def test_an_engine_whose_supervisor_was_killed_is_adopted(
    engine: Callable[[], Any], code: int
) -> None:
    first = orphan(begin(engine))
    adopting = engine()
    wait_for(lambda: json.loads(adopting.text("pid.json"))["attempt"] == 2)
    now = pid_of(adopting)
    assert (now["child"], now["child_start"]) == (first["child"], first["child_start"])
    assert now["pid"] == adopting.process.pid
    assert engine().process.wait(timeout=60) == 98, "it has a supervisor again"
    (adopting.folder / "go").write_text(str(code))
    assert adopting.process.wait(timeout=60) == 0
    end = exit_of(adopting)
    assert (end["attempt"], end["code"]) == (2, code)
    assert adopting.text("events.jsonl").count("run_started") == 1


def test_an_adopted_engine_that_dies_without_a_word_has_no_exit(engine: Callable[[], Any]) -> None:
    """Not even where an earlier attempt has left one: its last event is not of this engine."""
    done = begin(engine)
    (done.folder / "go").write_text("0")
    assert exit_of(done)["attempt"] == 1
    done.process.wait(timeout=60)
    first = orphan(begin(engine, times=2))
    adopting = engine()
    wait_for(lambda: json.loads(adopting.text("pid.json"))["attempt"] == 3)
    # As where it is killed before its first event reaches the disk.
    events = adopting.folder / "events.jsonl"
    events.write_text("".join(events.read_text().splitlines(keepends=True)[:-1]))
    assert "run_finished" in events.read_text().splitlines()[-1]
    os.kill(first["child"], signal.SIGKILL)
    assert adopting.process.wait(timeout=60) == 0
    assert exit_of(adopting)["attempt"] == 1


def test_term_to_an_adopting_supervisor_reaches_the_engine(engine: Callable[[], Any]) -> None:
    first = orphan(begin(engine))
    adopting = engine()
    wait_for(lambda: json.loads(adopting.text("pid.json"))["attempt"] == 2)
    adopting.process.terminate()
    assert adopting.process.wait(timeout=60) == 0
    assert not is_alive(first["child"])


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@needs_flock
def test_an_engine_whose_number_nobody_wrote_down_is_not_joined_by_a_second(
    supervise: Callable[..., Any],
) -> None:
    """Its supervisor was killed in the moment between starting it and noting it."""
    job = supervise("true")
    exit_of(job)
    job.process.wait(timeout=60)
    with lock_run(job.folder):
        assert supervise("true").process.wait(timeout=60) == 98
    assert supervise("true").process.wait(timeout=60) == 0


@needs_flock
def test_an_engine_whose_number_nobody_wrote_down_is_adopted(engine: Callable[[], Any]) -> None:
    """Its own lock tells its number where its supervisor died before it wrote it down."""
    job = begin(engine)
    first = orphan(job)
    pid_json = job.folder / "pid.json"
    pid_json.write_text(pid_json.read_text().replace(f'"child":{first["child"]}', '"child":0'))
    adopting = engine()
    wait_for(lambda: json.loads(adopting.text("pid.json"))["attempt"] == 2)
    now = pid_of(adopting)
    assert (now["child"], now["child_start"]) == (first["child"], first["child_start"])
    (adopting.folder / "go").write_text("0")
    assert adopting.process.wait(timeout=60) == 0
    end = exit_of(adopting)
    assert (end["attempt"], end["code"]) == (2, 0)
    assert adopting.text("events.jsonl").count("run_started") == 1


@needs_flock
@pytest.mark.parametrize("inside", [True, False], ids=["in its folder", "elsewhere"])
def test_an_engine_that_was_started_by_hand_is_adopted_or_left_alone(
    supervise: Callable[..., Any], tmp_path: Path, inside: bool
) -> None:
    """It never had a supervisor, and so no lock of one: its own lock says that it works."""
    folder = tmp_path / "runs" / "run"
    folder.mkdir(parents=True)
    started = ENGINE if inside else ENGINE.replace("Path.cwd()", f"Path({str(folder)!r})")
    by_hand = subprocess.Popen(
        [sys.executable, "-c", started],
        cwd=folder if inside else tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "dev")},
    )
    try:
        events = folder / "events.jsonl"
        wait_for(lambda: events.exists() and "run_started" in events.read_text())
        job = supervise("true")
        assert job.folder == folder
        if inside:
            wait_for((folder / "pid.json").exists)
            assert pid_of(job)["child"] == by_hand.pid
        else:
            assert job.process.wait(timeout=60) == 98
            assert not (folder / "pid.json").exists()
        (folder / "go").write_text("0")
        assert by_hand.wait(timeout=60) == 0
        if inside:
            assert exit_of(job)["code"] == 0
    finally:
        by_hand.kill()
        by_hand.wait()


def test_a_lock_that_a_full_disk_left_empty_holds_up_nobody(supervise: Callable[..., Any]) -> None:
    job = supervise("true")
    exit_of(job)
    job.process.wait(timeout=60)
    (job.folder / "lock.2").write_text("")
    supervise("true").process.wait(timeout=60)
    assert exit_of(job)["attempt"] == 3
    assert sorted(path.name for path in job.folder.glob("lock*")) == ["lock.1", "lock.2", "lock.3"]


def test_of_many_racing_starts_one_wins(supervise: Callable[..., Any]) -> None:
    jobs = [supervise("sleep", "60") for _ in range(8)]
    wait_for(lambda: sum(job.process.poll() == 98 for job in jobs) == 7)
    assert [job.process.poll() for job in jobs].count(None) == 1


def test_an_ended_run_may_start_again_as_next_attempt(supervise: Callable[..., Any]) -> None:
    exit_of(supervise("sh", "-c", "exit 3"))
    wait_for(lambda: True)
    again = supervise("sh", "-c", "exit 4")
    again.process.wait(timeout=60)
    assert {k: exit_of(again)[k] for k in ("attempt", "code")} == {"attempt": 2, "code": 4}


def test_term_to_the_supervisor_reaches_the_command_and_its_code_is_kept(
    supervise: Callable[..., Any],
) -> None:
    save = "trap 'echo saving; exit 75' TERM; echo ready; while :; do sleep 0.1; done"
    job = supervise("sh", "-c", save)
    wait_for(log_has(job, "ready"))
    os.kill(job.process.pid, signal.SIGTERM)
    assert exit_of(job)["code"] == 75
    assert "saving" in job.text("log.txt")


def test_killing_the_supervisor_leaves_the_work_going(supervise: Callable[..., Any]) -> None:
    job = supervise("sh", "-c", "echo a; sleep 1.5; echo b")
    wait_for(log_has(job, "a"))
    os.kill(job.process.pid, signal.SIGKILL)
    wait_for(log_has(job, "b"))
    assert not (job.folder / "exit.json").exists()


def test_hang_up_ends_nothing(supervise: Callable[..., Any]) -> None:
    job = supervise("sh", "-c", "echo a; sleep 1; echo b; exit 5")
    wait_for(log_has(job, "a"))
    os.kill(job.process.pid, signal.SIGHUP)
    assert exit_of(job)["code"] == 5 and "b" in job.text("log.txt")


def test_log_is_rotated_without_losing_a_line(supervise: Callable[..., Any]) -> None:
    job = supervise(
        "sh",
        "-c",
        'i=0; while [ $i -lt 400 ]; do echo "line $i"; i=$((i+1)); done',
        env={"SOVDECK_LOG_CAP": "2500"},
    )
    exit_of(job)
    kept = (job.text("log.1.txt") + job.text("log.txt")).splitlines()
    assert kept == [f"line {i}" for i in range(400 - len(kept), 400)]
    assert len(kept) > 200
    assert all((job.folder / name).stat().st_size <= 2500 for name in ("log.txt", "log.1.txt"))


def test_an_endless_line_is_cut(supervise: Callable[..., Any]) -> None:
    job = supervise("sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; echo; echo after")
    exit_of(job)
    first, second = job.text("log.txt").splitlines()
    assert len(first) < 20_000 and first.endswith("...") and second == "after"


def test_a_full_disk_does_not_stop_the_work(supervise: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "run"
    folder.mkdir(parents=True)
    (folder / "log.txt").symlink_to("/dev/full")  # every write fails with "no space left"
    job = supervise("sh", "-c", 'i=0; while [ $i -lt 300 ]; do echo "$i"; i=$((i+1)); done; exit 9')
    assert exit_of(job)["code"] == 9


def test_a_process_left_behind_does_not_hold_up_the_end(supervise: Callable[..., Any]) -> None:
    job = supervise("sh", "-c", "sleep 30 & exit 2")
    assert exit_of(job)["code"] == 2


def test_a_missing_command_is_127(supervise: Callable[..., Any]) -> None:
    assert exit_of(supervise("no-such-command"))["code"] == 127
