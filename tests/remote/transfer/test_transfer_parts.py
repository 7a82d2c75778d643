"""The pure parts of a transfer: range sets, queue, journal, ramp, packets, meter, cap."""

from __future__ import annotations

import itertools
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.transfer.core import part_journal
from sovdeck.remote.transfer.core.batch_queue import fair_batch
from sovdeck.remote.transfer.core.concurrency import connections_for
from sovdeck.remote.transfer.core.part_journal import JournalRecord, PartJournal, RemoteFile
from sovdeck.remote.transfer.core.progress import TransferMeter
from sovdeck.remote.transfer.core.ranges import RangeQueue, RangeSet
from sovdeck.remote.transfer.core.rate_limit import RateLimiter
from sovdeck.remote.transfer.core.tuning import MIN_BATCH_BYTES
from sovdeck.remote.transfer.sftp import packets
from sovdeck.remote.transfer.sftp.session import SftpSession

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12)


def members(ranges: RangeSet) -> set[int]:
    return {n for start, end in ranges for n in range(start, end)}


@given(RANGES, RANGES)
def test_a_range_set_is_a_set(add: list[tuple[int, int]], remove: list[tuple[int, int]]) -> None:
    ranges, model = RangeSet(), set()
    for start, end in add:
        ranges.add(start, end)
        model |= set(range(start, end))
    for start, end in remove:
        ranges.remove(start, end)
        model -= set(range(start, end))
    assert members(ranges) == model and ranges.size == len(model)
    pairs = list(ranges)
    assert all(a < b for a, b in pairs)
    assert all(b < c for (_, b), (c, _) in itertools.pairwise(pairs))  # they do not touch
    missing = {n for start, end in ranges.gaps(70) for n in range(start, end)}
    assert missing == set(range(70)) - model
    assert ranges.prefix() == next(n for n in itertools.count() if n not in model)


@given(RANGES, st.integers(1, 20), st.lists(st.booleans(), max_size=40))
def test_a_queue_hands_out_every_byte_once(
    ranges: list[tuple[int, int]], lease: int, fails: list[bool]
) -> None:
    want = members(RangeSet(ranges))
    queue = RangeQueue(((a, b) for a, b in ranges if a < b), lease)
    got: list[int] = []
    fate = iter(fails)
    while (taken := queue.take()) is not None:
        start, end = taken
        assert 0 < end - start <= lease and queue.left > 0
        middle = (start + end) // 2 if next(fate, False) else end
        got += range(start, middle)
        queue.done(start, middle)
        kept = next((n for n in sorted(want) if n not in got), 99)
        assert queue.moved_before(99) <= kept
        queue.give_back([(middle, end)] if middle < end else [])
        if middle == start and not next(fate, False):
            fate = iter(())
    assert sorted(got) == sorted(want) and queue.left == 0 and queue.moved_before(99) == 99


