"""Local files brought to a folder of the server: only what is missing there goes up."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

from engine.contract.problem import ExitCode, Problem
from remote.transfer import server
from remote.transfer.bandwidth import Cap
from remote.transfer.cargo import BATCH_BYTES, NEAR_BATCH, SMALL, Cargo, Content, LargeFile
from remote.transfer.channel import Connect, Link
from remote.transfer.crew import Crew, Work
from remote.transfer.patience import cancelled, patiently
from remote.transfer.prefix_hash import block_digests, file_digest
from remote.transfer.progress import Meter, Report
from remote.transfer.ramp import NEAR, Ramp, first_guess, worth_carrying
from remote.transfer.ranges import Range, RangeQueue
from remote.transfer.server import STAGING, Held, Wanted
from remote.transfer.tuning import Tuning
from remote.transfer.upload_seats import Hold, UploadSeat

REPAIRS = 3
STRIDE = 64
KEPT = 32 << 20  # bytes of small files held in memory between hashing and sending
T = TypeVar("T")


@dataclass(frozen=True)
class Pushed:
    """What a push did. `kept_files` stood there already; `seconds` in all.

    `sent_bytes` counts file content that went over the line, staged parts of earlier pushes not.
    """

    sent_files: int
    sent_bytes: int
    kept_files: int
    seconds: float
    way: str
    retries: int


def push(
    connect: Connect,
    local_files: Mapping[str, Path],
    remote_folder: str,
    *,
    report: Report,
    cancel: threading.Event,
    bandwidth: float | None = None,
    tuning: Tuning | None = None,
) -> Pushed:
    """Make every `remote_folder/KEY` hold the content of its local file; deletes nothing there.

    Keys are relative paths with forward slashes. A file appears under its name only whole and
    verified on the server. Raises Problem; what arrived stays staged, and the next call goes on.
    """
    one = _Push(connect, remote_folder, report, cancel, tuning or Tuning(), Cap(bandwidth))
    try:
        return one.run(local_files)
    finally:
        one.close()


class _Push:
    """The state of one call of `push`."""

    def __init__(
        self, connect: Connect, folder: str, report: Report, cancel: threading.Event,
        tuning: Tuning, cap: Cap,
    ) -> None:  # fmt: skip
        self._connect = connect
        self._folder = folder
        self._report = report
        self._cancel = cancel
        self._tuning = tuning
        self._cap = cap
        self._meter = Meter()
        self._link: Link | None = None
        self._ready: deque[UploadSeat] = deque()
        self._hold: Hold | None = None
        self._limit = tuning.first_contact
        self._kept = 0

    def run(self, local_files: Mapping[str, Path]) -> Pushed:
        began = monotonic()
        self._meter.phase = "hash"
        wanted, contents = self._read(local_files)
        todo = wanted
        kept = 0
        for turn in range(REPAIRS + 1):
            self._meter.phase = "compare"
            block = self._tuning.block
            held = self._ask(partial(server.have, folder=self._folder, wanted=todo, block=block))
            todo, held = _absent(todo, held)
            kept = len(wanted) - len(todo) if turn == 0 else kept
            if todo:
                self._send(todo, held, contents, first=turn == 0)
                self._meter.phase = "verify"
                bad = self._ask(partial(server.place, folder=self._folder, wanted=todo))
                todo = [item for number, item in enumerate(todo) if number in bad]
            if not todo:
                self._meter.phase, self._meter.held = "done", self._meter.total
                self._report(self._meter.progress())
                return Pushed(
                    len(wanted) - kept, self._meter.moved, kept, monotonic() - began,
                    self._meter.way, self._meter.retries,
                )  # fmt: skip
        raise Problem("remote.transfer.mismatch_up", ExitCode.DATA, path=todo[0].path)

    def _read(self, local_files: Mapping[str, Path]) -> tuple[list[Wanted], dict[str, Content]]:
        """Hash every local file while the line is dialled. Hashing leaves the interpreter free."""
        paths = sorted(local_files)
        for path in paths:
            _check_path(path)

        def content(path: str) -> Content:
            if self._cancel.is_set():
                raise cancelled()
            local = local_files[path]
            try:
                return self._content(local)
            except OSError as error:
                why = error.strerror or str(error)
                raise Problem(
                    "remote.transfer.cannot_read", ExitCode.DATA, path=str(local), why=why
                ) from error

        # In strides: handing over each of thousands of small files would cost more than its hash.
        strides = [paths[at : at + STRIDE] for at in range(0, len(paths), STRIDE)]
        pool = ThreadPoolExecutor(2, thread_name_prefix="transfer-hash")
        try:
            coming = pool.map(lambda stride: [content(path) for path in stride], strides)
            self._ask(self._expect)
            found = [content for stride in coming for content in stride]
        finally:
            pool.shutdown(cancel_futures=True)
        wanted = [Wanted(p, c.size, c.sha256) for p, c in zip(paths, found, strict=True)]
        return wanted, {content.sha256: content for content in found}

    def _content(self, local: Path) -> Content:
        """Size and hash; the bytes too while few are held, so that they are read once."""
        size = local.stat().st_size
        if size > SMALL or self._kept > KEPT:
            return Content(local, size, file_digest(local))
        data = local.read_bytes()
        self._kept += len(data)
        return Content(local, len(data), hashlib.sha256(data).hexdigest(), data)

    def _expect(self, link: Link) -> None:
        """On a near line, what takes longest is the start of the programs there."""
        if link.rtt < NEAR:
            for verb in server.verbs_of_push(self._folder, self._tuning.block):
                link.expect(verb)

    def _send(
        self, todo: list[Wanted], held: list[Held], contents: Mapping[str, Content], *, first: bool
    ) -> None:
        by_content = {
            item.sha256: has for item, has in zip(todo, held, strict=True) if not has.staged
        }
        sizes = [contents[sha256].size for sha256 in by_content]
        if not sizes:
            return
        seat = self._ask(partial(self._first_seat, sizes=sizes))
        self._ready.append(seat)
        self._meter.phase, self._meter.way = "send", seat.way
        small, large = [], []
        left = 0
        for sha256, has in by_content.items():
            content = contents[sha256]
            if content.size <= SMALL:
                small.append(content)
                left += content.size
            else:
                lease = content.size if seat.carries(content.size) else self._tuning.lease
                queue = RangeQueue(self._missing(content, has), lease)
                large.append(LargeFile(content, queue))
                left += queue.left
        if first:
            self._meter.total = left
        near = seat.link.rtt < NEAR
        cargo = Cargo(small, large, NEAR_BATCH if near else BATCH_BYTES)
        self._hold = Hold(self._folder, cargo, self._meter.add, self._cap, self._tuning)
        lanes = first_guess(seat.link.rtt, left, self._tuning.most_connections)
        crew = Crew(self._open_seat, self._meter, self._report, self._cancel, self._tuning)
        crew.run(Work(lambda: cargo.waiting, lambda: cargo.over), Ramp(lanes, self._tuning))

    def _first_seat(self, link: Link, sizes: list[int]) -> UploadSeat:
        """A seat on the standing link for contents of `sizes` bytes."""
        seat = UploadSeat(link)
        seat.keeps_link = True
        if self._cap.open and worth_carrying(link.rtt, max(sizes)):
            seat.carrier = link.carrier()
        if any(size > SMALL and not seat.carries(size) for size in sizes):
            seat.open_session(self._tuning)
        return seat

    def _missing(self, content: Content, has: Held) -> list[Range]:
        """Blocks of a large file that are not staged, or not right."""
        if not has.blocks:
            return [(0, content.size)]
        block = self._tuning.block
        ours = block_digests(content.local, block)
        there = dict(has.blocks)
        return [
            (n * block, min(content.size, (n + 1) * block))
            for n, digest in enumerate(ours)
            if there.get(n) != digest
        ]

    def _open_seat(self) -> UploadSeat:
        if self._ready:
            seat = self._ready.popleft()
        else:
            link = self._connect()
            try:
                seat = UploadSeat(link)
                seat.open_session(self._tuning)
            except BaseException:
                link.close()
                raise
        seat.hold = self._hold
        return seat

    def _ask(self, question: Callable[[Link], T]) -> T:
        """Ask over the standing link; over a new one when that is lost."""

        def once() -> T:
            if self._link is None:
                self._link = self._connect()
            try:
                return question(self._link)
            except Problem:
                self._link.close()
                self._link = None
                raise

        self._report(self._meter.progress())
        answer = patiently(once, self._tuning, self._cancel, self._meter, limit=self._limit)
        self._limit = self._tuning.give_up
        return answer

    def close(self) -> None:
        if self._link is not None:
            self._link.close()


def _absent(todo: list[Wanted], held: Iterable[Held]) -> tuple[list[Wanted], list[Held]]:
    pairs = [(item, has) for item, has in zip(todo, held, strict=True) if not has.present]
    return [item for item, _ in pairs], [has for _, has in pairs]


def _check_path(path: str) -> None:
    """A key is a relative path of plain parts that the server's shell tools take as they are."""
    parts = path.split("/")
    bad = any(part in ("", ".", "..", STAGING) for part in parts)
    if bad or "\\" in path or any(ord(c) < 32 or ord(c) == 127 for c in path):
        shown = "".join(c if c.isprintable() else "?" for c in path)
        raise Problem("remote.transfer.bad_path", ExitCode.CONFIG, path=shown)
