"""Quick ways to a near server that are tried once; where one fails, the usual way goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from remote.transfer.agent_call import argv, plain_path
from remote.transfer.agent_staging import Wanted, placed
from remote.transfer.cargo import PIECE, Content
from remote.transfer.channel import Carrier, Stream, cut, read_some
from remote.transfer.content_tar import END, changed_here, pieces
from remote.transfer.lane import Lane
from remote.transfer.local_contents import reading


class TrialSeat:
    """A seat that works once, whatever comes of it. Its own faults are never the transfer's."""

    begun = False
    over = False

    def work(self, lane: Lane) -> None:
        self.begun = True
        lane.owe(True)
        try:
            self._work(lane)
        except Problem as problem:
            if problem.exit_code is ExitCode.INTERNAL:  # the program there has ended
                raise cut() from problem
            raise
        finally:
            lane.owe(False)
            self.over = True

    def _work(self, lane: Lane) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class PourSeat(TrialSeat):
    """Small files for a folder that is empty: one stream, each sent as soon as it is hashed.

    `stream` is one of `agent_staging.poured`. `done`: paths that stand in their place.
    """

    def __init__(
        self, stream: Stream, coming: Iterable[tuple[str, Content]], moved: Callable[[int], None]
    ) -> None:
        self._stream = stream
        self._coming = coming
        self._moved = moved
        self.done: set[str] = set()

    def _work(self, lane: Lane) -> None:
        wanted: list[Wanted] = []
        for piece in pieces(self._fresh(wanted), self._moved):
            self._stream.write(piece)
            lane.mark()
            if lane.leave.is_set():
                return
        records = b"".join(item.line() for item in wanted)
        self._stream.write(END + b"%d\n" % len(wanted) + records)
        lane.owe(False)  # how long its disk takes is not the line's fault
        answer = ended(self._stream)
        numbers = placed(answer, len(wanted))
        self.done = {item.path for number, item in enumerate(wanted) if number in numbers}

    def _fresh(self, wanted: list[Wanted]) -> Iterator[Content]:
        """Each content once; every file is noted in `wanted`."""
        sent: set[str] = set()
        for path, content in self._coming:
            wanted.append(Wanted(path, content.size, content.sha256))
            if content.sha256 not in sent:
                sent.add(content.sha256)
                yield content

    def close(self) -> None:
        self._stream.close()


@dataclass
class Freight:
    """One large file. `name`: what it is staged as; `sha256` (hex) once all of it is there."""

    path: str
    local: Path
    size: int
    name: str
    sha256: str | None = None


class FreightSeat(TrialSeat):
    """Large files, each one stream of the system's ssh, hashed while it goes."""

    def __init__(
        self, carrier: Carrier, folder: str, freight: Sequence[Freight],
        moved: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._carrier = carrier
        self._folder = plain_path(folder)
        self._freight = freight
        self._moved = moved

    def _work(self, lane: Lane) -> None:
        for one in self._freight:
            if lane.leave.is_set():
                return
            self._carry(one, lane)

    def _carry(self, one: Freight, lane: Lane) -> None:
        digest, left = hashlib.sha256(), one.size
        stream = self._carrier.open_stream(argv("keep", self._folder, one.name, "0"))
        with reading(), one.local.open("rb", buffering=0) as file:
            while left:
                data = file.read(min(PIECE, left))
                if not data:
                    raise changed_here(one.local)
                stream.write(data)
                digest.update(data)
                left -= len(data)
                self._moved(len(data))
                lane.mark()
        ended(stream)
        one.sha256 = digest.hexdigest()

    def close(self) -> None:
        self._carrier.close()


def ended(stream: Stream) -> bytes:
    """End the input; all that the program says. Why it fails is said on the usual way."""
    stream.close_write()
    answer = b"".join(iter(lambda: read_some(stream, PIECE), b""))
    if stream.exit_code:
        raise cut()
    return answer
