"""What one authenticated connection can do: commands, streams, SFTP bytes, forwarded ports."""

from __future__ import annotations

import logging
import math
import shlex
from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import Any, Protocol, Self

from engine.contract.problem import ExitCode, Problem
from remote.address import shown
from remote.command import Result, finish
from remote.faults import LinkLost, NoSftp
from remote.forward import Forward
from remote.hostspec import HostSpec
from remote.spare import Spare
from remote.stream import Stream

_CHANNEL_S = 30.0
_COMMAND_WINDOW = 2 << 20


class Transport(Protocol):
    """The part of the SSH library's connection used here; see `remote.link`."""

    broken: tuple[type[BaseException], ...]  # what its calls raise when they fail

    @property
    def fault(self) -> BaseException | None: ...
    def is_active(self) -> bool: ...
    def open_session(self, *, window_size: int, timeout: float) -> Any: ...
    def open_channel(self, kind: str, dest_addr: Any, src_addr: Any) -> Any: ...
    def join(self, timeout: float) -> None: ...
    def shut(self) -> None: ...


class Session:
    """One authenticated connection. Use from any thread; every channel is its own."""

    def __init__(self, spec: HostSpec, transport: Transport, method: str) -> None:
        self.spec = spec
        self.name = spec.name
        self.method = method  # how we got in: "publickey", "password", ...
        self._rtt = math.inf
        self._transport = transport
        self._expected: dict[tuple[str, ...], Stream] = {}
        self._spare = Spare(partial(self._open_session, _COMMAND_WINDOW), transport.broken)

    @property
    def alive(self) -> bool:
        return self._transport.is_active()

    @property
    def rtt(self) -> float:
        """Seconds to the server and back: the quickest opening of a channel so far."""
        if self._rtt == math.inf:
            self._spare.open()
        return self._rtt

    def wait_closed(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the connection's end; whether it has ended."""
        self._transport.join(timeout)
        return not self.alive

    def why_dead(self) -> str:
        """Why the connection ended, in the library's words."""
        error = self._transport.fault
        return _why(error) if error else "the connection ended"

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float | None = 60.0
    ) -> Result:
        """Run argv and wait for its end. Problem `remote.link.too_long` after `timeout` seconds."""
        return finish(self.open_stream(argv), argv, stdin, timeout, self.name)

    def script(
        self, text: str, args: Sequence[str] = (), *, timeout: float | None = 60.0
    ) -> Result:
        """Run a POSIX sh script of our package with args as $1...

        The text is part of the command: over stdin it would be one round trip more.
        """
        return self.run(["sh", "-c", text, "sh", *args], timeout=timeout)

    def open_stream(self, argv: Sequence[str], *, window: int = _COMMAND_WINDOW) -> Stream:
        """Start argv and return its channel: stdout to read, stdin to write."""
        if (expected := self._expected.pop(tuple(argv), None)) is not None:
            return expected
        stream = self._request("exec", shlex.join(argv), window)
        if stream is None:
            raise Problem("remote.link.no_exec", ExitCode.UNREACHABLE, server=self.name)
        return stream

    def expect(self, argv: Sequence[str]) -> None:
        """Start argv now; the next `open_stream` or `run` of the same words takes it over.

        A server that allows no further channel starts it then.
        """
        try:
            self._expected[tuple(argv)] = self.open_stream(argv)
        except LinkLost:
            raise
        except Problem as problem:
            logging.getLogger(__name__).debug("not started ahead: %s", problem.key)

    def open_sftp(self, *, window: int = 4 << 20) -> Stream:
        """The raw bytes of the sftp subsystem; NoSftp where the server has none."""
        stream = self._request("subsystem", "sftp", window)
        if stream is None:
            raise NoSftp(self.name)
        return stream

    def open_tcp(self, host: str, port: int) -> Any:
        """A socket-like channel to host:port as the server sees it."""
        try:
            return self._transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0))
        except self._transport.broken as error:
            self._raise_if_dead()
            facts = {"server": self.name, "place": f"{host} port {port}", "why": _why(error)}
            raise Problem("remote.link.no_forward", ExitCode.UNREACHABLE, **facts) from None

    def forward(self, local_port: int, remote_host: str, remote_port: int) -> Forward:
        """Listen on 127.0.0.1:local_port (0 picks one) and carry each connection over."""
        return Forward(local_port, lambda: self.open_tcp(remote_host, remote_port))

    def close(self) -> None:
        """End the connection. Their streams raise LinkLost in other threads."""
        self._transport.shut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _request(self, kind: str, text: str, window: int) -> Stream | None:
        """Open a channel and ask for `kind`; None when the server refuses that kind."""
        spare = self._spare.take() if window == _COMMAND_WINDOW else None
        if spare is not None and (stream := self._ask(spare, kind, text)) is not None:
            self._spare.prepare()
            return stream
        try:
            channel = self._open_session(window)
        except self._transport.broken as error:
            self._raise_if_dead()
            facts = {"server": self.name, "why": _why(error)}
            raise Problem("remote.link.no_channel", ExitCode.UNREACHABLE, **facts) from None
        self._spare.prepare()
        return self._ask(channel, kind, text)

    def _open_session(self, window: int) -> Any:
        began = monotonic()
        channel = self._transport.open_session(window_size=window, timeout=_CHANNEL_S)
        self._rtt = min(self._rtt, monotonic() - began)
        return channel

    def _ask(self, channel: Any, kind: str, text: str) -> Stream | None:
        try:
            # Waiting for the answer costs no round trip: the first output travels with it.
            if kind == "exec":
                channel.exec_command(text)
            else:
                channel.invoke_subsystem(text)
        except self._transport.broken:
            self._raise_if_dead()
            return None
        return Stream(channel, self)

    def _raise_if_dead(self) -> None:
        if not self.alive:
            raise LinkLost(self.name, self.why_dead()) from None


def _why(error: BaseException) -> str:
    return shown(str(error) or type(error).__name__)
