"""Reads a growing file on a server so that no line is lost or doubled, whatever the link does.

The reader's place is a byte offset after the last complete line it gave out, with the file's
inode. After a cut it asks from there again. A line that is not complete yet is not given out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.contract import events
from engine.contract.events import Event
from engine.contract.problem import ExitCode, Problem
from remote.agent import script
from remote.link import Stream
from remote.listener import LinkSource, Listener, retry_wait

# A longer line is cut: nothing may fill the laptop's memory from a server.
MAX_LINE = 1 << 20
MAX_SHOWN = 2000
_HEADER = b"sovdeck-stream-1 "
_NOISE_LIMIT = 1 << 16  # what a server's shell start-up files may print before our header
_NEXT_FILE, _RUN_OVER, _CHANGED = 3, 4, 5


@dataclass(frozen=True)
class Line:
    """One line without its newline; `start` and `end` are byte offsets, `end` after the newline."""

    data: bytes
    start: int
    end: int


class LineAssembler:
    """Cuts arriving bytes into complete lines; `offset` is where the next line begins."""

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self._rest = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> tuple[Line, ...]:
        *complete, rest = data.split(b"\n")
        lines = []
        for piece in complete:
            self._keep(piece)
            end = self.offset + len(self._rest) + self._dropped + 1
            lines.append(Line(bytes(self._rest), self.offset, end))
            self.offset = end
            self._rest.clear()
            self._dropped = 0
        self._keep(rest)
        return tuple(lines)

    def _keep(self, piece: bytes) -> None:
        room = MAX_LINE - len(self._rest)
        self._rest += piece[:room]
        self._dropped += max(0, len(piece) - room)


class Tail:
    """Follows one file. Iterate `batches()` in one thread; `close()` may come from any.

    run_folder: ends by itself once this run is over and the file read to its end; without it
    the tail goes on until closed. rotated: where the file's old part goes ("" for nowhere).
    Raises the Problem of `link_source` when the server refuses us; an unreachable one is waited
    for.
    """

    def __init__(
        self,
        link_source: LinkSource,
        path: str,
        offset: int = 0,
        *,
        inode: int = 0,
        run_folder: str = "",
        rotated: str = "",
        wait: Callable[[int], float] = retry_wait,
    ) -> None:
        self._listener = Listener(link_source, wait)
        self._path = path
        self._run_folder = run_folder
        self._rotated = rotated
        self._moved = False
        self._lines = LineAssembler(offset)
        self.inode = inode

    @property
    def offset(self) -> int:
        """Where reading resumes: the byte after the last line given out."""
        return self._lines.offset

    def close(self) -> None:
        self._listener.close()

    def rewind(self, offset: int) -> None:
        """Read again from `offset`; call between batches, from the reading thread."""
        self._lines = LineAssembler(offset)
        self._moved = True

    def batches(self) -> Iterator[tuple[Line, ...]]:
        """Yield complete lines as they arrive, as many at a time as arrived together."""
        failures = 0
        mode = "follow"
        while not self._listener.closed:
            code: int | None = None
            try:
                with self._open(mode) as stream:
                    for lines in self._read(stream):
                        failures = 0
                        yield lines
                        if self._moved:
                            break
                    code = stream.exit_code
            except Problem as problem:
                if problem.exit_code is not ExitCode.UNREACHABLE:
                    raise
            if self._moved:
                self._moved, mode = False, "follow"
            elif code == 0 and mode == "once":
                return
            elif code == _NEXT_FILE:
                self.inode, self._lines = 0, LineAssembler(0)
            elif code == _RUN_OVER:
                mode = "once"  # the follower may have been ended before it gave everything
            else:
                if code != _CHANGED or failures:
                    self._listener.rest(failures)
                failures += 1

    def _open(self, mode: str) -> Stream:
        # What the assembler holds of an unfinished line is asked for again.
        self._lines = LineAssembler(self._lines.offset)
        place = (self._path, str(self.offset), str(self.inode), self._rotated, self._run_folder)
        return self._listener.open(["sh", "-c", script("stream.sh"), "stream", *place, mode])

    def _read(self, stream: Stream) -> Iterator[tuple[Line, ...]]:
        head = b""
        while (at := _header_end(head)) is None:
            data = stream.read()
            if not data or len(head) > _NOISE_LIMIT:
                return
            head += data
        start, end = at
        inode, offset = head[start:end].split()[1:3]
        if int(offset) != self._lines.offset:
            self._lines = LineAssembler(int(offset))
        self.inode = int(inode)
        data = head[end + 1 :]
        while True:
            lines = self._lines.feed(data)
            if lines:
                yield lines
            if self._moved:
                return
            data = stream.read()
            if not data:
                return


def _header_end(head: bytes) -> tuple[int, int] | None:
    start = head.find(_HEADER)
    end = head.find(b"\n", start)
    return (start, end) if start >= 0 and end >= 0 else None


class EventTail:
    """Yields each event of a run's stream exactly once, in order of `seq`.

    The file may change behind the tail: a restarted engine cuts off a torn last line. So a line
    that does not fit (unreadable, or a jump in `seq`) is read again, first from the last good
    place and then from the beginning, before it is believed.
    """

    def __init__(self, tail: Tail, *, seq: int = -1) -> None:
        self.tail = tail
        self.seq = seq
        self.unreadable = 0
        self._good = tail.offset
        self._doubts: dict[tuple[int, bytes], int] = {}
        self._catching_up = False

    def batches(self) -> Iterator[tuple[Event, ...]]:
        for lines in self.tail.batches():
            found: list[Event] = []
            for line in lines:
                event = events.parse(line.data)
                if not self._believe(line, event):
                    break
                if event is not None and event.seq > self.seq:
                    self.seq = event.seq
                    self._catching_up = False
                    found.append(event)
                self._good = line.end
            if found:
                yield tuple(found)

    def __iter__(self) -> Iterator[Event]:
        for batch in self.batches():
            yield from batch

    def _believe(self, line: Line, event: Event | None) -> bool:
        if event is None:
            fits = not line.data.strip()
        else:
            fits = event.seq == self.seq + 1 or (self._catching_up and event.seq <= self.seq)
        if fits:
            return True
        key = (line.start, line.data[:256])
        doubts = self._doubts[key] = self._doubts.get(key, 0) + 1
        if doubts == 1:
            self.tail.rewind(self._good)
        elif doubts == 2:
            self._catching_up = True
            self._good = 0
            self.tail.rewind(0)
        elif doubts == 3 and event is None:
            self.unreadable += 1
        return doubts > 2


def follow(
    link_source: LinkSource, path: str, offset: int = 0, *, run_folder: str = "", rotated: str = ""
) -> Iterator[str]:
    """Yield the lines of a log, fit for a screen."""
    tail = Tail(link_source, path, offset, run_folder=run_folder, rotated=rotated)
    for lines in tail.batches():
        for line in lines:
            yield clean_line(line.data)


# Escape sequences: CSI, OSC and the other strings (ended by BEL or ST), then two-byte ones.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# What could still move the cursor or reverse the line: controls, bidirectional marks.
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def clean_line(data: bytes) -> str:
    """Text that cannot take over a terminal; of a progress bar its last state, cut to 2,000."""
    text = data.decode("utf-8", "replace").rstrip("\r")
    text = text.rpartition("\r")[2]
    text = _CONTROLS.sub("", _ESCAPES.sub("", text)).replace("\t", "    ")
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
