"""`summary.json` is kept while a run writes, made for runs that have none, and never believed."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from sovdeck.engine.commands import summary as summary_command
from sovdeck.engine.contract.events import parse_event
from sovdeck.engine.contract.fold import RunState, fold
from sovdeck.engine.contract.run_summary import RunSummary, parse_summary
from sovdeck.engine.runtime import summary_file
from sovdeck.engine.runtime.event_writer import EventWriter
from sovdeck.engine.runtime.summary_file import TAIL_BYTES, read_summary


def state_of(events: Path) -> RunState:
    found = [parse_event(line) for line in events.read_bytes().splitlines()]
    return replace(fold(RunState(), [one for one in found if one is not None]), points=())


def kept_beside(events: Path) -> RunSummary:
    summary = parse_summary(events.with_name("summary.json").read_bytes())
    assert summary is not None and summary.complete
    return summary


def write_steps(journal: EventWriter, first: int, count: int) -> None:
    for step in range(first, first + count):
        journal.emit("step", "gpt", step=step, total=9999, losses={"total": 9.0 - step / 9999})


@pytest.fixture
def events(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "r1" / "events.jsonl"


def test_a_run_keeps_it_current_while_it_writes(events: Path) -> None:
    with EventWriter(events, "r1") as journal:
        journal.emit("run_started", voice="A", stages=["gpt"], device={}, engine="0")
        write_steps(journal, 1, 2000)
        behind = events.stat().st_size - kept_beside(events).offset
        assert 0 <= behind <= TAIL_BYTES + 300
        journal.emit("stage_finished", "gpt", updates=2000, seconds=1.0)
        assert kept_beside(events).offset == events.stat().st_size
        write_steps(journal, 2001, 3)
    kept = kept_beside(events)
    assert (kept.offset, kept.state) == (events.stat().st_size, state_of(events))
    assert kept.state.seq == 2004 and kept.state.gaps == 0


def test_a_later_attempt_goes_on_with_it(events: Path) -> None:
    for first in (1, 51):
        with EventWriter(events, "r1") as journal:
            write_steps(journal, first, 50)
    assert kept_beside(events).state == state_of(events)
    assert len(kept_beside(events).curves["gpt"]["total"]) == 100


def test_another_process_writes_in_between(events: Path) -> None:
    with EventWriter(events, "r1") as journal:
        write_steps(journal, 1, 5)
        with journal.released(), EventWriter(events, "r1", same_attempt=True) as worker:
            write_steps(worker, 6, 5)
        write_steps(journal, 11, 5)
    assert kept_beside(events).state == state_of(events)


def test_a_run_without_one_gets_it_at_the_first_look(
    events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with EventWriter(events, "r1") as journal:
        write_steps(journal, 1, 2000)
    events.with_name("summary.json").unlink()
    with events.open("ab") as file:
        file.write(b'{"v": 1, "seq": 2000, "t"')  # half a line, as a kill leaves it
    whole = events.read_bytes().rpartition(b"\n")[0]
    assert read_summary(events).offset == len(whole) + 1
    assert kept_beside(events).state.seq == 1999

    arguments = ["r1", "absent", "--work", str(events.parents[2])]
    parser = __import__("argparse").ArgumentParser()
    summary_command.add_arguments(parser)
    for history in ([], ["--history"]):
        assert summary_command.run(parser.parse_args([*arguments, *history])) == 0
        first, second = capsys.readouterr().out.splitlines()
        found, empty = parse_summary(first.encode()), parse_summary(second.encode())
        assert found is not None and found.state.seq == 1999
        assert found.complete == bool(history)
        assert empty is not None and empty.state == RunState()


def test_a_kept_one_is_not_read_twice(events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EventWriter(events, "r1") as journal:
        write_steps(journal, 1, 500)
    read = 0
    parse = summary_file.parse_event

    def counted(line: bytes) -> object:
        nonlocal read
        read += 1
        return parse(line)

    monkeypatch.setattr(summary_file, "parse_event", counted)
    assert read_summary(events).state.seq == 499
    assert read == 1  # the last line, which tells that the file is the same


@pytest.mark.parametrize("damage", ["other events", "shorter", "torn summary"])
def test_one_that_does_not_fit_is_made_anew(events: Path, damage: str) -> None:
    with EventWriter(events, "r1") as journal:
        write_steps(journal, 1, 50)
    lines = events.read_bytes().splitlines(keepends=True)
    if damage == "other events":
        events.write_bytes(b"".join(lines[5:] + lines[:5] + lines))
    elif damage == "shorter":
        events.write_bytes(b"".join(lines[:20]))
    else:
        events.with_name("summary.json").write_bytes(b'{"v": 1, "offset": 7, ')
    assert read_summary(events).state == state_of(events)


def test_a_full_disk_leaves_the_one_before(events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EventWriter(events, "r1") as journal:
        write_steps(journal, 1, 5)
    before = kept_beside(events)

    def full(path: Path, data: bytes, *, durable: bool) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as no_space, EventWriter(events, "r1") as journal:
        no_space.setattr(summary_file, "write_atomic", full)
        write_steps(journal, 6, 5)
        journal.emit("stage_finished", "gpt", updates=10, seconds=1.0)
        assert kept_beside(events) == before
    assert read_summary(events).state == state_of(events)
