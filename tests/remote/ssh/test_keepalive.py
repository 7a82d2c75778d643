"""Silence is death, except while a slow peer still acknowledges what it was sent."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import pytest
from servers import CutProxy, Place

from sovdeck.remote.ssh import keepalive
from sovdeck.remote.ssh.keepalive import KeepaliveMixin, unacknowledged_bytes


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class BarePacketizer:
    """What paramiko gives: a receive and a blocking write."""

    def __init__(self, sock: object) -> None:
        self.write: Callable[[bytes], None] = lambda out: None

    def read_message(self) -> str:
        return "message"

    def write_all(self, out: bytes) -> None:
        self.write(out)


class Wire(KeepaliveMixin, BarePacketizer):
    pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(keepalive, "time", clock)
    return clock


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The send queue, as the system would tell it: the last entry counts."""
    lengths: list[int | None] = [0]
    monkeypatch.setattr(keepalive, "unacknowledged_bytes", lambda sock: lengths[-1])
    return lengths


def watched(asked: list[float], clock: Clock) -> Wire:
    wire = Wire(object())
    wire.start_keepalive(1.0, 4.0, lambda: asked.append(clock.now))
    return wire


def wait(wire: Wire, clock: Clock, seconds: float) -> float | None:
    """Let time pass with nothing received; returns when the wire was given up."""
    end = clock.now + seconds
    while clock.now < end:
        clock.now += 0.5
        try:
            wire._check_keepalive()
        except EOFError:
            return clock.now
    return None


def test_a_silent_peer_is_asked_once_and_given_up(clock: Clock, queue: list[int | None]) -> None:
    asked: list[float] = []
    wire = watched(asked, clock)
    assert wait(wire, clock, 20) == 104.0
    assert asked == [101.0] and "no sign of life for 4 s" in str(wire.failure)


def test_any_packet_is_a_sign_of_life(clock: Clock, queue: list[int | None]) -> None:
    asked: list[float] = []
    wire = watched(asked, clock)
    for _ in range(10):
        assert wait(wire, clock, 3.5) is None
        wire.read_message()
    assert len(asked) == 10


def test_an_upload_that_drains_is_alive(clock: Clock, queue: list[int | None]) -> None:
    asked: list[float] = []
    wire = watched(asked, clock)
    queue.append(4_000_000)

    def blocked(out: bytes) -> None:
        # Linux wakes a writer only when a third of the buffer is free: many seconds at 50 kB/s.
        for left in range(3_900_000, 2_600_000, -25_000):
            queue.append(left)
            assert wait(wire, clock, 0.5) is None

    wire.write = blocked
    wire.write_all(b"x" * 32768)
    assert asked == []
    # Nothing more to write, but the question now waits behind megabytes.
    for left in range(2_600_000, 0, -100_000):
        queue.append(left)
        assert wait(wire, clock, 2.0) is None
    assert len(asked) == 1


def test_an_upload_that_stands_still_is_dead(clock: Clock, queue: list[int | None]) -> None:
    wire = watched([], clock)
    queue.append(4_000_000)
    ended: list[float | None] = []
    wire.write = lambda out: ended.append(wait(wire, clock, 20))
    wire.write_all(b"x" * 32768)
    assert ended == [104.0]


def test_without_a_known_queue_an_upload_gets_more_time(
    clock: Clock, queue: list[int | None]
) -> None:
    queue.append(None)
    wire = watched([], clock)
    ended: list[float | None] = []
    wire.write = lambda out: ended.append(wait(wire, clock, 30))
    wire.write_all(b"x" * 32768)
    assert ended == [110.0]  # ten seconds of doubt; then the write is no recent one any more
    wire = watched([], clock)
    begun = clock.now
    assert wait(wire, clock, 30) == begun + 4.0


def test_the_system_tells_its_queue() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        assert unacknowledged_bytes(near) in (0, None)
        near.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):  # the buffers are full
            while True:
                sent += near.send(b"x" * 65536)
        full = unacknowledged_bytes(near)
        if full is None:
            pytest.skip("this system does not tell the length of its send queue")
        assert 0 < full <= sent
        deadline = time.monotonic() + 60
        while unacknowledged_bytes(near) == full and time.monotonic() < deadline:
            far.recv(1 << 20)
        assert unacknowledged_bytes(near) != full
    assert unacknowledged_bytes(object()) is None and unacknowledged_bytes(near) is None


def test_a_slow_upload_is_not_cut(embedded: Place, cut_proxy: Callable[[Place], CutProxy]) -> None:
    """60 kB/s towards the server, far slower than the buffers between are deep."""
    proxy = cut_proxy(embedded)
    proxy.bytes_per_second = 60_000
    with embedded.through(proxy).connect() as link:
        stream = link.open_stream(["sh", "-c", "cat > /dev/null; echo whole"])
        data = b"x" * 300_000
        writer = threading.Thread(target=lambda: (stream.write(data), stream.close_write()))
        begun = time.monotonic()
        writer.start()
        assert stream.read() == b"whole\n"
        assert time.monotonic() - begun > 5.0
        writer.join()
