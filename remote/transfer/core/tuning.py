"""The figures of a transfer, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from sovdeck.remote.config.schema import ProjectConfig

MIB = 1 << 20
BYTES_PER_MBIT = 1e6 / 8
# Bytes on their way over one connection: the best at every round-trip time tried; more makes
# Paramiko move memory and sftp-server burn CPU.
WINDOW = 4 * MIB
# What one connection takes from the queue at a time.
LEASE = 8 * MIB
# Up to here a file goes into a stream of many; beyond, in ranges, so that a cut inside it costs
# little. In ranges each file waits for three answers: 150 files of 3 MB took thrice as long.
STREAM_BYTES = 8 * MIB
# Files of one stream; each of them costs the server's agent some memory.
BATCH_FILES = 4000
MIN_BATCH_BYTES = 1 * MIB


@dataclass(frozen=True)
class Tuning:
    """How a transfer uses the line. Bytes and seconds.

    `connections`: at once; 0: as many as the distance wants. `stall`: no byte for so long while
    some are owed means a dead line. `first_contact`: a server that never answered is given up
    sooner. `give_up`: seconds without one byte of progress before the transfer stops trying (and
    stays resumable). `reconnect`: first wait between attempts, doubled up to `reconnect_max`.
    """

    connections: int = 0
    stall: float = 15.0
    first_contact: float = 4.0
    give_up: float = 90.0
    reconnect: float = 0.3
    reconnect_max: float = 5.0
    tick: float = 0.1
    block: int = 4 * MIB  # unit of block digests: what a repair fetches again


def bandwidth_limit(config: ProjectConfig, option_mbit: float | None = None) -> float | None:
    """Bytes a second: the option, else deploy.toml's; None is no limit."""
    mbit = config.pull.limit_mbit if option_mbit is None else option_mbit
    return mbit * BYTES_PER_MBIT or None


def transfer_tuning(config: ProjectConfig) -> Tuning:
    """The tuning for `config`: with its number of connections."""
    return Tuning(connections=config.pull.connections)
