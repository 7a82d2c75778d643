"""TensorBoard on a server's own loopback address, for as long as its channel is open."""

from __future__ import annotations

import re
import time

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.ssh.channel_stream import ChannelStream
from sovdeck.remote.ssh.client import SSHConnection
from sovdeck.remote.ssh.remote_tail import clean_line

_ADDRESS = re.compile(rb"http://[^\s/]+:(\d{2,5})/")
_START_LIMIT_S = 90.0
_NOT_INSTALLED_CODE = 3


class TensorBoardTunnel:
    """A running TensorBoard; `port` is the server's. It ends with `close` or the connection."""

    def __init__(self, port: int, stream: ChannelStream) -> None:
        self.port = port
        self._stream = stream

    def wait_ended(self, seconds: float) -> bool:
        """Wait for the end; False after `seconds`. ConnectionLost when the connection died."""
        deadline = time.monotonic() + seconds
        try:
            while self._stream.read(deadline=deadline):
                pass  # requests it logs
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """End TensorBoard on the server."""
        self._stream.close()

    def __enter__(self) -> TensorBoardTunnel:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def start_tensorboard(connection: SSHConnection, python: str, folder: str) -> TensorBoardTunnel:
    """Start TensorBoard over `folder` with that interpreter, or with the server's own.

    Problem `remote.connection.no_tensorboard` where there is none, `tensorboard_failed` when it
    ends.
    """
    stream = connection.open_stream(
        ["sh", "-c", read_script("tensorboard.sh"), "sh", python, folder]
    )
    output = b""
    deadline = time.monotonic() + _START_LIMIT_S
    try:
        while data := stream.read(deadline=deadline):
            output = (output + data)[-8192:]
            found = _ADDRESS.search(output)
            if found is not None:
                return TensorBoardTunnel(int(found[1]), stream)
    except TimeoutError:
        stream.close()
    if stream.exit_code == _NOT_INSTALLED_CODE:
        raise Problem("remote.connection.no_tensorboard", ExitCode.CONFIG, server=connection.name)
    why = clean_line(output.strip().rpartition(b"\n")[2])[:200] or "-"
    raise Problem(
        "remote.connection.tensorboard_failed", ExitCode.DATA, server=connection.name, why=why
    )
