"""How many connections a transfer should use: a first guess, then what was measured. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from remote.transfer.tuning import Tuning

# A connection is worth its handshake only for a few megabytes.
LEAST_EACH = 4 << 20
# Up to here one connection fills the line, and the processor is the limit.
NEAR = 0.010
# Below this the system's ssh would still be connecting when all is done.
LEAST_CARRIED = 32 << 20
# Speed must be watched for so long before it says something (TCP has then opened its window).
WATCH = 3.0
# More connections stay only when they bring at least this much.
GAIN = 1.10


def first_guess(rtt: float, size: int, most: int) -> int:
    """Connections to open at once. `rtt` in seconds, `size` in bytes still to move.

    One TCP connection fills a near line; a far one is bounded by its window per round trip.
    """
    by_distance = 1 if rtt < NEAR else 4 if rtt < 0.100 else 8
    return max(1, min(by_distance, most, -(-size // LEAST_EACH)))


def worth_carrying(rtt: float, size: int) -> bool:
    """Whether `size` bytes in one piece should go through the system's ssh, where there is one."""
    return rtt < NEAR and size >= LEAST_CARRIED


@dataclass
class Ramp:
    """Tries more connections and keeps them only while the measured speed follows.

    Feed `wanted` with the clock (s), the bytes moved so far and the connections alive; it
    returns how many there should be. `refused` is called when the server turns one away.
    """

    wanted_now: int
    tuning: Tuning
    _since: float = -1.0
    _bytes: int = 0
    _before: float | None = None
    _fewer: int = 0
    _settled: bool = False

    def refused(self) -> None:
        """The server turned one away while others work: one less, and no more trials."""
        self.wanted_now = max(1, self.wanted_now - 1)
        self._settled = True

    def wanted(self, now: float, moved: int, alive: int) -> int:
        if self._since < 0 or (self._bytes == 0 and moved > 0):
            self._since, self._bytes = now, moved
        if self._settled or alive < self.wanted_now or now - self._since < WATCH:
            if alive < self.wanted_now:  # a lane is coming or going: this span says nothing
                self._since, self._bytes = now, moved
            return self.wanted_now
        speed = (moved - self._bytes) / (now - self._since)
        self._since, self._bytes = now, moved
        if self._before is not None and speed < self._before * GAIN:
            self.wanted_now, self._settled = self._fewer, True
        elif self.wanted_now >= self.tuning.most_connections:
            self._settled = True
        else:
            self._before, self._fewer = speed, self.wanted_now
            step = max(1, self.wanted_now // 2)
            self.wanted_now = min(self.tuning.most_connections, self.wanted_now + step)
        return self.wanted_now
