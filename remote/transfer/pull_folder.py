"""A folder of the server brought home: many small files in few streams, large ones by range.

Every file is whole and verified, or absent; files that are here already are not fetched again.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from engine.contract.problem import ExitCode, Problem
from remote import local_names
from remote.transfer import server
from remote.transfer.bandwidth import Cap
from remote.transfer.channel import Connect, Link, Stream, cut, read_some
from remote.transfer.crew import Crew, Work
from remote.transfer.lane import Lane
from remote.transfer.part_file import SPARE, disk_errors, mib
from remote.transfer.patience import patiently
from remote.transfer.prefix_hash import file_digest
from remote.transfer.progress import Meter, Progress, Report
from remote.transfer.pull import pull
from remote.transfer.ramp import Ramp, first_guess
from remote.transfer.server import Wanted, plain_path
from remote.transfer.tuning import Tuning

# Beyond this a file goes by ranges, so that a cut inside it costs little.
LARGE = 8 << 20
BATCH_BYTES = 8 << 20
BATCH_FILES = 500
INCOMING = ".sovdeck-pull"
CHUNK = 1 << 20
# Prints the files named on its input one after the other; their sizes are known.
_SEND = 'cd -- "$1" && exec xargs -0 cat --'
_HELLO_ROUND_TRIPS = 9  # of a cold SSH connection


@dataclass(frozen=True)
class PulledFolder:
    """What came. `kept_files` were here already; `bytes` went over the line; `seconds` in all."""

    folder: Path
    files: int
    bytes: int
    kept_files: int
    seconds: float
    retries: int


@dataclass(frozen=True)
class Item:
    """One remote file and where it goes here."""

    wanted: Wanted
    local: Path


class Batches:
    """Small files that still have to come, shared by all connections."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._lock = threading.Lock()
        self._waiting = deque(items)
        self._out = 0

    def take(self) -> list[Item]:
        batch: list[Item] = []
        size = 0
        with self._lock:
            while self._waiting and size < BATCH_BYTES and len(batch) < BATCH_FILES:
                batch.append(self._waiting.popleft())
                size += batch[-1].wanted.size
            self._out += len(batch)
        return batch

    def settle(self, batch: list[Item], done: int) -> None:
        """The first `done` of a batch have come; the rest wait again."""
        with self._lock:
            self._out -= len(batch)
            self._waiting.extendleft(reversed(batch[done:]))

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    @property
    def over(self) -> bool:
        with self._lock:
            return not self._waiting and not self._out


class FolderSeat:
    """One connection that receives batches."""

    def __init__(
        self, link: Link, folder: str, batches: Batches, incoming: Path, meter: Meter, cap: Cap
    ) -> None:
        self.link = link
        self._folder = plain_path(folder)
        self._batches = batches
        self._incoming = incoming
        self._meter = meter
        self._cap = cap

    def work(self, lane: Lane) -> None:
        while not lane.leave.is_set() and (batch := self._batches.take()):
            self._done = 0
            try:
                self._receive(batch, lane)
            finally:
                lane.owe(False)
                self._batches.settle(batch, self._done)

    def _receive(self, batch: list[Item], lane: Lane) -> None:
        lane.owe(True)
        stream = self.link.open_stream(["sh", "-c", _SEND, "sovdeck", self._folder])
        try:
            names = [item.wanted.path.encode("utf-8", "surrogateescape") for item in batch]
            stream.write(b"".join(name + b"\0" for name in names))
            stream.close_write()
            rest = b""
            for item in batch:
                rest = self._one(stream, item, rest, lane)
                self._done += 1
        finally:
            stream.close()

    def _one(self, stream: Stream, item: Item, rest: bytes, lane: Lane) -> bytes:
        """Receive one file, given what was read beyond the one before; returns the new excess."""
        wanted = item.wanted
        fresh = self._incoming / wanted.sha256
        digest = hashlib.sha256()
        left = wanted.size
        with disk_errors(item.local), fresh.open("wb") as file:
            while left:
                data = rest or read_some(stream, CHUNK)
                if not data:
                    break
                lane.mark()
                part, rest = data[:left], data[left:]
                file.write(part)
                digest.update(part)
                left -= len(part)
                lane.leave.wait(self._cap.delay(len(part)))
        if left and stream.exit_code in (None, 255):
            raise cut()
        if left or digest.hexdigest() != wanted.sha256:  # since it was listed
            fresh.unlink()
            raise Problem("remote.transfer.changed", ExitCode.DATA, path=wanted.path)
        with disk_errors(item.local):
            item.local.parent.mkdir(parents=True, exist_ok=True)
            fresh.replace(item.local)
        self._meter.add(wanted.size)
        return rest

    def close(self) -> None:
        self.link.close()


