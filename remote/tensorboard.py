"""TensorBoard on a server's own loopback address, for as long as somebody here looks at it."""

from __future__ import annotations

import re
import time

from engine.contract.problem import ExitCode, Problem
from remote.agent import script
from remote.link import Link
from remote.stream import Stream
from remote.tail import clean_line

_ADDRESS = re.compile(rb"http://[^\s/]+:(\d{2,5})/")
_START_LIMIT_S = 90.0
_NONE_THERE = 3


class Board:
    """A running TensorBoard; `port` is the server's. It ends with `close`, or with the link."""

    def __init__(self, port: int, stream: Stream) -> None:
        self.port = port
        self._stream = stream

    def wait(self, seconds: float) -> bool:
        """Wait up to so long; whether it has ended. LinkLost when the connection died."""
        deadline = time.monotonic() + seconds
        try:
            while self._stream.read(deadline=deadline):
                pass  # requests it logs
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def start(link: Link, python: str, folder: str) -> Board:
    """Start TensorBoard over `folder` with that interpreter, or with the server's own.

    Problem `remote.link.no_tensorboard` where there is none, `tensorboard_failed` when it ends.
    """
    stream = link.open_stream(["sh", "-c", script("link_tensorboard.sh"), "sh", python, folder])
    said = b""
    deadline = time.monotonic() + _START_LIMIT_S
    try:
        while data := stream.read(deadline=deadline):
            said = (said + data)[-8192:]
            found = _ADDRESS.search(said)
            if found is not None:
                return Board(int(found[1]), stream)
    except TimeoutError:
        stream.close()
    if stream.exit_code == _NONE_THERE:
        raise Problem("remote.link.no_tensorboard", ExitCode.CONFIG, server=link.name)
    why = clean_line(said.strip().rpartition(b"\n")[2])[:200] or "-"
    raise Problem("remote.link.tensorboard_failed", ExitCode.DATA, server=link.name, why=why)
