"""What one SSH connection can do: run commands, open streams, SFTP and TCP channels, forward ports.

It knows the SSH library only as `SSHTransport`; `sovdeck.remote.ssh.client` supplies that.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from functools import partial
from time import monotonic, sleep
from typing import Any, Protocol, Self
from weakref import WeakSet

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.errors import ConnectionLost, SftpUnavailable
from sovdeck.remote.hosts.address import MAX_REASON, to_printable
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.ssh.channel_stream import ChannelStream
from sovdeck.remote.ssh.command import CommandResult, run_to_end
from sovdeck.remote.ssh.further_connections import FurtherConnections, SessionRefused
from sovdeck.remote.ssh.login_shell import encode_command
from sovdeck.remote.ssh.port_forward import PortForward
from sovdeck.remote.ssh.preopened_channel import PreopenedChannel

_CHANNEL_TIMEOUT_S = 30.0
COMMAND_WINDOW = 2 << 20
_PROHIBITED = 1  # "administratively prohibited" (RFC 4254 section 5.1)
# How long sshd may take to free the session of a channel that we closed.
_FREED_WITHIN_S, _FIRST_PAUSE_S, _LONGEST_PAUSE_S = 3.0, 0.02, 0.3
# How long a session that fits nowhere waits for another to end.
_WAIT_FOR_SESSION_S = 30.0


class SSHTransport(Protocol):
    """The part of the SSH library's connection used here; see `sovdeck.remote.ssh.client`."""

    broken: tuple[type[BaseException], ...]  # what its calls raise when they fail
    rtt: float  # seconds to the server and back, as the log-in found

    @property
    def failure(self) -> BaseException | None:
        """Why the connection ended; None while it has not."""

    def is_active(self) -> bool:
        """Whether the connection stands."""

    def open_session(self, *, window_size: int, timeout: float) -> Any:
        """Open a session channel with a receive window of `window_size` bytes."""

    def open_channel(self, kind: str, dest_addr: Any, src_addr: Any) -> Any:
        """Open a channel of another kind, for example "direct-tcpip"."""

    def join(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for the connection's thread to end."""

    def close_now(self) -> None:
        """Close without waiting for the thread that reads."""


class BaseConnection:
    """One authenticated connection. Use from any thread; every channel is its own."""

    def __init__(self, spec: HostSpec, transport: SSHTransport, method: str) -> None:
        self.spec = spec
        self.name = spec.name
        self.method = method  # how we got in: "publickey", "password", ...
        self._rtt = transport.rtt
        self._transport = transport
        self._prestarted: dict[tuple[str, ...], ChannelStream] = {}
        self._streams: WeakSet[ChannelStream] = WeakSet()
        self._peak_sessions = 0  # most that were open at once
        self._max_sessions = math.inf  # as many as this were open when one more was refused
        self._further: FurtherConnections[BaseConnection] | None = None
        self._preopened = PreopenedChannel(
            partial(self._open_session, COMMAND_WINDOW), transport.broken
        )

    @property
    def alive(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._transport.is_active()

    @property
    def session_limit(self) -> int | None:
        """How many sessions the server allows on this connection; None while it refused none."""
        return None if self._max_sessions == math.inf else int(self._max_sessions)

    @property
    def rtt(self) -> float:
        """Seconds to the server and back: its quickest answer to a log-in or an opening so far."""
        return self._rtt

    def failure_reason(self) -> str:
        """Why the connection ended, in the library's words."""
        error = self._transport.failure
        return _why(error) if error else "the connection ended"

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float | None = 60.0
    ) -> CommandResult:
        """Run argv and wait for its end. Problem `too_long` after `timeout` seconds."""
        return run_to_end(self.open_stream(argv), argv, stdin, timeout, self.name)

    def script(
        self, text: str, args: Sequence[str] = (), *, timeout: float | None = 60.0
    ) -> CommandResult:
        """Run a POSIX sh script of our package with args as $1...

        The text is part of the command: over stdin it would be one round trip more.
        """
        return self.run(["sh", "-c", text, "sh", *args], timeout=timeout)

    def open_stream(self, argv: Sequence[str], *, window: int = COMMAND_WINDOW) -> ChannelStream:
        """Start argv and return its channel: stdout to read, stdin to write."""
        if (prestarted := self._prestarted.pop(tuple(argv), None)) is not None:
            return prestarted
        stream = self._open_request("exec", encode_command(argv), window)
        if stream is None:
            raise Problem("remote.connection.no_exec", ExitCode.UNREACHABLE, server=self.name)
        return stream

    def prestart(self, argv: Sequence[str]) -> ChannelStream | None:
        """Start argv now; the next `open_stream` or `run` of the same argv takes it over.

        None where the server allows no further channel: it starts then.
        """
        try:
            stream = self._prestarted[tuple(argv)] = self.open_stream(argv)
        except ConnectionLost:
            raise
        except Problem as problem:
            logging.getLogger(__name__).debug("not started ahead: %s", problem.key)
            return None
        return stream

    def open_sftp(self, *, window: int = 4 << 20) -> ChannelStream:
        """The raw bytes of the sftp subsystem; SftpUnavailable where the server has none."""
        stream = self._open_request("subsystem", "sftp", window)
        if stream is None:
            raise SftpUnavailable(self.name)
        return stream

    def open_tcp(self, host: str, port: int) -> Any:
        """A socket-like channel to host:port as the server sees it."""
        try:
            return self._transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0))
        except self._transport.broken as error:
            self._raise_if_dead()
            facts = {"server": self.name, "place": f"{host} port {port}", "why": _why(error)}
            key = "remote.connection.no_forward"
            if getattr(error, "code", None) == _PROHIBITED:
                key = "remote.connection.forward_forbidden"
            raise Problem(key, ExitCode.UNREACHABLE, **facts) from None

    def forward(self, local_port: int, remote_host: str, remote_port: int) -> PortForward:
        """Listen on 127.0.0.1:local_port (0 picks one) and forward each TCP connection."""
        return PortForward(local_port, lambda: self.open_tcp(remote_host, remote_port))

    def close(self) -> None:
        """End the connection. Its streams raise ConnectionLost in other threads."""
        if self._further is not None:
            self._further.close()
        self._transport.close_now()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _open_request(self, kind: str, text: str, window: int) -> ChannelStream | None:
        """Open a channel and ask for `kind`; None when the server refuses that kind.

        Where the server allows no more sessions on this connection, another one carries it, and
        where no other can be made it waits for one to end.
        """
        try:
            return self._request_here(kind, text, window)
        except SessionRefused as refused:
            why, deadline = str(refused), monotonic() + _WAIT_FOR_SESSION_S
        if self._further is not None:
            try:
                return self._further.open(lambda one: one._request_here(kind, text, window))
            except (SessionRefused, Problem) as error:
                logging.getLogger(__name__).info("no further connection: %s", error)
        waits = self._count_sessions() > 0
        while waits and monotonic() < deadline:
            sleep(_LONGEST_PAUSE_S)
            waits = self._count_sessions() > 0
            try:
                return self._request_here(kind, text, window)
            except SessionRefused as refused:
                why = str(refused)
        facts = {"server": self.name, "why": why}
        raise Problem("remote.connection.no_channel", ExitCode.UNREACHABLE, **facts)

    def _request_here(self, kind: str, text: str, window: int) -> ChannelStream | None:
        """As `_open_request`, on this very connection; SessionRefused where it is full."""
        preopened = self._preopened.take() if window == COMMAND_WINDOW else None
        if (
            preopened is not None
            and (stream := self._send_request(preopened, kind, text)) is not None
        ):
            self._preopened.prepare()
            return stream
        if self._count_sessions() >= self._max_sessions:
            raise SessionRefused("as many sessions as it allows are open")
        channel = self._open_when_free(window)
        self._preopened.prepare()
        return self._send_request(channel, kind, text)

    def _open_when_free(self, window: int) -> Any:
        """Open a session; one of ours that has just ended may still count on the server."""
        deadline = monotonic() + _FREED_WITHIN_S
        pause, freeing = _FIRST_PAUSE_S, False
        while True:
            try:
                return self._open_session(window)
            except self._transport.broken as error:
                self._raise_if_dead()
                freeing = self._preopened.give_up() or freeing
                count = self._count_sessions()
                if count >= self._peak_sessions and not freeing:
                    self._max_sessions = count
                    raise SessionRefused(_why(error)) from None
                if monotonic() > deadline:
                    raise SessionRefused(_why(error)) from None
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _count_sessions(self) -> int:
        return sum(stream.is_open for stream in list(self._streams))

    def _open_session(self, window: int) -> Any:
        began = monotonic()
        channel = self._transport.open_session(window_size=window, timeout=_CHANNEL_TIMEOUT_S)
        self._rtt = min(self._rtt, monotonic() - began)
        return channel

    def _send_request(self, channel: Any, kind: str, text: str) -> ChannelStream | None:
        try:
            # Waiting for the answer costs no round trip: the first output travels with it.
            if kind == "exec":
                channel.exec_command(text)
            else:
                channel.invoke_subsystem(text)
        except self._transport.broken:
            self._raise_if_dead()
            return None
        stream = ChannelStream(channel, self, marked=kind == "exec")
        # This one counts even where its program has ended already.
        others = self._count_sessions()
        self._streams.add(stream)
        self._peak_sessions = max(self._peak_sessions, others + 1)
        return stream

    def _raise_if_dead(self) -> None:
        if not self.alive:
            raise ConnectionLost(self.name, self.failure_reason()) from None


def _why(error: BaseException) -> str:
    return to_printable(str(error) or type(error).__name__, MAX_REASON)
