"""One small file of a server brought here over the open link: whole and verified, or absent."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from remote.listener import LinkSource, retry_wait
from remote.transfer.part_file import disk_errors
from remote.transfer.prefix_hash import file_digest

MOST = 64 << 20
_TRIES = 4


def fetch_small(
    link_source: LinkSource,
    remote_path: str,
    local: Path,
    *,
    size: int,
    sha256: str,
    wait: Callable[[int], float] = retry_wait,
) -> Path:
    """Bring `remote_path` here as `local`; not again when it is here already.

    size and sha256: as the engine told them. A lost link is tried again a few times.
    """
    with disk_errors(local):
        if local.is_file() and local.stat().st_size == size and file_digest(local) == sha256:
            return local
        local.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(_TRIES):
        try:
            data = _read(link_source, remote_path, size)
            break
        except Problem as problem:
            if problem.exit_code is not ExitCode.UNREACHABLE or attempt == _TRIES - 1:
                raise
            time.sleep(wait(attempt))
    if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
        raise Problem("remote.transfer.changed", ExitCode.DATA, path=remote_path)
    part = local.with_name(f".{local.name}.part")
    with disk_errors(local):
        part.write_bytes(data)
        part.replace(local)
    return local


def _read(link_source: LinkSource, remote_path: str, size: int) -> bytes:
    """At most one byte more than promised: then it is another file anyway."""
    most = min(size, MOST) + 1
    pieces, left = [], most
    with link_source().open_stream(["cat", "--", remote_path]) as stream:
        stream.close_write()
        while left > 0 and (data := stream.read(min(left, 1 << 20))):
            pieces.append(data)
            left -= len(data)
    return b"".join(pieces)
