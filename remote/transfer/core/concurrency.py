"""How many connections a transfer uses: by the distance of the server and what there is to move."""

from __future__ import annotations

# A connection is worth its handshake only for a few megabytes.
MIN_BYTES_PER_CONNECTION = 4 << 20
# Up to here one connection fills the line, and the processor is the limit.
NEAR_RTT = 0.010


def connections_for(rtt: float, size: int, chosen: int = 0) -> int:
    """Connections to open. `rtt` in seconds, `size` in bytes to move, `chosen` by a person or 0.

    One TCP connection fills a near line; a far one is bounded by its window per round trip.
    """
    by_distance = 1 if rtt < NEAR_RTT else 4 if rtt < 0.100 else 8
    return max(1, min(chosen or by_distance, -(-size // MIN_BYTES_PER_CONNECTION)))
