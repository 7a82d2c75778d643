"""A voice's HTTP endpoints, served on the server's loopback address and forwarded to ours.

`python -m sovdeck.engine serve` answers there and ends with our channel; a port forward takes
requests to it. When the connection is lost, a new engine is started over a new one. Clients keep
the port: until then they are answered 503 with the reason.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Self

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.errors import ConnectionLost, InputClosed
from sovdeck.remote.secret import Secret
from sovdeck.remote.speech.engine_end import ended_problem
from sovdeck.remote.speech.http_unavailable import respond_unavailable
from sovdeck.remote.speech.json_lines import (
    JsonLines,
    check_exit,
    int_field,
    parse_engine_problem,
)
from sovdeck.remote.speech.speech_session import LOAD_TIMEOUT_S
from sovdeck.remote.ssh.channel_reader import ConnectionSource, retry_delay
from sovdeck.remote.ssh.client import ChannelStream, SSHConnection
from sovdeck.remote.ssh.port_forward import PortForward

_HOST = "127.0.0.1"
_HEARTBEAT_S = 30.0
_POLL_S = 0.5
_SERVER_IDLE_LIMIT_S = 150  # the engine ends after so long without a heartbeat: five were missed


def is_loopback(address: str) -> bool:
    """Whether only this computer reaches the address; Problem when it is no IP address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        raise Problem("remote.speak.bad_address", ExitCode.CONFIG, address=address) from None


class _EngineProcess:
    """One `engine serve` process and the channel it ends with."""

    def __init__(self, connection: SSHConnection, stream: ChannelStream) -> None:
        self.connection = connection
        self.stream = stream
        self.lines = JsonLines(stream, connection.name)
        self.port = self._wait_listening()
        self.open_tcp().close()  # a server that forwards nothing says so now

    def open_tcp(self) -> Any:
        return self.connection.open_tcp(_HOST, self.port)

    def _wait_listening(self) -> int:
        server = self.connection.name
        try:
            message = self.lines.next(time.monotonic() + LOAD_TIMEOUT_S)
        except TimeoutError:
            raise Problem(
                "remote.speak.silent",
                ExitCode.UNREACHABLE,
                server=server,
                seconds=int(LOAD_TIMEOUT_S),
            ) from None
        if message is None:
            check_exit(self.stream, server, {})
            raise ended_problem(self.stream, server)
        port = int_field(message, "port")
        if message.get("event") != "listening" or port is None or not 0 < port < 65536:
            unexpected = Problem(
                "remote.speak.odd", ExitCode.INTERNAL, server=server, event="listening"
            )
            raise parse_engine_problem(message) or unexpected
        return port


class HttpEndpoint:
    """One voice under `http://127.0.0.1:PORT`. Close it to end both sides."""

    def __init__(
        self,
        connection_source: ConnectionSource,
        deployed: Deployed,
        voice: str,
        port: int,
        options: Sequence[str] = (),
        *,
        address: str = _HOST,
        token: Secret | None = None,
        on_change: Callable[[Problem | None], None] = lambda _problem: None,
        delay: Callable[[int], float] = retry_delay,
    ) -> None:
        """Listen on `address`:`port` (0 picks one) and wait until the voice is loaded there.

        options: of `engine serve`. address: other computers reach one that is not loopback, so it
        wants a token. token: what requests must bring; it goes over the channel, in no argument.
        on_change: called from `wait` with the Problem that makes the
        voice unavailable, and with None once it answers again. delay: seconds to wait after the
        n-th failed try to connect. Raises Problem when the port is taken, or the engine's own.
        """
        self._connection_source = connection_source
        self._deployed = deployed
        work = str(deployed.layout.work)
        argv = ["serve", voice, "--port", "0", "--work", work, "--json"]
        argv += ["--attached", str(_SERVER_IDLE_LIMIT_S)]
        argv += ["--token"] if token is not None else []
        if not is_loopback(address):
            if token is None:
                raise Problem("remote.speak.needs_token", ExitCode.CONFIG, address=address)
            argv += ["--any-address"]
        self._token = token
        self._argv = deployed.engine_argv([*argv, *options])
        self._on_change = on_change
        self._delay = delay
        self._closed = threading.Event()
        self._stream: ChannelStream | None = None
        self._engine: _EngineProcess | None = None
        self._unavailable: Problem | None = None
        # Our port first: when it is taken, no model is loaded for it.
        self._forward = PortForward(
            port, self._open_remote_end, respond_unavailable, address=address
        )
        try:
            self._start_engine()
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._send_heartbeats, name="endpoint-beat", daemon=True).start()

    @property
    def port(self) -> int:
        """The local port really bound."""
        return self._forward.port

    def wait(self) -> None:
        """Wait until `close` is called, reconnecting after a lost connection.

        Raises the Problem of an engine that ended by itself, or of a server that refuses us now.
        """
        while not self._closed.is_set():
            assert self._engine is not None
            try:
                # With a deadline: Windows notices no Ctrl-C in an endless wait.
                message = self._engine.lines.next(time.monotonic() + _POLL_S)
            except TimeoutError:
                continue
            except ConnectionLost as lost:
                self._reconnect(lost)
                continue
            if message is None and not self._closed.is_set():
                raise ended_problem(self._engine.stream, self._engine.connection.name)

    def close(self) -> None:
        """End both sides; from any thread."""
        self._closed.set()
        self._forward.close()
        if self._stream is not None:
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _start_engine(self) -> None:
        connection = self._connection_source()
        self._stream = connection.open_stream(self._argv)
        try:
            if self._token is not None:
                with suppress(InputClosed):  # it has ended, and its stderr says why
                    self._stream.write(self._token.reveal().encode() + b"\n")
            if self._closed.is_set():  # closed meanwhile: nobody else would end this one
                self._stream.close()
            self._engine, self._unavailable = _EngineProcess(connection, self._stream), None
        except BaseException:
            self._stream.close()
            raise

    def _reconnect(self, lost: Problem) -> None:
        """Start a new engine over a new connection; raises only what no further try can mend."""
        self._unavailable, tries = lost, 0
        self._on_change(lost)
        while not self._closed.is_set():
            try:
                self._start_engine()
            except Problem as problem:
                if problem.exit_code is not ExitCode.UNREACHABLE:
                    raise
                self._unavailable = problem
                self._closed.wait(self._delay(tries))
                tries += 1
            else:
                self._on_change(None)
                return

    def _open_remote_end(self) -> Any:
        """Connect to the engine for one request; raises the Problem that makes it unavailable."""
        if self._unavailable is not None or self._engine is None:
            raise self._unavailable or Problem("remote.speak.loading", ExitCode.UNREACHABLE)
        return self._engine.open_tcp()

    def _send_heartbeats(self) -> None:
        """Send a line now and then: a laptop that fell asleep must not keep a model loaded."""
        while not self._closed.wait(_HEARTBEAT_S):
            stream = self._stream
            try:
                if stream is not None:
                    stream.write(b"\n")
            except Problem:
                continue  # `wait` reports its end, and the next one needs heartbeats too
