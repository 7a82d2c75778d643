"""Running a command to its end over one stream."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from engine.contract.problem import ExitCode, Problem
from remote.stream import Stream

_SMALL_INPUT = 32 << 10


@dataclass(frozen=True)
class Result:
    """What a finished command left: exit code, stdout, the last 64 KiB of stderr."""

    code: int
    out: bytes
    err: bytes


def finish(
    stream: Stream, argv: Sequence[str], stdin: bytes, timeout: float | None, server: str
) -> Result:
    """Feed `stdin`, read to the end and close. Problem `remote.link.too_long` after `timeout` s."""
    deadline = None if timeout is None else time.monotonic() + timeout
    with stream:
        feeder = _feed(stream, stdin)
        try:
            out = stream.read_all(deadline=deadline)
        except TimeoutError:
            raise Problem(
                "remote.link.too_long",
                ExitCode.UNREACHABLE,
                server=server,
                command=argv[0],
                seconds=int(timeout or 0),
            ) from None
    if feeder:
        feeder.join()
    assert stream.exit_code is not None
    return Result(stream.exit_code, out, stream.errors)


def _feed(stream: Stream, data: bytes) -> threading.Thread | None:
    """Send stdin; large input goes from a thread, since the command may answer meanwhile."""
    if len(data) <= _SMALL_INPUT:
        _feed_now(stream, data)
        return None
    feeder = threading.Thread(target=_feed_now, args=(stream, data), daemon=True)
    feeder.start()
    return feeder


def _feed_now(stream: Stream, data: bytes) -> None:
    try:
        if data:
            stream.write(data)
        stream.close_write()
    except Problem as problem:
        # A command may end without reading all of its input: its exit code tells. A dead link
        # is raised by the reader.
        logging.getLogger(__name__).debug("stdin not taken: %s", problem.key)
