"""How many connections a transfer should use: a first guess, then what was measured. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sovdeck.remote.transfer.core.tuning import Tuning

# A connection is worth its handshake only for a few megabytes.
MIN_BYTES_PER_CONNECTION = 4 << 20
# Up to here one connection fills the line, and the processor is the limit.
NEAR_RTT = 0.010
# Speed must be watched for so long before it says something (TCP has then opened its window).
MEASURE_SECONDS = 3.0
# More connections stay only when they bring at least this much.
MIN_GAIN = 1.10


def initial_connections(rtt: float, size: int, most: int) -> int:
    """Connections to open at once. `rtt` in seconds, `size` in bytes still to move.

    One TCP connection fills a near line; a far one is bounded by its window per round trip.
    """
    by_distance = 1 if rtt < NEAR_RTT else 4 if rtt < 0.100 else 8
    return max(1, min(by_distance, most, -(-size // MIN_BYTES_PER_CONNECTION)))


@dataclass
class ConcurrencyController:
    """Tries more connections and keeps them only while the measured speed follows.

    `target` takes the clock (s), the bytes moved so far and the connections alive, and returns how
    many there should be. `record_refusal` is called when the server turns one away.
    """

    current_target: int
    tuning: Tuning
    _since: float = -1.0
    _bytes: int = 0
    _before: float | None = None
    _fewer: int = 0
    _settled: bool = False

    def record_refusal(self) -> None:
        """The server turned one away while others work: one less, and no more trials."""
        self.current_target = max(1, self.current_target - 1)
        self._settled = True

    def target(self, now: float, moved: int, alive: int) -> int:
        """How many connections there should be now; see the class."""
        if self._since < 0 or (self._bytes == 0 and moved > 0):
            self._since, self._bytes = now, moved
        if self._settled or alive < self.current_target or now - self._since < MEASURE_SECONDS:
            if alive < self.current_target:  # one is coming or going: this span says nothing
                self._since, self._bytes = now, moved
            return self.current_target
        speed = (moved - self._bytes) / (now - self._since)
        self._since, self._bytes = now, moved
        if self._before is not None and speed < self._before * MIN_GAIN:
            self.current_target, self._settled = self._fewer, True
        elif self.current_target >= self.tuning.max_connections:
            self._settled = True
        else:
            self._before, self._fewer = speed, self.current_target
            step = max(1, self.current_target // 2)
            self.current_target = min(self.tuning.max_connections, self.current_target + step)
        return self.current_target
