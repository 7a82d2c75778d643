"""Reads a growing file on a server: no line is lost or doubled when the connection breaks.

The reader's position is the byte offset after the last complete line it yielded, with the file's
inode. After a cut it asks from there again. A line that is not complete yet is not yielded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sovdeck.engine.contract import events
from sovdeck.engine.contract.events import Event
from sovdeck.engine.contract.foreign_values import parse_whole_number
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.printable import strip_controls, strip_escapes
from sovdeck.remote.ssh.channel_reader import ChannelReader, ConnectionSource, retry_delay
from sovdeck.remote.ssh.channel_stream import ChannelStream

# A longer line is cut: nothing may fill the laptop's memory from a server.
MAX_LINE_BYTES = 1 << 20
MAX_SHOWN_CHARS = 2000
# Places of a file that are read again before they are believed; a file with more is noise.
MAX_DOUBTED = 1000
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
        self._partial = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> tuple[Line, ...]:
        """Take `data` and return the lines that are complete now, each cut to MAX_LINE_BYTES."""
        *complete, rest = data.split(b"\n")
        lines = []
        for chunk in complete:
            self._append(chunk)
            end = self.offset + len(self._partial) + self._dropped + 1
            lines.append(Line(bytes(self._partial), self.offset, end))
            self.offset = end
            self._partial.clear()
            self._dropped = 0
        self._append(rest)
        return tuple(lines)

    def _append(self, chunk: bytes) -> None:
        space = MAX_LINE_BYTES - len(self._partial)
        self._partial += chunk[:space]
        self._dropped += max(0, len(chunk) - space)


class RemoteTail:
    """Follows one file, like `tail -F`. Iterate `batches()` in one thread; `close()` from any.

    run_folder: ends by itself once this run is over and the file read to its end; without it
    the tail goes on until closed. rotated: where the file's old part goes ("" for nowhere).
    Raises the Problem of `connection_source` when the server refuses us; an unreachable one is
    waited for.
    """

    def __init__(
        self,
        connection_source: ConnectionSource,
        path: str,
        offset: int = 0,
        *,
        inode: int = 0,
        run_folder: str = "",
        rotated: str = "",
        wait: Callable[[int], float] = retry_delay,
    ) -> None:
        self._reader = ChannelReader(connection_source, wait)
        self._path = path
        self._run_folder = run_folder
        self._rotated = rotated
        self._rewound = False
        self._lines = LineAssembler(offset)
        self.inode = inode

    @property
    def offset(self) -> int:
        """Where reading resumes: the byte after the last line yielded."""
        return self._lines.offset

    def close(self) -> None:
        """End `batches` in the thread that iterates it."""
        self._reader.close()

    def rewind(self, offset: int) -> None:
        """Read again from `offset`; call between batches, from the reading thread."""
        self._lines = LineAssembler(offset)
        self._rewound = True

    def batches(self) -> Iterator[tuple[Line, ...]]:
        """Yield complete lines as they arrive, as many at a time as arrived together."""
        failures = 0
        mode = "follow"
        while not self._reader.closed:
            code: int | None = None
            try:
                with self._open(mode) as stream:
                    for lines in self._read(stream):
                        failures = 0
                        yield lines
                        if self._rewound:
                            break
                    code = stream.exit_code
            except Problem as problem:
                if problem.exit_code is not ExitCode.UNREACHABLE:
                    raise
            if self._rewound:
                self._rewound, mode = False, "follow"
            elif code == 0 and mode == "once":
                return
            elif code == _NEXT_FILE:
                self.inode, self._lines = 0, LineAssembler(0)
            elif code == _RUN_OVER:
                mode = "once"  # the follower may have been ended before it gave everything
            else:
                if code != _CHANGED or failures:
                    self._reader.wait_before_retry(failures)
                failures += 1

    def _open(self, mode: str) -> ChannelStream:
        # What the assembler holds of an unfinished line is asked for again.
        self._lines = LineAssembler(self._lines.offset)
        args = (self._path, str(self.offset), str(self.inode), self._rotated, self._run_folder)
        return self._reader.open(["sh", "-c", read_script("stream.sh"), "stream", *args, mode])

    def _read(self, stream: ChannelStream) -> Iterator[tuple[Line, ...]]:
        head = b""
        while (at := _header_end(head)) is None:
            data = stream.read()
            if not data or len(head) > _NOISE_LIMIT:
                return
            head += data
        start, end = at
        words = head[start:end].decode("ascii", "replace").split()[1:]
        numbers = [number for word in words if (number := parse_whole_number(word)) is not None]
        if len(numbers) != 2:  # not what stream.sh prints: asked again, as after a cut
            return
        self.inode, offset = numbers
        if offset != self._lines.offset:
            self._lines = LineAssembler(offset)
        data = head[end + 1 :]
        while True:
            lines = self._lines.feed(data)
            if lines:
                yield lines
            if self._rewound:
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
    offset and then from the beginning, before it is accepted. unreadable: lines that never were
    events.
    """

    def __init__(self, tail: RemoteTail, *, seq: int = -1) -> None:
        self.tail = tail
        self.seq = seq
        self.unreadable = 0
        self._last_good = tail.offset
        self._doubts: dict[tuple[int, bytes], int] = {}
        self._catching_up = False

    def batches(self) -> Iterator[tuple[Event, ...]]:
        """Yield new events, as many at a time as arrived together."""
        for lines in self.tail.batches():
            found: list[Event] = []
            for line in lines:
                event = events.parse_event(line.data)
                if not self._accept(line, event):
                    break
                if event is not None and event.seq > self.seq:
                    self.seq = event.seq
                    self._catching_up = False
                    found.append(event)
                self._last_good = line.end
            if found:
                yield tuple(found)

    def __iter__(self) -> Iterator[Event]:
        for batch in self.batches():
            yield from batch

    def _accept(self, line: Line, event: Event | None) -> bool:
        if event is None:
            fits = not line.data.strip()
        else:
            fits = event.seq == self.seq + 1 or (self._catching_up and event.seq <= self.seq)
        if fits:
            return True
        key = (line.start, line.data[:256])
        if key not in self._doubts and len(self._doubts) >= MAX_DOUBTED:
            self.unreadable += event is None
            return True
        doubts = self._doubts[key] = self._doubts.get(key, 0) + 1
        if doubts == 1:
            self.tail.rewind(self._last_good)
        elif doubts == 2:
            self._catching_up = True
            self._last_good = 0
            self.tail.rewind(0)
        elif doubts == 3 and event is None:
            self.unreadable += 1
        return doubts > 2


def clean_line(data: bytes) -> str:
    """A line as text without control characters, cut to 2,000; of a progress bar its last state."""
    text = data.decode("utf-8", "replace").rstrip("\r")
    text = text.rpartition("\r")[2]
    text = strip_controls(strip_escapes(text)).replace("\n", "").replace("\t", "    ")
    return text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 1] + "…"
