"""A verb that waits for a run ends with that run's own exit code."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.servers.run_list import RunList
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.follow_run import follow_run

ROOT = Path(__file__).resolve().parents[3]
EVENT = (
    '{"v":1,"seq":%d,"t":%d,"run":"one","attempt":1,"type":"epoch","stage":"gpt",'
    '"epoch":%d,"epochs":9}'
)


@pytest.fixture
def session(link: Any, tmp_path: Path) -> Any:
    """The part of a studio that following and looking need."""
    code = tmp_path / "work" / "code" / "abc"
    code.mkdir(parents=True)
    (code / "agent").symlink_to(ROOT / "remote" / "agent")
    layout = Layout.at(str(tmp_path / "work"))
    deployed = Deployed(layout, "python", "abc")
    return SimpleNamespace(
        name="box",
        connection=lambda: link,
        layout=lambda: layout,
        require_deployment=lambda: deployed,
        running_on_warning=lambda: None,
        app_paths=AppPaths.below(tmp_path / "laptop"),
    )


@pytest.mark.parametrize(
    ("shell", "state", "code"),
    [
        ("exit 0", "succeeded", 0),
        ("exit 3", "failed", 3),
        ("exit 8", "no_op", 8),
        ("exit 75", "preempted", 75),
        ("kill -9 $$", "killed", 137),
    ],
    ids=["succeeded", "failed", "no_op", "preempted", "killed"],
)
def test_the_runs_own_code(session: Any, shell: str, state: str, code: int) -> None:
    run = job_client.launch_job(
        session.connection(),
        session.require_deployment(),
        "one",
        ["sh", "-c", f"sleep 0.3; {shell}"],
    )
    ended = follow_run(session, run, Console(json_output=False, language="en"))
    assert (ended.job.state, ended.exit_code) == (state, code)


def test_a_run_that_somebody_stops_meanwhile(session: Any) -> None:
    shell = "trap 'exit 130' TERM; while :; do sleep 0.05; done"
    run = job_client.launch_job(
        session.connection(), session.require_deployment(), "one", ["sh", "-c", shell]
    )
    stopper = threading.Timer(0.5, job_client.stop_run, (session.connection(), run, 5.0))
    stopper.start()
    ended = follow_run(session, run, Console(json_output=False, language="en"))
    stopper.join()
    assert (ended.job.state, ended.exit_code) == ("stopped", 130)


def test_a_board_reads_every_event_once(session: Any) -> None:
    link = session.connection()
    shell = "while [ ! -e end ]; do sleep 0.05; done"
    run = job_client.launch_job(link, session.require_deployment(), "one", ["sh", "-c", shell])
    events, board = Path(str(run.folder.events)), RunList(session, last=5)
    assert [row.run.seq for row in board.fetch()] == [-1]
    with events.open("a") as file:
        for seq in range(4):
            file.write(EVENT % (seq, seq, seq) + "\n" + EVENT[:9])
            file.flush()
            assert [row.run.seq for row in board.fetch()] == [seq]
            file.truncate(file.tell() - 9)
            file.seek(0, 2)
    (row,) = board.fetch()
    assert (row.run.gaps, row.run.repeats) == (0, 0)
    Path(str(run.folder.path / "end")).touch()
    follow_run(session, run, Console(json_output=False, language="en"))
    assert board.fetch()[0].job.state == "succeeded"
    before = link.trips
    board.fetch()
    assert link.trips == before + 1, "what ended is not read again"


def test_a_program_gets_what_proves_that_no_line_is_lost(
    session: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    link = session.connection()
    shell = "while [ ! -e end ]; do sleep 0.05; done"
    run = job_client.launch_job(link, session.require_deployment(), "one", ["sh", "-c", shell])
    with Path(str(run.folder.events)).open("a") as file:
        for seq in range(3):
            file.write(EVENT % (seq, seq, seq) + "\n")
    Path(str(run.folder.path / "end")).touch()
    follow_run(session, run, Console(json_output=True, language="en"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["seq"] for line in lines] == [0, 1, 2]
    assert all(line["attempt"] == 1 and isinstance(line["t"], int) for line in lines)
