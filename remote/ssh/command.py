"""Running a command to its end over one stream."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.ssh.channel_stream import ChannelStream

_SMALL_INPUT_BYTES = 32 << 10
# A command's whole answer. The longest of ours, the state of thousands of runs, is a tenth of it;
# files and event streams are read piece by piece instead.
ANSWER_LIMIT = 32 << 20


@dataclass(frozen=True)
class CommandResult:
    """What a finished command left: exit code, stdout, the last 64 KiB of stderr.

    preamble: what the login shell printed before the command began.
    """

    code: int
    out: bytes
    err: bytes
    preamble: bytes = b""


def run_to_end(
    stream: ChannelStream, argv: Sequence[str], stdin: bytes, timeout: float | None, server: str
) -> CommandResult:
    """Feed `stdin`, read to the end and close.

    Problem `too_long` after `timeout` seconds, `too_much` past ANSWER_LIMIT bytes.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    with stream:
        feeder = _send_stdin(stream, stdin)
        try:
            out = stream.read_all(limit=ANSWER_LIMIT, deadline=deadline)
        except TimeoutError:
            raise Problem(
                "remote.connection.too_long",
                ExitCode.UNREACHABLE,
                server=server,
                command=argv[0],
                seconds=int(timeout or 0),
            ) from None
        except OverflowError:
            raise Problem(
                "remote.connection.too_much",
                ExitCode.UNREACHABLE,
                server=server,
                command=argv[0],
                limit=format_bytes(ANSWER_LIMIT),
            ) from None
    if feeder:
        feeder.join()
    assert stream.exit_code is not None
    return CommandResult(stream.exit_code, out, stream.stderr, stream.preamble)


def _send_stdin(stream: ChannelStream, data: bytes) -> threading.Thread | None:
    """Send stdin; large input goes from a thread, since the command may answer meanwhile."""
    if len(data) <= _SMALL_INPUT_BYTES:
        _write_stdin(stream, data)
        return None
    feeder = threading.Thread(target=_write_stdin, args=(stream, data), daemon=True)
    feeder.start()
    return feeder


def _write_stdin(stream: ChannelStream, data: bytes) -> None:
    try:
        if data:
            stream.write(data)
        stream.close_write()
    except Problem as problem:
        # A command may end without reading all of its input: its exit code tells. A lost
        # connection is raised by the reader.
        logging.getLogger(__name__).debug("stdin not taken: %s", problem.key)
