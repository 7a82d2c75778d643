"""A verb that waits for a run ends with that run's own exit code."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.contract.layout import Layout
from remote import job
from remote.board import Board
from remote.deployed import Deployed
from tui.console import Console
from tui.following import follow

ROOT = Path(__file__).resolve().parents[2]
EVENT = '{"v":1,"seq":%d,"t":%d,"run":"one","attempt":1,"type":"epoch","stage":"gpt",' \
    '"epoch":%d,"epochs":9}'  # fmt: skip


@pytest.fixture
def studio(link: Any, tmp_path: Path) -> Any:
    """The part of a studio that following and looking need."""
    code = tmp_path / "work" / "code" / "abc"
    code.mkdir(parents=True)
    (code / "agent").symlink_to(ROOT / "remote" / "agent")
    layout = Layout.at(str(tmp_path / "work"))
    deployed = Deployed(layout, "python", "abc")
    return SimpleNamespace(
        name="box", link=lambda: link, layout=lambda: layout, deployed=lambda: deployed
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
def test_the_runs_own_code(studio: Any, shell: str, state: str, code: int) -> None:
    run = job.launch(studio.link(), studio.deployed(), "one", ["sh", "-c", f"sleep 0.3; {shell}"])
    ended = follow(studio, run, Console(json_output=False, language="en"))
    assert (ended.job.state, ended.code) == (state, code)


def test_a_run_that_somebody_stops_meanwhile(studio: Any) -> None:
    shell = "trap 'exit 130' TERM; while :; do sleep 0.05; done"
    run = job.launch(studio.link(), studio.deployed(), "one", ["sh", "-c", shell])
    stopper = threading.Timer(0.5, job.stop, (studio.link(), run, 5.0))
    stopper.start()
    ended = follow(studio, run, Console(json_output=False, language="en"))
    stopper.join()
    assert (ended.job.state, ended.code) == ("stopped", 130)


def test_a_board_reads_every_event_once(studio: Any) -> None:
    link = studio.link()
    shell = "while [ ! -e end ]; do sleep 0.05; done"
    run = job.launch(link, studio.deployed(), "one", ["sh", "-c", shell])
    events, board = Path(str(run.folder.events)), Board(studio, last=5)
    assert [row.run.seq for row in board.look()] == [-1]
    with events.open("a") as file:
        for seq in range(4):
            file.write(EVENT % (seq, seq, seq) + "\n" + EVENT[:9])
            file.flush()
            assert [row.run.seq for row in board.look()] == [seq]
            file.truncate(file.tell() - 9)
            file.seek(0, 2)
    (row,) = board.look()
    assert (row.run.gaps, row.run.repeats) == (0, 0)
    Path(str(run.folder.path / "end")).touch()
    follow(studio, run, Console(json_output=False, language="en"))
    assert board.look()[0].job.state == "succeeded"
    before = link.trips
    board.look()
    assert link.trips == before + 1, "what ended is not read again"
