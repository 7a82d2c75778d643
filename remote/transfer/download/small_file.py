"""One small file of a server brought here over the open link: whole and verified, or absent."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from sovdeck.engine.contract.atomic_io import file_sha256, write_atomic
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.ssh.channel_reader import ConnectionSource, retry_delay
from sovdeck.remote.transfer.download.part_file import disk_errors

MAX_BYTES = 64 << 20
_TRIES = 4


def fetch_small_file(
    connection_source: ConnectionSource,
    remote_path: str,
    local: Path,
    *,
    size: int,
    sha256: str,
    wait: Callable[[int], float] = retry_delay,
) -> Path:
    """Bring `remote_path` here as `local`; not again when it is here already.

    size and sha256: as the engine told them. A lost link is tried again a few times.
    """
    with disk_errors(local):
        if local.is_file() and local.stat().st_size == size and file_sha256(local) == sha256:
            return local
    for attempt in range(_TRIES):
        try:
            data = _read(connection_source, remote_path, size)
            break
        except Problem as problem:
            if problem.exit_code is not ExitCode.UNREACHABLE or attempt == _TRIES - 1:
                raise
            time.sleep(wait(attempt))
    if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
        raise Problem("remote.transfer.changed", ExitCode.DATA, path=remote_path)
    with disk_errors(local):
        write_atomic(local, data, durable=False)
    return local


def _read(connection_source: ConnectionSource, remote_path: str, size: int) -> bytes:
    """At most one byte more than promised: then it is another file anyway."""
    most = min(size, MAX_BYTES) + 1
    chunks, left = [], most
    with connection_source().open_stream(["cat", "--", remote_path]) as stream:
        stream.close_write()
        while left > 0 and (data := stream.read(min(left, 1 << 20))):
            chunks.append(data)
            left -= len(data)
    return b"".join(chunks)
