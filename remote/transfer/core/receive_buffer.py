"""The bytes that came over a stream and were not read yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.transfer.core.interfaces import TransferStream, connection_cut

CHUNK = 1 << 20


class ReceiveBuffer:
    """Takes a stream apart. `on_data` hears whenever bytes came.

    Where the stream ends too early, `on_end` makes the Problem that is raised: a cut line, unless
    more is known.
    """

    def __init__(
        self,
        stream: TransferStream,
        on_data: Callable[[], None],
        on_end: Callable[[], Problem] = connection_cut,
    ) -> None:
        self._stream = stream
        self.on_data = on_data
        self._on_end = on_end
        self._bytes = b""
        self._at = 0

    def _more(self) -> bytes:
        data = self._stream.read(CHUNK)
        if not data:
            raise self._on_end()
        self.on_data()
        return data

    @property
    def held(self) -> int:
        """Bytes that are here."""
        return len(self._bytes) - self._at

    def fill(self, count: int) -> None:
        """Read until `count` bytes are here."""
        while self.held < count:
            data = self._more()
            self._bytes = self._bytes[self._at :] + data if self.held else data
            self._at = 0

    def take(self, count: int) -> memoryview:
        """Take the next `count` bytes."""
        self.fill(count)
        part = memoryview(self._bytes)[self._at : self._at + count]
        self._at += count
        return part

    def take_pieces(self, count: int) -> Iterator[memoryview]:
        """Take the next `count` bytes as they come, without joining them first."""
        while count:
            if not self.held:
                self._bytes, self._at = self._more(), 0
            part = memoryview(self._bytes)[self._at : self._at + count]
            self._at += len(part)
            count -= len(part)
            yield part

    def take_line(self, most: int) -> bytes:
        """Take up to the next newline, which is left out; of a longer line `most` bytes."""
        while (end := self._bytes.find(b"\n", self._at, self._at + most)) < 0:
            if self.held >= most:
                return bytes(self.take(most))
            self.fill(self.held + 1)
        line, self._at = self._bytes[self._at : end], end + 1
        return line
