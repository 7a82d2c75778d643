"""One SSH connection to one server. The only file that imports Fabric and Paramiko.

Fabric's Connection carries the hop chain and the client; around it stand our own dialling,
host-key policy and log-in order, since Fabric checks no host key and dials one family only.
"""

from __future__ import annotations

import contextlib
import getpass
import logging
import shlex
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from fabric import Config, Connection

from engine.contract.problem import ExitCode, Problem
from remote.command import Result, finish
from remote.credentials import Credentials
from remote.dial import dial
from remote.faults import LinkLost, NoSftp
from remote.forward import Forward
from remote.hostkeys import HostKey
from remote.hostspec import HostSpec
from remote.login import Answer, BadKey, Login, NeedsPassphrase, Verdict
from remote.pulse import Pulse
from remote.secrets import Secret
from remote.stream import Stream
from remote.trust import Trust

__all__ = [
    "Credentials",
    "Forward",
    "HostSpec",
    "Link",
    "LinkLost",
    "NoSftp",
    "Result",
    "Stream",
    "Trust",
]

_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_PERSON_ANSWERS_S = 120.0
_ASK_AFTER_S, _DEAD_AFTER_S = 1.0, 4.0

# Without a handler of its own the library's log would go to the terminal, over the dashboard.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _Wire(Pulse, paramiko.Packetizer):  # type: ignore[misc]
    """Packet layer that notices a dead peer; see `remote.pulse`."""

    # A rekey started by us while a channel closes deadlocks paramiko (#822); the server still
    # rekeys on its own schedule.
    REKEY_BYTES = 1 << 36


class _Transport(paramiko.Transport):  # type: ignore[misc]
    _active_check_timeout = 0.5  # how often an idle connection wakes up to check its pulse

    def __init__(self, sock: Any, **options: Any) -> None:
        super().__init__(sock, packetizer_class=_Wire, **options)
        options_of_link = self.get_security_options()
        options_of_link.ciphers = (
            *_CIPHERS,
            *(c for c in options_of_link.ciphers if c not in _CIPHERS and "cbc" not in c),
        )

    def watch(self, every: float, limit: float) -> None:
        """Ask for a sign of life after `every` silent seconds; give up after `limit`."""
        self.packetizer.start_pulse(every, limit, self._ask_for_life)

    def _ask_for_life(self) -> None:
        message = paramiko.Message()
        message.add_byte(paramiko.common.cMSG_GLOBAL_REQUEST)
        message.add_string("keepalive@openssh.com")
        message.add_boolean(
            True
        )  # paramiko's own keepalive asks for no reply, so it proves nothing
        if self.clear_to_send.is_set():  # else keys are being exchanged: waiting would lock up
            self._send_user_message(message)


