"""A list of runs costs a few kB: the server's summaries, and an ended run is read once, ever."""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.run_summary import LISTED
from sovdeck.engine.runtime.event_writer import EventWriter
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.jobs.run_summaries import fetch_summaries
from sovdeck.remote.servers.run_list import RunList, RunRow

ROOT = Path(__file__).resolve().parents[3]
SERVER_ID = "0123456789abcdef0123456789abcdef"


@dataclass
class Session:
    """The part of a ServerSession that a list of runs uses; it counts what travels."""

    link: Any
    deployed: Deployed
    app_paths: AppPaths
    name: str = "box"
    commands: list[str] = field(default_factory=list)
    received: int = 0
    asked_whether_on: int = 0

    def connection(self) -> Session:
        return self

    def require_deployment(self) -> Deployed:
        return self.deployed

    def running_on_warning(self) -> None:
        self.asked_whether_on += 1

    def script(self, text: str, args: Any = (), **options: Any) -> Any:
        self.commands.append("script")
        return self._counted(self.link.script(text, args, **options))

    def run(self, argv: Any, **options: Any) -> Any:
        self.commands.append("summary" if "summary" in argv else str(argv[0]))
        return self._counted(self.link.run(argv, **options))

    def _counted(self, result: Any) -> Any:
        self.received += len(result.out)
        return result


@pytest.fixture
def shell_path() -> str:
    return os.environ["PATH"]


@pytest.fixture
def session(link: Any, tmp_path: Path) -> Session:
    work = tmp_path / "work"
    work.mkdir()
    (work / "server-id").write_text(SERVER_ID + "\n")
    env = {"PYTHONPATH": str(ROOT / "dev")}
    deployed = Deployed(Layout.at(str(work)), sys.executable, "abc", env)
    return Session(link, deployed, AppPaths.below(tmp_path / "home"))


def write_run(session: Session, run: str, steps: int, *, ended: bool) -> Path:
    folder = Path(str(session.deployed.layout.run(run).path))
    with EventWriter(folder / "events.jsonl", run) as events:
        events.emit("run_started", voice="Mei", stages=["gpt"], device={}, engine="0")
        events.emit("stage_started", "gpt", total=steps, unit="updates")
        for step in range(1, steps + 1):
            events.emit("step", "gpt", step=step, total=steps, losses={"total": 1 / step})
    if ended:
        (folder / "pid.json").write_text('{"attempt":1,"pid":1,"boot":"b","child":0}\n')
        (folder / "exit.json").write_text('{"attempt":1,"code":0,"signal":null,"t":77}\n')
    return folder


def rows_of(session: Session) -> dict[str, RunRow]:
    session.commands.clear()
    session.received = 0
    return {row.job.run_id: row for row in RunList(session, 10).fetch()}  # type: ignore[arg-type]


def test_few_bytes_travel_whatever_the_length_of_a_run(session: Session) -> None:
    sizes = []
    for run, steps in (("a", 20), ("b", 6000)):
        folder = write_run(session, run, steps, ended=False)
        row = rows_of(session)[run]
        assert row.run.stage("gpt").step == steps and row.run.voice == "Mei"  # type: ignore[union-attr]
        sizes.append(session.received)
    assert (folder / "events.jsonl").stat().st_size > 50 * sizes[1]
    assert sizes[1] < 3 * sizes[0] and session.commands == ["script", "summary"]


def test_an_ended_run_is_read_once_ever(session: Session) -> None:
    folder = write_run(session, "a", 300, ended=True)
    first = rows_of(session)
    assert session.commands == ["script", "summary"]
    again = rows_of(session)  # a list of its own, as a later `sovdeck ps` has
    assert session.commands == ["script"] and session.received < 400
    assert again["a"].run == first["a"].run and again["a"].run.stage("gpt").last_loss == 1 / 300  # type: ignore[union-attr]

    # Started again, it is another attempt: what was remembered holds no more.
    with EventWriter(folder / "events.jsonl", "a") as events:
        events.emit("step", "gpt", step=301, total=400, losses={"total": 0.5})
    (folder / "pid.json").write_text('{"attempt":2,"pid":1,"boot":"b","child":0}\n')
    (folder / "exit.json").write_text('{"attempt":2,"code":0,"signal":null,"t":99}\n')
    assert rows_of(session)["a"].run.stage("gpt").step == 301  # type: ignore[union-attr]


def test_what_is_remembered_may_be_damaged(session: Session) -> None:
    write_run(session, "a", 30, ended=True)
    rows_of(session)
    (kept,) = session.app_paths.ended_runs_folder.rglob("a.json")
    assert os.name != "posix" or kept.stat().st_mode & 0o077 == 0
    kept.write_bytes(kept.read_bytes()[:-40])
    assert rows_of(session)["a"].run.stage("gpt").step == 30  # type: ignore[union-attr]
    assert session.commands == ["script", "summary"]


def test_a_run_at_work_is_followed_from_where_it_was_read(session: Session) -> None:
    folder = write_run(session, "a", 30, ended=False)
    runs = RunList(session, 10)  # type: ignore[arg-type]
    runs.fetch()
    with EventWriter(folder / "events.jsonl", "a") as events:
        events.emit("step", "gpt", step=31, total=40, losses={"total": 0.5})
    session.commands.clear()
    (row,) = runs.fetch()
    assert session.commands == ["script", "tail"]
    assert row.run.stage("gpt").step == 31 and row.run.gaps == row.run.repeats == 0  # type: ignore[union-attr]


def test_a_list_that_is_watched_keeps_no_curve(session: Session) -> None:
    folder = write_run(session, "a", 30, ended=False)
    runs = RunList(session, 10)  # type: ignore[arg-type]
    sizes = []
    for steps in (900, 6000):
        with EventWriter(folder / "events.jsonl", "a") as events:
            for step in range(steps):
                events.emit("step", "gpt", step=step, total=9000, losses={"total": 0.5})
                if step % 30 == 0:
                    events.emit("validation", "gpt", epoch=1, metrics={"loss": 0.5})
        (row,) = runs.fetch()
        assert row.run.gaps == row.run.repeats == 0
        sizes.append(len(pickle.dumps(runs._known)))
    assert sizes[1] < 2 * sizes[0] and len(row.run.validations) == LISTED


def test_without_an_engine_that_answers_the_events_are_read(session: Session) -> None:
    write_run(session, "a", 30, ended=False)
    broken = Deployed(session.deployed.layout, "/nowhere/python", "abc")
    found = fetch_summaries(session, broken, ["a"], history=True)["a"]  # type: ignore[arg-type]
    assert found.state.stage("gpt").step == 30 and found.complete  # type: ignore[union-attr]


def test_a_watched_list_costs_no_further_command_a_look(session: Session) -> None:
    write_run(session, "a", 3, ended=True)
    runs = RunList(session, 10)  # type: ignore[arg-type]
    for _ in range(3):
        runs.fetch()
    assert session.commands == ["script", "summary", "script", "script"]
    assert session.asked_whether_on == 1, "whether it should be off is asked once a minute"