@given(st.integers(0, 1 << 34), st.integers(1, 16), st.integers(1 << 20, 1 << 27))
def test_every_connection_gets_as_many_batches(size: int, connections: int, most: int) -> None:
    batch = fair_batch(size, connections, most)
    assert MIN_BATCH_BYTES <= batch <= most + 1
    batches = -(-size // batch)
    assert batches <= connections * -(-size // (connections * most))
    if batch > MIN_BATCH_BYTES:  # none has more than one less than another
        assert batches > connections * (-(-size // (connections * most)) - 1)


@given(RANGES, st.none() | st.just("ab" * 32), st.data())
@settings(max_examples=60)
def test_a_journal_torn_at_any_byte_never_claims_too_much(
    tmp_path_factory: pytest.TempPathFactory,
    ranges: list[tuple[int, int]],
    sha256: str | None,
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    identity = RemoteFile("packs/声 \n.zip", 60, 5)
    one = PartJournal(path, JournalRecord(identity, RangeSet([(0, 3)]), None))
    for pair in ranges:
        one.add(RangeSet([pair]))
    if sha256:
        one.add_sha256(sha256)
    one.close()
    whole = path.read_bytes()
    assert part_journal.read_journal(path) == JournalRecord(
        identity, RangeSet([(0, 3), *ranges]), sha256
    )
    head = whole.index(b"\n")
    cut = data.draw(st.integers(0, len(whole)))
    torn = whole[:cut]
    if cut >= head and data.draw(st.booleans()):
        torn += b"\n4 5;"  # a later writer goes on after the torn line
    path.write_bytes(torn)
    record = part_journal.read_journal(path)
    if record is not None:
        assert members(record.ranges) <= members(RangeSet([(0, 3), (4, 5), *ranges]))
    assert (record is not None) == (cut >= head)


@given(st.binary(max_size=200))
def test_no_bytes_are_a_dangerous_journal(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.journal"
    path.write_bytes(junk)
    record = part_journal.read_journal(path)
    assert record is None or record.ranges.size <= record.identity.size


@pytest.mark.parametrize(
    ("rtt", "size", "chosen", "connections"),
    [
        (0.0002, 1 << 30, 0, 1),
        (0.05, 1 << 30, 0, 4),
        (0.2, 1 << 30, 0, 8),
        (0.2, 9 << 20, 0, 3),
        (0.2, 10, 0, 1),
        (0.2, 1 << 30, 2, 2),
        (0.0002, 1 << 30, 5, 5),
        (0.2, 9 << 20, 5, 3),
        (0.2, 0, 0, 1),
    ],
)
def test_connections_follow_distance_and_size_or_who_chose_them(
    rtt: float, size: int, chosen: int, connections: int
) -> None:
    assert connections_for(rtt, size, chosen) == connections


def test_progress_has_speed_and_time_left() -> None:
    now = [0.0]
    meter = TransferMeter(lambda: now[0])
    meter.total, meter.already_there = 1100, 100
    assert meter.progress().eta_s is None
    for _ in range(4):
        now[0] += 1
        meter.add(100)
        meter.progress()
    seen = meter.progress()
    assert seen.done == 500 and seen.bytes_per_second == pytest.approx(100)
    assert seen.eta_s == pytest.approx(6)
    now[0] += 60
    assert meter.progress().bytes_per_second < 100
    meter.add(9999)
    assert meter.progress().done == 1100 and meter.progress().eta_s == 0


def test_a_cap_spreads_bytes_over_time() -> None:
    now = [0.0]
    cap = RateLimiter(100.0, lambda: now[0])
    moved = 0
    while now[0] < 50:
        moved += 10
        now[0] += cap.delay(10)
    assert 5000 <= moved <= 5200
    assert RateLimiter(None).delay(1 << 40) == 0.0
    assert (RateLimiter(100.0).inflight(1000, 10), RateLimiter(5.0).inflight(1000, 10)) == (100, 10)


class Tape:
    """A server that says fixed bytes."""

    exit_code: int | None = None

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, n: int = 65536) -> bytes:
        part, self.data = self.data[:7], self.data[7:]
        return part

    def write(self, data: bytes) -> None:
        pass

    def close_write(self) -> None:
        pass

    def close(self) -> None:
        pass


HELLO = packets.request(
    packets.VERSION, 3, packets.string(b"limits@openssh.com") + packets.string(b"1")
)


@given(st.binary(max_size=120), st.booleans())
@settings(max_examples=300)
def test_no_bytes_of_a_server_crash_the_session(junk: bytes, hello: bool) -> None:
    with pytest.raises(Problem) as caught:
        session = SftpSession(Tape(HELLO * hello + junk))
        session.close_file(b"h")
        session.open("x", packets.FOR_READING)
    assert caught.value.exit_code in (3, 6)


def test_a_server_that_promises_a_huge_packet_is_refused_at_once() -> None:
    with pytest.raises(Problem, match="packet of 4294967295 bytes"):
        session = SftpSession(Tape(HELLO + b"\xff" * 9))
        session.open("x", packets.FOR_READING)


def test_a_server_that_never_says_hello_is_given_up() -> None:
    """What a login shell prints before is skipped, within a bound."""
    with pytest.raises(Problem, match="without an answer to hello"):
        SftpSession(Tape(b"\xff" * (1 << 20))).receive_version()


def test_a_close_goes_with_the_next_open_and_a_refusal_of_it_is_said() -> None:
    def status(number: int, code: int) -> bytes:
        return packets.request(packets.STATUS, number, code.to_bytes(4, "big"))

    def opened(number: int) -> bytes:
        nothing = packets.request(packets.ATTRS, number + 1, bytes(4))
        return packets.request(packets.HANDLE, number, packets.string(b"h")) + nothing

    first = opened(1) + status(3, 8)
    session = SftpSession(Tape(HELLO + first + status(4, 0) + opened(5) + status(7, 8)))
    session.close_file(session.open("x", packets.FOR_WRITING)[0])
    session.open("y", packets.FOR_WRITING)
    session = SftpSession(Tape(HELLO + first + status(4, 4) + opened(5) + status(7, 8)))
    session.close_file(session.open("x", packets.FOR_WRITING)[0])
    with pytest.raises(Problem, match="status 4"):
        session.open("y", packets.FOR_WRITING)


def test_payload_sizes_are_the_servers_within_ours() -> None:
    def limits(longest_read: int) -> tuple[int, int]:
        body = b"".join(n.to_bytes(8, "big") for n in (262144, longest_read, 0, 0))
        return packets.PacketReader(body).payload_limits()

    assert limits(261120) == (261120, packets.DEFAULT_PAYLOAD)
    assert limits(1 << 40) == (packets.MAX_PAYLOAD, packets.DEFAULT_PAYLOAD)


def test_statuses_without_words_are_understood() -> None:
    def problem(code: int, words: bytes) -> Problem | None:
        body = code.to_bytes(4, "big") + words
        return packets.PacketReader(body).status_problem("x")

    assert problem(packets.OK, b"") is None
    refusals = [problem(3, b""), problem(4, packets.string(b"a\x1b[31mb")), problem(4, b"")]
    assert [one.facts.get("why") for one in refusals if one] == [None, "a[31mb", "status 4"]


def test_a_queue_is_shared_safely() -> None:
    queue = RangeQueue([(0, 100_000)], 7)
    counts: list[int] = []

    def work() -> None:
        while (taken := queue.take()) is not None:
            counts.append(taken[1] - taken[0])
            queue.done(*taken)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 100_000 and queue.left == 0