def pull_folder(
    connect: Connect,
    remote_folder: str,
    dest: Path,
    *,
    report: Report,
    cancel: threading.Event,
    bandwidth: float | None = None,
    tuning: Tuning | None = None,
) -> PulledFolder:
    """Make `dest` hold every file of `remote_folder`; removes nothing here. Raises Problem.

    A call after an interruption fetches only what is not here yet.
    """
    tuning = tuning or Tuning()
    began = monotonic()
    meter, cap = Meter(), Cap(bandwidth)
    links: list[Link] = []

    def look() -> tuple[list[Wanted], float]:
        start = monotonic()
        links.append(connect())
        rtt = (monotonic() - start) / _HELLO_ROUND_TRIPS
        return server.listing(links[-1], remote_folder), rtt

    try:
        meter.phase = "compare"
        found, rtt = patiently(look, tuning, cancel, meter, limit=tuning.first_contact)
        items = [item for item in _placed(found, dest) if not _is_here(item)]
        need = sum(item.wanted.size for item in items)
        meter.total = need
        _expect_room(dest, need)
        small = [item for item in items if item.wanted.size <= LARGE]
        batches = Batches(small)
        incoming = dest / INCOMING
        with disk_errors(incoming):
            incoming.mkdir(parents=True, exist_ok=True)

        def open_seat() -> FolderSeat:
            return FolderSeat(connect(), remote_folder, batches, incoming, meter, cap)

        meter.phase = "receive"
        if small:
            size = sum(item.wanted.size for item in small)
            lanes = first_guess(rtt, size, tuning.most_connections)
            crew = Crew(open_seat, meter, report, cancel, tuning)
            crew.run(Work(lambda: batches.waiting, lambda: batches.over), Ramp(lanes, tuning))
        for item in items:
            if item.wanted.size > LARGE:
                _pull_large(connect, remote_folder, item, meter, report, cancel, bandwidth, tuning)
        shutil.rmtree(incoming, ignore_errors=True)  # only unfinished files are in it
    finally:
        for link in links:
            link.close()
    meter.phase = "done"
    report(meter.progress())
    kept = len(found) - len(items)
    return PulledFolder(dest, len(items), need, kept, monotonic() - began, meter.retries)


def _placed(found: list[Wanted], dest: Path) -> list[Item]:
    """Where each file goes; Problem for a name that leads elsewhere or meets another."""
    taken = local_names.TakenPaths()
    items = []
    for wanted in found:
        path = local_names.safe_path(wanted.path)
        if path is None or path.parts[0] == INCOMING or not taken.claim(path):
            shown = "".join(c if c.isprintable() else "?" for c in wanted.path)[:120]
            raise Problem("remote.transfer.bad_remote_path", ExitCode.DATA, path=shown)
        items.append(Item(wanted, dest / path))
    return items


def _is_here(item: Item) -> bool:
    local, wanted = item.local, item.wanted
    with disk_errors(local):
        same = local.is_file() and local.stat().st_size == wanted.size
        return same and file_digest(local) == wanted.sha256


def _expect_room(dest: Path, need: int) -> None:
    with disk_errors(dest):
        dest.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(dest).free
    if free < need + SPARE:
        raise Problem(
            "remote.transfer.no_space", ExitCode.DATA, path=str(dest), need=mib(need + SPARE),
            free=mib(free),
        )  # fmt: skip


def _pull_large(
    connect: Connect, folder: str, item: Item, meter: Meter, report: Report,
    cancel: threading.Event, bandwidth: float | None, tuning: Tuning,
) -> None:  # fmt: skip
    before = meter.progress().done

    def inner(progress: Progress) -> None:
        report(replace(progress, done=before + progress.done, total=meter.total))

    path = f"{folder.rstrip('/')}/{item.wanted.path}"
    done = pull(
        connect, path, item.local.parent, report=inner, cancel=cancel, bandwidth=bandwidth,
        name=item.local.name, tuning=tuning,
    )  # fmt: skip
    if done.sha256 != item.wanted.sha256:
        raise Problem("remote.transfer.changed", ExitCode.DATA, path=item.wanted.path)
    meter.add(item.wanted.size)
    meter.retries += done.retries
