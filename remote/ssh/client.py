"""One SSH connection to one server.

This file and `paramiko_internals` alone import Fabric and Paramiko. Fabric is used for connections
only: its Connection carries the client. Dialling, host-key policy and log-in order are our own,
since Fabric checks no host key and dials one family only; commands and transfers go over channels.
"""

from __future__ import annotations

import contextlib
import getpass
import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import paramiko
from fabric import Config, Connection

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.foreign_values import is_file
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.authenticate import (
    Authenticator,
    AuthResult,
    BadKey,
    PromptHandler,
)
from sovdeck.remote.auth.credentials import Credentials
from sovdeck.remote.auth.private_key import read_private_key
from sovdeck.remote.errors import ConnectionLost, SftpUnavailable
from sovdeck.remote.hosts.address import MAX_REASON, to_printable
from sovdeck.remote.hosts.certificates import find_certificate, load_certificate
from sovdeck.remote.hosts.host_key_policy import HostKeyPolicy
from sovdeck.remote.hosts.paramiko_policy import ParamikoHostKeyPolicy
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.secret import Secret
from sovdeck.remote.ssh.base_connection import BaseConnection
from sovdeck.remote.ssh.channel_stream import ChannelStream
from sovdeck.remote.ssh.command import CommandResult
from sovdeck.remote.ssh.dial import dial
from sovdeck.remote.ssh.further_connections import FurtherConnections
from sovdeck.remote.ssh.malloc_arenas import use_one_malloc_arena
from sovdeck.remote.ssh.paramiko_internals import BROKEN, SSHAgent, Transport
from sovdeck.remote.ssh.port_forward import PortForward
from sovdeck.remote.ssh.proxy_command import ProxyCommandSocket

__all__ = [
    "ChannelStream",
    "CommandResult",
    "ConnectionLost",
    "Credentials",
    "HostKeyPolicy",
    "HostSpec",
    "PortForward",
    "SSHConnection",
    "SftpUnavailable",
]

_KEY_CLASSES = {
    "ed25519": paramiko.Ed25519Key,
    "ecdsa": paramiko.ECDSAKey,
    "rsa": paramiko.RSAKey,
}
_INTERACTIVE_TIMEOUT_S = 120.0
_MAX_CONNECTS = 4  # for one log-in

# Without a handler of its own the library's log would go to the terminal, over the dashboard.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _ParamikoAuth:
    """An AuthTransport (`remote.auth.authenticate`) over paramiko; also its auth_strategy."""

    def __init__(self, spec: HostSpec, user: str, credentials: Credentials) -> None:
        self._login = Authenticator(self, spec, user, credentials)
        self._spec, self._user = spec, user
        self._agent: SSHAgent | None = None
        self._transport: Any = None
        self.method = ""

    @property
    def may_go_on(self) -> bool:
        """Whether another connection could still succeed; see `Authenticator`."""
        return self._login.may_go_on

    @property
    def offered(self) -> int:
        """How many keys were offered so far."""
        return self._login.offered

    def hung_up_because(self) -> str:
        """What the server said when it ended the connection."""
        failure = self._transport.failure if self._transport else None
        return to_printable(str(failure), MAX_REASON) if failure else ""

    def authenticate(self, transport: Transport) -> None:
        self._transport = transport
        try:
            self.method = self._login.authenticate()
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
        if self._spec.identity_agent == "none":
            return ()
        self._agent = SSHAgent(self._spec.identity_agent)
        keys = tuple(self._agent.get_keys())
        for key in keys:
            self._certify(key)
        return keys

    def load_key(self, path: Path, passphrase: Secret | None) -> paramiko.PKey:
        kind, text = read_private_key(path, passphrase)
        key = _KEY_CLASSES[kind].from_private_key(io.StringIO(text))
        certificate_path = path.with_name(path.name + "-cert.pub")
        if is_file(certificate_path) and load_certificate(certificate_path) is None:
            raise BadKey(f"{certificate_path.name} is no certificate")
        self._certify(key, certificate_path)
        return key

    def _certify(self, key: Any, *beside: Path) -> None:
        """Let the key show a certificate that was made for it, where there is one."""
        named = [Path(file).expanduser() for file in self._spec.certificates]
        certificate = find_certificate([*named, *beside], key.asbytes())
        if certificate is not None:
            key.load_certificate(str(certificate))

    def public_blob(self, key: Any) -> bytes:
        return bytes(key.asbytes())

    def try_key(self, key: Any) -> AuthResult:
        sign = partial(self._transport.auth_publickey, self._user, key)
        if not isinstance(key, paramiko.AgentKey):
            return self._attempt(sign)

        def ask_first() -> list[str]:
            # Only for a key that will do: an agent may ask a person for each signature.
            self._transport.ensure_session()
            self._transport.auth_handler.accepts_key(self._user, key)
            more: list[str] = sign()
            return more

        return self._attempt(ask_first)

    def try_password(self, secret: Secret) -> AuthResult:
        send = self._transport.auth_password
        return self._attempt(lambda: send(self._user, secret.reveal(), fallback=False))

    def try_interactive(self, handler: PromptHandler) -> AuthResult:
        self._transport.auth_timeout = _INTERACTIVE_TIMEOUT_S
        send = self._transport.auth_interactive
        return self._attempt(lambda: send(self._user, lambda _title, _text, asked: handler(asked)))

    def _attempt(self, attempt: Callable[[], list[str]]) -> AuthResult:
        try:
            more = attempt()
        except paramiko.BadAuthenticationType as error:
            return AuthResult(False, frozenset(error.allowed_types))
        except (paramiko.SSHException, OSError) as error:
            # Also an agent that will not sign; a dead or silent server ends the whole log-in.
            if not self._transport.is_active() or "timeout" in str(error):
                raise
            return AuthResult(False, self._transport.auth_handler.methods_left)
        return AuthResult(not more, frozenset(more) if more else None, partial=bool(more))


