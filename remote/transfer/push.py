"""Local files brought to a folder of the server: only what is missing there goes up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

from engine.contract.problem import ExitCode, Problem
from remote.transfer import agent_staging
from remote.transfer.agent_staging import STAGING, Held, Wanted
from remote.transfer.bandwidth import Cap
from remote.transfer.cargo import (
    BATCH_BYTES,
    BATCH_FILES,
    NEAR_BATCH,
    SMALL,
    Cargo,
    Content,
    LargeFile,
)
from remote.transfer.channel import Connect, Link
from remote.transfer.crew import Crew, Work
from remote.transfer.local_contents import beginning, hashing, sizes
from remote.transfer.patience import patiently
from remote.transfer.prefix_hash import block_digests
from remote.transfer.progress import Meter, Report
from remote.transfer.ramp import LEAST_CARRIED, NEAR, Ramp, first_guess
from remote.transfer.ranges import Range, RangeQueue
from remote.transfer.trial_seats import Freight, FreightSeat, PourSeat, TrialSeat
from remote.transfer.tuning import Tuning
from remote.transfer.upload_seats import Hold, UploadSeat

REPAIRS = 3
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

    def run(self, local_files: Mapping[str, Path]) -> Pushed:
        began = monotonic()
        for path in local_files:
            _check_path(path)
        self._meter.phase = "hash"
        wanted, found, done = self._look(local_files)
        todo, kept = [item for item in wanted if item.path not in done], 0
        for turn in range(REPAIRS + 1):
            if todo:
                self._meter.phase = "compare"
                block = self._tuning.block
                have = partial(agent_staging.have, folder=self._folder, wanted=todo, block=block)
                todo, held = _absent(todo, self._ask(have))
            if turn == 0:
                kept = len(wanted) - len(done) - len(todo)
            if todo:
                self._send(todo, held, found)
                self._meter.phase = "verify"
                bad = self._ask(partial(agent_staging.place, folder=self._folder, wanted=todo))
                todo = [item for number, item in enumerate(todo) if number in bad]
            if not todo:
                self._meter.phase, self._meter.held = "done", self._meter.total
                self._report(self._meter.progress())
                return Pushed(
                    len(wanted) - kept, self._meter.moved, kept, monotonic() - began,
                    self._meter.way, self._meter.retries,
                )  # fmt: skip
        raise Problem("remote.transfer.mismatch_up", ExitCode.DATA, path=todo[0].path)

    def _look(
        self, local_files: Mapping[str, Path]
    ) -> tuple[list[Wanted], dict[str, Content], set[str]]:
        """What is here, by path and by SHA-256, and the paths that have arrived meanwhile.

        Where a near server has nothing yet, files go there while they are hashed.
        """
        sized = sizes(local_files)
        heavy = [path for path, size in sized.items() if size >= LEAST_CARRIED]
        light = {path: size for path, size in sized.items() if size < LEAST_CARRIED}
        found: dict[str, Content] = {}
        with hashing(local_files, light, self._cancel) as coming:
            pours = self._cap.open and _fits_one_stream(sized.values())
            total = sum(sized.values())
            done = self._pour(_noting(coming, found), total) if pours else set()
            if not done:
                self._ask(self._expect if not heavy else lambda link: None)
            found.update(_kept(coming))
        names = {path: beginning(local_files[path], path, sized[path]) for path in heavy}
        freight = [Freight(path, local_files[path], sized[path], names[path]) for path in heavy]
        self._send_freight(freight)
        sent = {one.path: Content(one.local, one.size, one.sha256) for one in freight if one.sha256}
        rest = {path: sized[path] for path in heavy if path not in sent}
        with hashing(local_files, rest, self._cancel) as coming:
            found |= {**sent, **dict(_kept(coming))}
        wanted = [
            Wanted(path, found[path].size, found[path].sha256, names.get(path, ""))
            for path in sized
        ]
        if sent:
            gone = [item for item in wanted if item.path in sent]
            bad = self._ask(partial(agent_staging.place, folder=self._folder, wanted=gone))
            done |= {item.path for number, item in enumerate(gone) if number not in bad}
        return wanted, {content.sha256: content for content in found.values()}, done

    def _expect(self, link: Link) -> None:
        """On a near line, what takes longest is the start of the programs there."""
        if link.rtt < NEAR:
            for verb in agent_staging.verbs_of_push(self._folder, self._tuning.block):
                link.expect(verb)

    def _pour(self, coming: Iterator[tuple[str, Content]], total: int) -> set[str]:
        """Small files into a near folder that is empty; the paths that stand there then."""
        near = partial(agent_staging.poured, folder=self._folder)
        stream = self._ask(lambda link: near(link) if link.rtt < NEAR else None)
        if stream is None:
            return set()
        self._meter.total = total
        seat = PourSeat(stream, coming, self._meter.add)
        self._try(seat)
        return seat.done

    def _send_freight(self, freight: Sequence[Freight]) -> None:
        """Large files of which a near server has nothing yet, through the system's ssh."""
        if not freight or not self._cap.open:
            return
        carrier = self._ask(lambda link: link.carrier() if link.rtt < NEAR else None)
        if carrier is None:
            return
        sized = {one.path: one.size for one in freight}
        fresh = self._ask(partial(agent_staging.untouched, folder=self._folder, sized=sized))
        todo = [one for one in freight if one.path in fresh]
        self._meter.total += sum(one.size for one in todo)
        self._try(FreightSeat(carrier, self._folder, todo, self._meter.add))

    def _try(self, seat: TrialSeat) -> None:
        alone = replace(self._tuning, most_connections=1)
        crew = Crew(lambda: seat, self._meter, self._report, self._cancel, alone)
        self._meter.phase = "send"
        try:
            crew.run(Work(lambda: not seat.begun, lambda: seat.over), Ramp(1, alone))
        finally:
            seat.close()

    def _send(self, missing: list[Wanted], held: list[Held], found: Mapping[str, Content]) -> None:
        """Send contents that are not staged yet."""
        by_content = {
            item.sha256: has for item, has in zip(missing, held, strict=True) if not has.staged
        }
        if not by_content:
            return
        most = max(found[sha256].size for sha256 in by_content)
        seat = self._ask(partial(self._first_seat, ranges=most > SMALL))
        self._ready.append(seat)
        self._meter.phase, self._meter.way = "send", seat.way
        small, large = [], []
        left = 0
        for sha256, has in by_content.items():
            content = found[sha256]
            if content.size <= SMALL:
                small.append(content)
                left += content.size
            else:
                queue = RangeQueue(self._missing(content, has), self._tuning.lease)
                large.append(LargeFile(content, queue))
                left += queue.left
        self._meter.total = max(self._meter.total, self._meter.moved + left)
        near = seat.link.rtt < NEAR
        cargo = Cargo(small, large, NEAR_BATCH if near else BATCH_BYTES)
        self._hold = Hold(self._folder, cargo, self._meter.add, self._cap, self._tuning)
        lanes = first_guess(seat.link.rtt, left, self._tuning.most_connections)
        crew = Crew(self._open_seat, self._meter, self._report, self._cancel, self._tuning)
        crew.run(Work(lambda: cargo.waiting, lambda: cargo.over), Ramp(lanes, self._tuning))

    def _first_seat(self, link: Link, ranges: bool) -> UploadSeat:
        """A seat on the standing link; `ranges`: for large files too."""
        seat = UploadSeat(link)
        seat.keeps_link = True
        if ranges:
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


def _fits_one_stream(file_sizes: Collection[int]) -> bool:
    few = 0 < len(file_sizes) <= BATCH_FILES and sum(file_sizes) <= NEAR_BATCH
    return few and max(file_sizes) <= SMALL


def _noting(
    coming: Iterator[tuple[str, Content]], found: dict[str, Content]
) -> Iterator[tuple[str, Content]]:
    """The same, and each is put into `found` as it passes, where its bytes do not stay."""
    for path, content in coming:
        found[path] = content.without_data()
        yield path, content


def _kept(coming: Iterator[tuple[str, Content]]) -> Iterator[tuple[str, Content]]:
    """The same, with the bytes of only so many as may stay in memory."""
    size = 0
    for path, content in coming:
        size += len(content.data or b"")
        yield path, content if size <= KEPT else content.without_data()


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
