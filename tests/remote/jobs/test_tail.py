"""A tail gives out every line exactly once, in order, whatever the channel and the file do."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.fold import RunState, fold
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.ssh import remote_tail as tail_module
from sovdeck.remote.ssh.remote_tail import EventTail, LineAssembler, RemoteTail, clean_line


def step(seq: int, note: str = "") -> bytes:
    payload = {"step": seq, "total": 999, "losses": {"total": 1.5}, "note": note}
    return Event(seq, 1000 + seq, "r", "step", stage="sovits", payload=payload).to_json().encode()


def no_wait(_attempt: int) -> float:
    return 0.01


def finish(folder: Path, attempt: int = 1) -> None:
    (folder / "pid.json").write_text(f'{{"attempt":{attempt},"pid":1}}\n')
    (folder / "exit.json").write_text(f'{{"attempt":{attempt},"code":0}}\n')


def event_tail(link: Any, path: Path, **options: Any) -> EventTail:
    tail = RemoteTail(lambda: link, str(path), run_folder=str(path.parent), wait=no_wait, **options)
    return EventTail(tail)


@given(st.lists(st.binary(max_size=30)), st.integers(1, 7))
def test_any_cutting_of_the_bytes_gives_the_same_lines(pieces: list[bytes], size: int) -> None:
    data = b"\n".join(pieces)
    assembler = LineAssembler(5)
    lines = [line for i in range(0, len(data), size) for line in assembler.feed(data[i : i + size])]
    assert [line.data for line in lines] == data.split(b"\n")[:-1]
    assert assembler.offset == 5 + (data.rfind(b"\n") + 1)
    assert all(line.end - line.start == len(line.data) + 1 for line in lines)


def test_a_giant_line_is_cut_but_its_length_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "MAX_LINE_BYTES", 10)
    assembler = LineAssembler()
    lines = assembler.feed(b"x" * 7) + assembler.feed(b"y" * 95 + b"\nok\n")
    assert [(line.data, line.end) for line in lines] == [(b"x" * 7 + b"y" * 3, 103), (b"ok", 106)]


@pytest.mark.parametrize("seed", range(4))
def test_fifty_random_cuts_lose_and_double_nothing(
    seed: int, cut_link: Callable[[int, int], Any], tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(step(seq, "é" * (seq % 17)) + b"\n" for seq in range(120)))
    finish(tmp_path)
    link = cut_link(seed, 800)
    events = list(event_tail(link, path))
    assert [event.seq for event in events] == list(range(120))
    state = fold(RunState(), events)
    assert (state.gaps, state.repeats) == (0, 0)
    assert len(link.opened) > 25, "the link was hardly cut"


def test_lines_written_while_following_arrive_before_the_end(link: Any, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(step(0) + b"\n" + step(1)[:20])
    tail = event_tail(link, path)
    events = iter(tail)
    assert next(events).seq == 0
    with path.open("ab") as file:
        file.write(step(1)[20:] + b"\n")
        file.flush()
    assert next(events).seq == 1  # nothing else is written before it came
    finish(tmp_path)
    assert list(events) == []


def test_lines_that_come_quickly_travel_together(link: Any, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(step(0) + b"\n")
    batches = event_tail(link, path).batches()
    next(batches)
    with path.open("ab") as file:
        for seq in range(1, 80):
            file.write(step(seq) + b"\n")
            file.flush()
            time.sleep(0.01)
    finish(tmp_path)
    arrived = list(batches)
    assert [event.seq for batch in arrived for event in batch] == list(range(1, 80))
    assert len(arrived) < 40, "each line woke the laptop"


def test_a_file_that_is_not_there_yet_is_waited_for(link: Any, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    threading.Timer(0.3, lambda: path.write_bytes(step(0) + b"\n")).start()
    tail = event_tail(link, path)
    assert next(iter(tail)).seq == 0
    tail.tail.close()


def test_a_torn_last_line_cut_off_by_a_restart_is_no_event(link: Any, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(step(0) + b"\n" + step(1)[:30])
    events = iter(event_tail(link, path))
    assert next(events).seq == 0
    # What a restarted engine does, at once and with more bytes than it took away.
    os.truncate(path, len(step(0)) + 1)
    with path.open("ab") as file:
        file.write(b"".join(step(seq, "after the restart") + b"\n" for seq in (1, 2, 3)))
    finish(tmp_path)
    assert [event.seq for event in events] == [1, 2, 3]


def test_a_line_that_stays_unreadable_is_counted_and_passed(link: Any, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(step(0) + b"\nnot an event\n" + step(1) + b"\n" + step(5) + b"\n")
    finish(tmp_path)
    tail = event_tail(link, path)
    events = list(tail)
    assert [event.seq for event in events] == [0, 1, 5] and tail.unreadable == 1
    assert fold(RunState(), events).gaps == 3


def test_a_file_of_noise_is_not_read_again_for_each_of_its_lines(
    link: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "MAX_DOUBTED", 3)
    path = tmp_path / "events.jsonl"
    noise = b"".join(b"noise %d\n" % number for number in range(5000))
    path.write_bytes(step(0) + b"\n" + noise + step(1) + b"\n")
    finish(tmp_path)
    tail = event_tail(link, path)
    rewound, rewind = [], tail.tail.rewind
    monkeypatch.setattr(tail.tail, "rewind", lambda at: (rewound.append(at), rewind(at)))
    assert [event.seq for event in tail] == [0, 1] and tail.unreadable == 5000
    assert len(rewound) == 2 * 3


def test_doubled_events_in_the_file_come_once(link: Any, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(step(seq) + b"\n" for seq in (0, 1, 0, 1, 2)))
    finish(tmp_path)
    assert [event.seq for event in event_tail(link, path)] == [0, 1, 2]


def test_a_known_place_is_resumed(link: Any, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(step(seq) + b"\n" for seq in range(6)))
    finish(tmp_path)
    offset = 3 * (len(step(0)) + 1)
    tail = EventTail(RemoteTail(lambda: link, str(path), offset, run_folder=str(tmp_path)), seq=2)
    assert [event.seq for event in tail] == [3, 4, 5]


def test_the_end_of_an_earlier_attempt_does_not_end_the_tail(link: Any, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(step(0) + b"\n")
    finish(tmp_path)
    (tmp_path / "pid.json").write_text('{"attempt":2,"pid":1}\n')
    events = iter(event_tail(link, path))
    assert next(events).seq == 0
    time.sleep(1.3)
    with path.open("ab") as file:
        file.write(step(1) + b"\n")
    assert next(events).seq == 1
    finish(tmp_path, attempt=2)
    assert list(events) == []


def log_lines(link: Any, folder: Path) -> Iterator[str]:
    tail = RemoteTail(
        lambda: link,
        str(folder / "log.txt"),
        run_folder=str(folder),
        rotated=str(folder / "log.1.txt"),
        wait=no_wait,
    )
    for lines in tail.batches():
        for line in lines:
            yield line.data.decode()


def test_a_log_is_followed_across_its_rotation(link: Any, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("a\nb\n")
    lines = log_lines(link, tmp_path)
    assert [next(lines), next(lines)] == ["a", "b"]
    with log.open("a") as old:
        old.write("c\n")
        log.rename(tmp_path / "log.1.txt")
        log.write_text("d\n")
        old.write("late\n")
    finish(tmp_path)
    assert list(lines) == ["c", "late", "d"]


def test_a_truncated_log_is_read_from_its_new_beginning(link: Any, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("a\nb\nc\n")
    lines = log_lines(link, tmp_path)
    assert [next(lines) for _ in range(3)] == ["a", "b", "c"]
    log.write_text("")
    time.sleep(1.5)
    log.write_text("new\n")
    finish(tmp_path)
    assert list(lines) == ["new"]


def test_what_a_shell_prints_at_its_start_is_not_data(link: Any, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(step(0) + b"\n")
    finish(tmp_path)
    rc = tmp_path / "rc"
    rc.write_text('echo "Welcome to your GPU!"\n')
    link.env["ENV"] = str(rc)
    original = link.open_stream
    link.open_stream = lambda argv, **o: original(["sh", "-c", f'. {rc}; exec "$@"', "sh", *argv])
    assert [event.seq for event in event_tail(link, path)] == [0]


def test_a_refusing_server_is_not_asked_again() -> None:
    def refused() -> Any:
        raise Problem("remote.job.bad_run", ExitCode.REFUSED, run="x")

    with pytest.raises(Problem) as caught:
        list(RemoteTail(refused, "/x").batches())
    assert caught.value.exit_code is ExitCode.REFUSED


def test_closing_from_another_thread_ends_the_tail(link: Any, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("a\n")
    tail = RemoteTail(lambda: link, str(path), wait=no_wait)
    threading.Timer(0.5, tail.close).start()
    began = time.monotonic()
    assert [line.data for lines in tail.batches() for line in lines] == [b"a"]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"plain \xe5\xa3\xb0", "plain 声"),
        (b"\x1b[31mred\x1b[0m \x1b]0;title\x07x", "red x"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b" 10%|#   |\r 50%|##  |\r100%|####|", "100%|####|"),
        (b"ends with return\r", "ends with return"),
        (b"bell\x07 back\x08 nul\x00", "bell back nul"),
        (b"\xe2\x80\xaereversed", "reversed"),
        (b"bad \xff byte", "bad \ufffd byte"),
        (b"tab\tbed", "tab    bed"),
        (b"\xc2\x9b31mC1", "C1"),
    ],
)
def test_a_line_cannot_own_the_terminal(raw: bytes, shown: str) -> None:
    assert clean_line(raw) == shown


@given(st.binary(max_size=3000))
def test_no_line_holds_a_control_character(raw: bytes) -> None:
    shown = clean_line(raw)
    assert len(shown) <= tail_module.MAX_SHOWN_CHARS
    assert all(char.isprintable() or char.isspace() or ord(char) > 0xFF for char in shown)
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in shown)
    json.dumps(shown)
