"""What the watch on the server reads of runs: old ones once, what goes on or ends each time."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

AGENT = Path(__file__).resolve().parents[3] / "remote" / "agent"


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return value


class Watch:
    """autostop.sh with a check every second, which never stops anything."""

    def __init__(self, work: Path, env: dict[str, str]) -> None:
        self.work = work
        words = ["after_success=90000000", "after_failure=90000000", "only_after_pull=0"]
        argv = ["sh", str(AGENT / "autostop.sh"), "watch", str(work), "1", "1", *words]
        self.process = subprocess.Popen([*argv, "--", "true"], env=env, start_new_session=True)

    def status(self) -> dict[str, str]:
        try:
            words = (self.work / "autostop" / "status").read_text().split()
        except FileNotFoundError:
            return {}
        return dict(word.partition("=")[::2] for word in words)

    def looks(self, count: int) -> None:
        """Wait for so many more checks; each has another time."""
        seen: set[str] = set()
        wait_for(lambda: seen.add(self.status().get("now", "")) or len(seen - {""}) > count)


@pytest.fixture
def watch(tmp_path: Path, link: Any) -> Iterator[Callable[[dict[str, str]], Watch]]:
    made: list[Watch] = []

    def start(env: dict[str, str]) -> Watch:
        made.append(Watch(tmp_path / "work", {**link.env, **env}))
        return made[-1]

    yield start
    for one in made:
        one.process.kill()
        one.process.wait()


def write_run(work: Path, name: str, code: int | None, ended_at: int = 1_000) -> Path:
    folder = work / "runs" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pid.json").write_text('{"attempt":1,"pid":1,"start":1,"boot":"b","child":0}\n')
    (folder / "beat").touch()
    if code is not None:
        part = folder / "exit.json.part"
        part.write_text(f'{{"attempt":1,"code":{code},"signal":null,"t":{ended_at}}}\n')
        part.rename(folder / "exit.json")
    return folder


def test_an_old_run_is_looked_at_twice_and_no_more(
    tmp_path: Path, link: Any, watch: Callable[..., Watch]
) -> None:
    work, shims, log = tmp_path / "work", tmp_path / "shims", tmp_path / "asked"
    for number in range(20):
        write_run(work, f"lost-{number:02}", None)
        write_run(work, f"done-{number:02}", 0)
    shims.mkdir()
    real = shutil.which("stat", path=link.env["PATH"])
    (shims / "stat").write_text(f'#!/bin/sh\necho "$@" >>"{log}"\nexec {real} "$@"\n')
    (shims / "stat").chmod(0o755)
    running = watch({"PATH": f"{shims}:{link.env['PATH']}"})
    running.looks(5)
    asked = re.findall(r"runs/(\S+)/beat", log.read_text())
    assert sorted(set(asked)) == [f"lost-{number:02}" for number in range(20)]
    assert all(asked.count(run) == 2 for run in asked), "at the first and the second look"


def test_what_ends_while_it_watches_is_seen(tmp_path: Path, watch: Callable[..., Watch]) -> None:
    work = tmp_path / "work"
    write_run(work, "old", 0, ended_at=1_000)
    running = watch({})
    running.looks(4)
    assert running.status()["at"] == str(1_000 + 90_000_000)
    write_run(work, "new", 4, ended_at=5_000)
    wait_for(lambda: running.status()["at"] == str(5_000 + 90_000_000))
    write_run(work, "newer", 0, ended_at=9_000)
    wait_for(lambda: running.status()["at"] == str(9_000 + 90_000_000))
    assert running.status()["running"] == "0"


def test_runs_at_work_are_counted_at_each_look(
    tmp_path: Path, watch: Callable[..., Watch], supervise: Callable[..., Any]
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "runs").symlink_to(tmp_path / "runs")
    (tmp_path / "runs").mkdir()
    running = watch({})
    running.looks(3)
    assert running.status()["running"] == "0"
    for name in ("voice", "keep", "autostop"):
        supervise("sh", "-c", "while [ ! -e go ]; do sleep 0.1; done", run=name)
    wait_for(lambda: running.status()["running"] == "1")
    running.looks(2)
    assert running.status()["running"] == "1", "neither the watches nor one that ended count"
    (tmp_path / "runs" / "voice" / "go").touch()
    wait_for(lambda: running.status()["running"] == "0")