class _Policy(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
    """Hands every host key to Trust: paramiko's own known_hosts stay empty on purpose."""

    def __init__(self, trust: Trust, spec: HostSpec) -> None:
        self._trust = trust
        self._spec = spec

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        self._trust.check(
            self._spec.host,
            self._spec.port,
            HostKey(key.get_name(), key.asbytes()),
            name=self._spec.name,
        )


class _Door:
    """remote.login.Door over one transport; also paramiko's auth_strategy."""

    def __init__(self, spec: HostSpec, user: str, credentials: Credentials) -> None:
        self._login = Login(self, spec, user, credentials)
        self._user = user
        self._agent: paramiko.Agent | None = None
        self.method = ""

    def authenticate(self, transport: paramiko.Transport) -> None:
        self._transport = transport
        try:
            self.method = self._login.run()
        finally:
            if self._agent:
                self._agent.close()

    def methods(self) -> frozenset[str]:
        try:
            self._transport.auth_none(self._user)
        except paramiko.BadAuthenticationType as error:
            return frozenset(error.allowed_types)
        return frozenset()

    def agent_keys(self) -> Sequence[paramiko.PKey]:
        try:
            self._agent = paramiko.Agent()
        except (paramiko.SSHException, OSError):
            return ()  # a stale SSH_AUTH_SOCK is no agent
        return tuple(self._agent.get_keys())

    def load_key(self, path: Path, passphrase: Secret | None) -> paramiko.PKey:
        text = passphrase.reveal().encode() if passphrase else None
        try:
            return paramiko.PKey.from_path(path, text)
        except (paramiko.PasswordRequiredException, TypeError) as error:
            if passphrase is None:
                raise NeedsPassphrase from error
            raise BadKey(str(error)) from None
        except OSError as error:
            raise BadKey(error.strerror or str(error)) from None
        except (paramiko.SSHException, ValueError, KeyError, UnsupportedAlgorithm) as error:
            raise BadKey(str(error) or type(error).__name__) from None

    def try_key(self, key: Any) -> Verdict:
        return self._attempt(lambda: self._transport.auth_publickey(self._user, key))

    def try_password(self, secret: Secret) -> Verdict:
        return self._attempt(
            lambda: self._transport.auth_password(self._user, secret.reveal(), fallback=False)
        )

    def try_answers(self, answer: Answer) -> Verdict:
        self._transport.auth_timeout = _PERSON_ANSWERS_S
        return self._attempt(
            lambda: self._transport.auth_interactive(
                self._user, lambda _title, _text, questions: answer(questions)
            )
        )

    def _attempt(self, attempt: Any) -> Verdict:
        try:
            more = attempt()
        except paramiko.BadAuthenticationType as error:
            return Verdict(False, frozenset(error.allowed_types))
        except paramiko.AuthenticationException:
            if not self._transport.is_active():
                raise
            return Verdict(False)
        return Verdict(not more, frozenset(more) if more else None, partial=bool(more))


class Link:
    """One authenticated connection. Use from any thread; every channel is its own."""

    def __init__(self, spec: HostSpec, connection: Connection, method: str, hops: tuple[Link, ...]):
        self.spec = spec
        self.name = spec.name
        self.method = method
        self._connection = connection
        self._hops = hops
        self._transport: _Transport = connection.transport

    @classmethod
    def connect(
        cls, spec: HostSpec, *, trust: Trust, credentials: Credentials, timeout: float = 15.0
    ) -> Link:
        """Connect through the spec's hops; Problem UNREACHABLE or REFUSED when it cannot be.

        timeout: seconds for each of dialling, the server's greeting and each log-in attempt.
        """
        hops: tuple[Link, ...] = ()
        try:
            for hop in spec.jump:
                inner = HostSpec(hop.host, hop.port, hop.user, hop.identity or spec.identity)
                hops += (_open(inner, hops, trust, credentials, timeout),)
            return _open(spec, hops, trust, credentials, timeout)
        except BaseException:
            for link in reversed(hops):
                link.close()
            raise

    @property
    def alive(self) -> bool:
        return bool(self._transport.is_active())

    def why_dead(self) -> str:
        """Why the connection ended, in the library's words."""
        error = self._transport.get_exception() or self._transport.packetizer.fault
        return str(error) if error and str(error) else "the connection ended"

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float | None = 60.0
    ) -> Result:
        """Run argv and wait for its end. Problem `remote.link.too_long` after `timeout` seconds."""
        return finish(self.open_stream(argv), argv, stdin, timeout, self.name)

    def script(
        self, text: str, args: Sequence[str] = (), *, timeout: float | None = 60.0
    ) -> Result:
        """Run a POSIX sh script of our package with args as $1...; the text goes over stdin."""
        return self.run(["sh", "-s", "--", *args], stdin=text.encode("utf-8"), timeout=timeout)

    def open_stream(self, argv: Sequence[str], *, window: int = 2 << 20) -> Stream:
        """Start argv and return its channel: stdout to read, stdin to write."""
        channel = self._open_channel(window)
        try:
            channel.exec_command(shlex.join(argv))
        except (paramiko.SSHException, EOFError, OSError):
            self._raise_if_dead()
            raise Problem("remote.link.no_exec", ExitCode.UNREACHABLE, server=self.name) from None
        return Stream(channel, self)

    def open_sftp(self, *, window: int = 4 << 20) -> Stream:
        """The raw bytes of the sftp subsystem; NoSftp where the server has none."""
        channel = self._open_channel(window)
        try:
            channel.invoke_subsystem("sftp")
        except (paramiko.SSHException, EOFError, OSError):
            self._raise_if_dead()
            raise NoSftp(self.name) from None
        return Stream(channel, self)

    def open_tcp(self, host: str, port: int) -> Any:
        """A socket-like channel to host:port as the server sees it."""
        try:
            return self._transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0))
        except (paramiko.SSHException, EOFError, OSError) as error:
            self._raise_if_dead()
            place = f"{host} port {port}"
            raise Problem(
                "remote.link.no_forward",
                ExitCode.UNREACHABLE,
                server=self.name,
                place=place,
                why=str(error),
            ) from None

    def forward(self, local_port: int, remote_host: str, remote_port: int) -> Forward:
        """Listen on 127.0.0.1:local_port (0 picks one) and carry each connection over."""
        return Forward(local_port, lambda: self.open_tcp(remote_host, remote_port))

    def close(self) -> None:
        """End the connection and its hops. Streams in other threads end."""
        _shut(self._transport)
        self._connection.close()
        for hop in reversed(self._hops):
            hop.close()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _open_channel(self, window: int) -> paramiko.Channel:
        try:
            return self._transport.open_session(window_size=window, timeout=30.0)
        except (paramiko.SSHException, EOFError, OSError) as error:
            self._raise_if_dead()
            raise Problem(
                "remote.link.no_channel", ExitCode.UNREACHABLE, server=self.name, why=str(error)
            ) from None

    def _raise_if_dead(self) -> None:
        if not self.alive:
            raise LinkLost(self.name, self.why_dead()) from None