class _JumpSocket:
    """A channel through a jump host, as the socket of the next connection."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def close(self) -> None:
        # Closing a channel sends a message; when the hop is what died, there is no way to.
        with contextlib.suppress(EOFError, OSError):
            self._channel.close()


class SSHConnection(BaseConnection):
    """A connection over Fabric and Paramiko, with those to its jump hosts."""

    def __init__(
        self,
        spec: HostSpec,
        fabric_connection: Connection,
        method: str,
        hops: tuple[SSHConnection, ...],
    ):
        super().__init__(spec, fabric_connection.transport, method)
        self._fabric_connection = fabric_connection
        self._hops = hops

    @classmethod
    def connect(
        cls,
        spec: HostSpec,
        *,
        trust: HostKeyPolicy,
        credentials: Credentials,
        timeout: float = 15.0,
    ) -> SSHConnection:
        """Connect through the spec's hops; Problem UNREACHABLE or REFUSED when it cannot be.

        timeout: seconds for each of dialling, the server's greeting and each log-in attempt.
        """
        use_one_malloc_arena()
        connection = cls._connect_once(spec, trust, credentials, timeout)
        connection._further = FurtherConnections(
            partial(cls._connect_once, spec, trust, credentials, timeout)
        )
        return connection

    @classmethod
    def _connect_once(
        cls, spec: HostSpec, trust: HostKeyPolicy, credentials: Credentials, timeout: float
    ) -> SSHConnection:
        hops: tuple[SSHConnection, ...] = ()
        for_hops = replace(credentials, password=None)  # the given password is the target's alone
        try:
            for hop in spec.jump:
                keys = hop.identity or spec.identity
                inner = replace(hop, identity=keys, only_identity=spec.only_identity)
                hops += (_open_connection(inner, hops, trust, for_hops, timeout),)
            return _open_connection(spec, hops, trust, credentials, timeout)
        except BaseException:
            for connection in reversed(hops):
                connection.close()
            raise

    def close(self) -> None:
        """End the connection and its hops. Its streams raise ConnectionLost in other threads."""
        super().close()
        self._fabric_connection.close()
        for hop in reversed(self._hops):
            hop.close()


def _open_connection(
    spec: HostSpec,
    hops: tuple[SSHConnection, ...],
    trust: HostKeyPolicy,
    credentials: Credentials,
    timeout: float,
) -> SSHConnection:
    user = spec.user or getpass.getuser()
    auth = _ParamikoAuth(spec, user, credentials)
    trust = trust.with_options(spec.host_key_options)
    for _ in range(_MAX_CONNECTS):
        offered = auth.offered
        try:
            return _log_in(spec, user, hops, trust, auth, timeout)
        except _CutOff as cut:
            # Some servers allow fewer refused keys than OpenSSH does: the next connection goes on
            # with those not offered yet, and with a password.
            why = cut.why
            if "too many" not in why.lower() or not auth.may_go_on or auth.offered == offered:
                break
    reason = why or text("remote.auth.no_reason")
    raise Problem("remote.auth.cut_off", ExitCode.REFUSED, server=spec.name, why=reason)


class _CutOff(Exception):
    """The server ended the connection during the log-in; why: in its words."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def _log_in(
    spec: HostSpec,
    user: str,
    hops: tuple[SSHConnection, ...],
    trust: HostKeyPolicy,
    auth: _ParamikoAuth,
    timeout: float,
) -> SSHConnection:
    sock: Any
    if hops:
        sock = _JumpSocket(hops[-1].open_tcp(spec.host, spec.port))
    elif spec.proxy_command:
        sock = ProxyCommandSocket(spec)
    else:
        sock = dial(spec.host, spec.port, spec.family, timeout)
    kinds = trust.preferred_key_types(spec.known_hosts_name)
    fabric_connection = Connection(
        host=spec.host,
        user=user,
        port=spec.port,
        config=Config(lazy=True),  # no fabric.yaml or fabric.py of the user is read or run
        connect_kwargs={
            "sock": sock,
            "transport_factory": partial(Transport, host_key_kinds=kinds),
            "auth_strategy": auth,
            "timeout": timeout,
            "banner_timeout": timeout,
            "auth_timeout": timeout,
        },
    )
    fabric_connection.client.set_missing_host_key_policy(ParamikoHostKeyPolicy(trust, spec))
    try:
        fabric_connection.open()
    except BROKEN as error:
        failed_proxy = sock.failure() if isinstance(sock, ProxyCommandSocket) else None
        _close_failed(fabric_connection, sock)
        if isinstance(error, paramiko.AuthenticationException) and "timeout" not in str(error):
            raise _CutOff(auth.hung_up_because()) from None
        if failed_proxy is not None:
            raise failed_proxy from None
        key = "no_greeting"
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
            key = "no_common_algorithm"
        facts = {
            "server": spec.name,
            "why": to_printable(str(error) or type(error).__name__, MAX_REASON),
        }
        raise Problem(f"remote.connection.{key}", ExitCode.UNREACHABLE, **facts) from None
    except BaseException:
        _close_failed(fabric_connection, sock)
        raise
    fabric_connection.transport.start_keepalive()
    return SSHConnection(spec, fabric_connection, auth.method, hops)


def _close_failed(fabric_connection: Connection, sock: Any) -> None:
    """Close what a failed opening left; Fabric only closes what it believes to be open."""
    transport = fabric_connection.client.get_transport()
    if transport:
        transport.close_now()
    fabric_connection.client.close()
    sock.close()
