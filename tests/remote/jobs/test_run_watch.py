"""The server says which runs changed: the old ones are told once, and none is ever missed."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.jobs import run_watch
from sovdeck.remote.jobs.run_watch import RunWatch
from sovdeck.remote.jobs.state import JobState

ROOT = Path(__file__).resolve().parents[3]
SERVER_ID = "0123456789abcdef0123456789abcdef"


class Watched:
    """A watch read in a thread: every look it yielded."""

    def __init__(self, link: Any, layout: Layout) -> None:
        self.looks: list[dict[str, JobState]] = []
        self._watch = RunWatch(lambda: link, layout, wait=lambda _: 0.05)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for states in self._watch.changes():
            self.looks.append({state.run_id: state for state in states})

    def until(self, run: str, state: str) -> int:
        """Wait until a look says so; its number."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for number, look in enumerate(list(self.looks)):
                if run in look and look[run].state == state:
                    return number
            time.sleep(0.05)

        raise AssertionError(f"{run} was never {state}: {self.looks[-3:]}")

    def close(self) -> None:
        self._watch.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def deployed(tmp_path: Path) -> Deployed:
    code = tmp_path / "work" / "code" / "abc"
    code.mkdir(parents=True)
    (code / "agent").symlink_to(ROOT / "remote" / "agent")
    (tmp_path / "work" / "server-id").write_text(SERVER_ID + "\n")
    return Deployed(Layout.at(str(tmp_path / "work")), "python", "abc")


@pytest.fixture
def watch(
    link: Any, deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Watched]]:
    monkeypatch.setattr(run_watch, "LOOK_INTERVAL_S", 1)
    made: list[Watched] = []

    def start() -> Watched:
        made.append(Watched(link, deployed.layout))
        return made[-1]

    yield start
    for one in made:
        one.close()


def old_run(layout: Layout, run: str) -> None:
    folder = Path(str(layout.run(run).path))
    folder.mkdir(parents=True)
    (folder / "pid.json").write_text('{"attempt":1,"pid":1,"boot":"b","child":0}\n')
    (folder / "exit.json").write_text('{"attempt":1,"code":0,"signal":null,"t":77}\n')


def test_old_runs_are_told_once_and_those_at_work_at_every_look(
    link: Any, deployed: Deployed, watch: Callable[[], Watched]
) -> None:
    for number in range(12):
        old_run(deployed.layout, f"old{number:02}")
    time.sleep(1.1)  # their folders are older than the watch
    seen = watch()
    assert seen.until("old11", "succeeded") == 0
    assert seen.looks[0]["old00"].server_id == SERVER_ID
    waits = "until [ -e go ]; do sleep 0.1; done"
    run = job_client.launch_job(link, deployed, "new", ["sh", "-c", waits])
    running = seen.until("new", "running")
    time.sleep(3)
    Path(str(run.folder.path), "go").touch()
    ended = seen.until("new", "succeeded")
    assert ended > running + 1, "told at every look, though its folder did not change"
    # The first two looks are at all runs.
    assert sum("old00" in look for look in seen.looks) == 2
    assert all("new" in look for look in seen.looks[running:ended])
    assert all(look == {} for look in seen.looks[ended + 3 :])


def test_an_old_run_that_is_started_again_is_told(
    link: Any, deployed: Deployed, watch: Callable[[], Watched]
) -> None:
    run = job_client.launch_job(link, deployed, "one", ["false"])
    seen = watch()
    seen.until("one", "failed")
    time.sleep(3)
    job_client.launch_job(link, deployed, run.run_id, ["true"])
    again = seen.looks[seen.until("one", "succeeded")]["one"]
    assert again.attempt == 2


def test_a_server_without_runs_is_watched_until_there_is_one(
    link: Any, deployed: Deployed, watch: Callable[[], Watched]
) -> None:
    seen = watch()
    deadline = time.monotonic() + 60
    while not seen.looks and time.monotonic() < deadline:
        time.sleep(0.05)
    assert seen.looks[0] == {}
    job_client.launch_job(link, deployed, "one", ["true"])
    seen.until("one", "succeeded")


def test_after_a_cut_all_are_told_again_and_no_mark_is_left(
    link: Any, deployed: Deployed, watch: Callable[[], Watched], tmp_path: Path
) -> None:
    old_run(deployed.layout, "old")
    link.budgets = itertools.chain([200, 120], itertools.repeat(None))
    seen = watch()
    seen.until("old", "succeeded")
    seen.close()
    for stream in link.opened:
        stream.ended()
    assert list((tmp_path / "work").glob(".run-watch.*")) == []
