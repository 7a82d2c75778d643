"""The event file: whole lines only, one count over all attempts, nothing lost on a full disk."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sovdeck.engine.contract.events import Event, parse_event
from sovdeck.engine.contract.fold import RunState, fold
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.runtime.device import Device
from sovdeck.engine.runtime.event_writer import EventWriter
from sovdeck.engine.runtime.memory_sampler import MemorySampler


def read(path: Path) -> list[Event]:
    events = [parse_event(line) for line in path.read_bytes().splitlines()]
    assert None not in events
    return [event for event in events if event is not None]


def test_seq_goes_on_over_attempts(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for attempt in (1, 2):
        with EventWriter(path, "r") as journal:
            journal.emit("epoch", "gpt", epoch=1, epochs=2)
            assert journal.attempt == attempt
    assert [(e.seq, e.attempt) for e in read(path)] == [(0, 1), (1, 2)]


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "events.jsonl"
    with EventWriter(path, "r") as journal:
        for epoch in range(3):
            journal.emit("epoch", "gpt", epoch=epoch, epochs=3)
    path.write_bytes(path.read_bytes()[:-cut])
    with EventWriter(path, "r") as journal:
        journal.emit("epoch", "gpt", epoch=9, epochs=3)
    events = read(path)
    assert [e.payload["epoch"] for e in events] == [0, 1, 9]
    state = fold(RunState(), events)
    assert (state.gaps, state.repeats) == (0, 0)


def test_a_missing_field_is_a_defect(tmp_path: Path) -> None:
    with (
        EventWriter(tmp_path / "e.jsonl", "r") as journal,
        pytest.raises(ValueError, match="losses"),
    ):
        journal.emit("step", "gpt", step=1, total=2)


def test_threads_share_one_count(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventWriter(path, "r") as journal:

        def write() -> None:
            for _ in range(50):
                journal.emit("memory", source="psutil")

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [e.seq for e in read(path)] == list(range(200))


def test_a_full_disk_delays_lines_and_tears_none(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with EventWriter(path, "r") as journal:
            journal.emit("epoch", "gpt", epoch=0, epochs=9)
            # Room for half a line more: the write is short, then refused.
            resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 30, before[1]))
            for epoch in (1, 2):
                journal.emit("epoch", "gpt", epoch=epoch, epochs=9)
            assert len(read(path)) == 1
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            journal.emit("epoch", "gpt", epoch=3, epochs=9)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [e.payload["epoch"] for e in read(path)] == [0, 1, 2, 3]


def test_a_worker_goes_on_in_the_same_attempt(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventWriter(path, "r") as journal:
        journal.emit("epoch", "gpt", epoch=0, epochs=1)
    with EventWriter(path, "r", same_attempt=True) as journal:
        journal.emit("epoch", "gpt", epoch=1, epochs=1)
    assert [(e.seq, e.attempt) for e in read(path)] == [(0, 1), (1, 1)]


def test_numbers_that_json_lacks_become_null(tmp_path: Path) -> None:
    with EventWriter(tmp_path / "e.jsonl", "r") as journal:
        journal.emit("step", "gpt", step=1, total=2, losses={"total": float("nan")})
    line = json.loads((tmp_path / "e.jsonl").read_text())
    assert line["losses"] == {"total": None}


def test_lines_that_waited_for_space_follow_what_another_process_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"

    def full(file: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with EventWriter(path, "r") as journal:
        journal.emit("epoch", "sovits", epoch=1, epochs=9)
        with monkeypatch.context() as no_space:
            no_space.setattr("sovdeck.engine.runtime.event_writer._write_all", full)
            journal.emit("epoch", "sovits", epoch=2, epochs=9)
            readonly = journal.released()
            readonly.__enter__()
        with EventWriter(path, "r", same_attempt=True) as other:
            other.emit("epoch", "gpt", epoch=1, epochs=9)
        readonly.__exit__(None, None, None)
        journal.emit("epoch", "gpt", epoch=3, epochs=9)
    reported = read(path)
    assert [(e.stage, e.payload["epoch"]) for e in reported] == [
        ("sovits", 1),
        ("gpt", 1),
        ("sovits", 2),
        ("gpt", 3),
    ]
    state = fold(RunState(), reported)
    assert (state.gaps, state.repeats) == (0, 0)


def _append(path: Path) -> None:
    with path.open("ab") as other:
        other.write(b'{"v": 1, "seq": 1}\n')


def _shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


@pytest.mark.parametrize("change", [_append, _shorten], ids=["longer", "shorter"])
def test_a_file_that_somebody_else_changed_is_written_no_more(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """Two writers would double, tear and lose events."""
    path = tmp_path / "events.jsonl"
    with EventWriter(path, "r") as journal:
        journal.emit("epoch", "gpt", epoch=1, epochs=9)
        change(path)
        left = path.read_bytes()
        for _ in range(2):
            with pytest.raises(Problem, match="Another program changed events.jsonl") as refused:
                journal.emit("epoch", "gpt", epoch=2, epochs=9)
            assert refused.value.hint.en
        with pytest.raises(Problem), journal.released():
            pass
    assert path.read_bytes() == left and not path.with_name("summary.json").exists()


def test_watching_threads_end_silently_when_the_file_was_changed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "events.jsonl"
    with EventWriter(path, "r") as journal:
        sampler = MemorySampler(journal.emit, Device("cpu", "CPU", 1), seconds=0.01)
        with pytest.raises(Problem), sampler:
            _append(path)
            while any(thread.name == "memory" for thread in threading.enumerate()):
                time.sleep(0.01)
    assert capfd.readouterr().err == ""