def _open(
    spec: HostSpec, hops: tuple[Link, ...], trust: Trust, credentials: Credentials, timeout: float
) -> Link:
    user = spec.user or getpass.getuser()
    sock: Any
    if hops:
        sock = hops[-1].open_tcp(spec.host, spec.port)
    else:
        sock = dial(spec.host, spec.port, spec.family, timeout)
    door = _Door(spec, user, credentials)

    def transport(sock: Any, **options: Any) -> _Transport:
        made = _Transport(sock, **options)
        kinds = trust.wanted_kinds(spec.host, spec.port)
        order = made.get_security_options()
        order.key_types = [k for k in kinds if k in order.key_types] + [
            k for k in order.key_types if k not in kinds
        ]
        return made

    connection = Connection(
        host=spec.host,
        user=user,
        port=spec.port,
        config=Config(lazy=True),  # no fabric.yaml or fabric.py of the user is read or run
        connect_kwargs={
            "sock": sock,
            "transport_factory": transport,
            "auth_strategy": door,
            "timeout": timeout,
            "banner_timeout": timeout,
            "auth_timeout": timeout,
        },
    )
    connection.client.set_missing_host_key_policy(_Policy(trust, spec))
    try:
        connection.open()
    except (paramiko.SSHException, EOFError, OSError) as error:
        _discard(connection, sock)
        cut = isinstance(error, paramiko.AuthenticationException) and "timeout" not in str(error)
        if cut:
            raise Problem("remote.auth.cut_off", ExitCode.REFUSED, server=spec.name) from None
        why = str(error) or type(error).__name__
        raise Problem(
            "remote.link.no_greeting", ExitCode.UNREACHABLE, server=spec.name, why=why
        ) from None
    except BaseException:
        _discard(connection, sock)
        raise
    connection.transport.watch(_ASK_AFTER_S, _DEAD_AFTER_S)
    return Link(spec, connection, door.method, hops)


def _discard(connection: Connection, sock: Any) -> None:
    """Close what a failed opening left; Fabric only closes what it believes to be open."""
    transport = connection.client.get_transport()
    if transport:
        _shut(transport)
    connection.client.close()
    sock.close()


def _shut(transport: paramiko.Transport) -> None:
    # Closing alone leaves paramiko's thread in recv() until its next time limit.
    with contextlib.suppress(OSError):
        transport.sock.shutdown(socket.SHUT_RDWR)
    transport.close()
