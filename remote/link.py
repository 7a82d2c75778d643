"""One SSH connection to one server. The only file that imports Fabric and Paramiko.

Fabric's Connection carries the hop chain and the client; around it stand our own dialling,
host-key policy and log-in order, since Fabric checks no host key and dials one family only.
"""

from __future__ import annotations

import contextlib
import getpass
import io
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import paramiko
from fabric import Config, Connection

from engine.contract.problem import ExitCode, Problem
from remote.address import shown
from remote.carrier import Carrier, Terms, terms
from remote.certificates import find_certificate, read_file
from remote.command import Result
from remote.credentials import Credentials
from remote.dial import dial
from remote.faults import LinkLost, NoSftp
from remote.forward import Forward
from remote.hop_socket import HopSocket
from remote.host_policy import Policy
from remote.hostspec import HostSpec
from remote.login import Answer, BadKey, Login, Verdict
from remote.orderly import Late, OrderlyChannel
from remote.private_key import read_private_key
from remote.pulse import Pulse
from remote.secrets import Secret
from remote.session import Session
from remote.stream import Stream
from remote.trust import Trust

__all__ = ["Credentials", "Forward", "HostSpec", "Link", "LinkLost", "NoSftp", "Result"]
__all__ += ["Stream", "Trust"]

_BROKEN = (paramiko.SSHException, EOFError, OSError)
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_KEY_CLASSES = {
    "ed25519": paramiko.Ed25519Key,
    "ecdsa": paramiko.ECDSAKey,
    "rsa": paramiko.RSAKey,
}
_PERSON_ANSWERS_S = 120.0
_ASK_AFTER_S, _DEAD_AFTER_S = 1.0, 4.0

# Without a handler of its own the library's log would go to the terminal, over the dashboard.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _Wire(Pulse, paramiko.Packetizer):  # type: ignore[misc]
    """Packet layer that notices a dead peer; see `remote.pulse`."""

    # A rekey started by us while a channel closes deadlocks paramiko (#822); the server still
    # rekeys on its own schedule.
    REKEY_BYTES = 1 << 36


class _Auth(paramiko.auth_handler.AuthOnlyHandler):  # type: ignore[misc]
    """One service request for all attempts (RFC 4252 section 5), as asyncssh servers insist on.

    Paramiko's own version starts to listen after sending, so that a quick answer is missed, and
    cannot send "none".
    """

    def send_auth_request(self, username: str, method: str, finish_message: Any = None) -> Any:
        self.auth_event = threading.Event()
        self.auth_method, self.username = method, username
        message = paramiko.Message()
        message.add_byte(paramiko.common.cMSG_USERAUTH_REQUEST)
        message.add(username, "ssh-connection", method)
        if finish_message:
            finish_message(message)
        self.transport._send_message(message)
        return self.wait_for_response(self.auth_event)


class _Channel(OrderlyChannel, paramiko.Channel):  # type: ignore[misc]
    """A channel whose words never come after its end; see `remote.orderly`."""


class _Transport(paramiko.ServiceRequestingTransport):  # type: ignore[misc]
    _active_check_timeout = 0.5  # how often an idle connection wakes up to check its pulse
    broken = _BROKEN

    def __init__(self, sock: Any, host_key_kinds: Sequence[str], **options: Any) -> None:
        super().__init__(sock, packetizer_class=_Wire, **options)
        self._accepted = threading.Event()
        self._farewell: Exception | None = None
        order = self.get_security_options()
        order.ciphers = (*_CIPHERS, *(c for c in order.ciphers if "ctr" in c))
        self._kinds = tuple(kind for kind in host_key_kinds if kind in self._key_info)

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """Kinds of host keys, those we know first. Paramiko's own order ends in certificates."""
        return tuple(dict.fromkeys((*self._kinds, *super().preferred_keys)))

    @property
    def fault(self) -> BaseException | None:
        # Not `get_exception`, which forgets what it tells.
        first: BaseException | None = (
            self.packetizer.fault or self._farewell or self.saved_exception
        )
        return first

    def _parse_disconnect(self, message: Any) -> None:
        _, reason = message.get_int(), message.get_text()
        self._farewell = paramiko.SSHException(f"the server ended it: {reason}")

    def open_channel(self, *args: Any, **options: Any) -> Any:
        channel = super().open_channel(*args, **options)
        channel.__class__ = _Channel  # the library offers no way to choose it
        return channel

    def _send_message(self, data: Any) -> None:
        message = data.make() if isinstance(data, Late) else data
        if message is not None:
            super()._send_message(message)

    def ensure_session(self) -> None:
        # Paramiko's own sleeps in steps of 0.1 s, for ever when the server is gone.
        if not self._accepted.is_set():
            message = paramiko.Message()
            message.add_byte(paramiko.common.cMSG_SERVICE_REQUEST)
            message.add("ssh-userauth")
            self._send_message(message)
            deadline = time.monotonic() + self.auth_timeout
            while not self._accepted.wait(0.1):
                if not self.is_active() or time.monotonic() > deadline:
                    raise self.fault or paramiko.SSHException("no answer to the log-in request")
            self.auth_handler = _Auth(self)

    def _parse_service_accept(self, message: Any) -> None:
        self._accepted.set()

    def _parse_global_request(self, message: Any) -> None:
        # sshd sends its host keys after the log-in and, with Nagle's rule on, holds back its word
        # on our first channel until they are acknowledged: the system would wait 40 ms with that.
        super()._parse_global_request(message)
        if self.clear_to_send.is_set():
            self.send_ignore()

    def shut(self) -> None:
        """Close at once: plain close() leaves the reading thread in recv() for a while."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.close()

    def watch(self) -> None:
        """Begin to notice a dead peer."""
        self.packetizer.start_pulse(_ASK_AFTER_S, _DEAD_AFTER_S, self._ask_for_life)

    def _ask_for_life(self) -> None:
        if not self.clear_to_send.is_set():
            return  # keys are being exchanged: waiting for that here would lock up
        message = paramiko.Message()
        message.add_byte(paramiko.common.cMSG_GLOBAL_REQUEST)
        # True asks for a reply: paramiko's own keepalive asks for none, so it proves nothing.
        message.add("keepalive@openssh.com", True)
        self._send_user_message(message)


class _Door:
    """remote.login.Door over one transport; also paramiko's auth_strategy."""

    def __init__(self, spec: HostSpec, user: str, credentials: Credentials) -> None:
        self._login = Login(self, spec, user, credentials)
        self._spec, self._user = spec, user
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
        keys = tuple(self._agent.get_keys())
        for key in keys:
            self._certify(key)
        return keys

    def load_key(self, path: Path, passphrase: Secret | None) -> paramiko.PKey:
        kind, text = read_private_key(path, passphrase)
        key = _KEY_CLASSES[kind].from_private_key(io.StringIO(text))
        beside = path.with_name(path.name + "-cert.pub")
        if beside.is_file() and read_file(beside) is None:
            raise BadKey(f"{beside.name} is no certificate")
        self._certify(key, beside)
        return key

    def _certify(self, key: Any, *beside: Path) -> None:
        """Let the key show a certificate that was made for it, where there is one."""
        named = [Path(file).expanduser() for file in self._spec.certificates]
        certificate = find_certificate([*named, *beside], key.asbytes())
        if certificate is not None:
            key.load_certificate(str(certificate))

    def public_blob(self, key: Any) -> bytes:
        return bytes(key.asbytes())

    def try_key(self, key: Any) -> Verdict:
        return self._attempt(lambda: self._transport.auth_publickey(self._user, key))

    def try_password(self, secret: Secret) -> Verdict:
        send = self._transport.auth_password
        return self._attempt(lambda: send(self._user, secret.reveal(), fallback=False))

    def try_answers(self, answer: Answer) -> Verdict:
        self._transport.auth_timeout = _PERSON_ANSWERS_S
        send = self._transport.auth_interactive
        return self._attempt(lambda: send(self._user, lambda _title, _text, asked: answer(asked)))

    def _attempt(self, attempt: Callable[[], list[str]]) -> Verdict:
        try:
            more = attempt()
        except paramiko.BadAuthenticationType as error:
            return Verdict(False, frozenset(error.allowed_types))
        except paramiko.SSHException as error:
            # Also an agent that will not sign; a dead or silent server ends the whole log-in.
            if not self._transport.is_active() or "timeout" in str(error):
                raise
            return Verdict(False)
        return Verdict(not more, frozenset(more) if more else None, partial=bool(more))


class Link(Session):
    """One connection; see `remote.session` for what it does."""

    def __init__(self, spec: HostSpec, connection: Connection, method: str, hops: tuple[Link, ...]):
        super().__init__(spec, connection.transport, method)
        self._connection = connection
        self._hops = hops
        self._terms: Terms | None = None

    @classmethod
    def connect(
        cls, spec: HostSpec, *, trust: Trust, credentials: Credentials, timeout: float = 15.0
    ) -> Link:
        """Connect through the spec's hops; Problem UNREACHABLE or REFUSED when it cannot be.

        timeout: seconds for each of dialling, the server's greeting and each log-in attempt.
        """
        hops: tuple[Link, ...] = ()
        for_hops = replace(credentials, password=None)  # the given password is the target's alone
        try:
            for hop in spec.jump:
                keys = hop.identity or spec.identity
                inner = replace(hop, identity=keys, only_identity=spec.only_identity)
                hops += (_open(inner, hops, trust, for_hops, timeout),)
            return _open(spec, hops, trust, credentials, timeout)
        except BaseException:
            for link in reversed(hops):
                link.close()
            raise

    def carrier(self) -> Carrier | None:
        """The system's ssh on the terms of this connection; None where it would have to ask."""
        return Carrier(self._terms) if self._terms else None

    def close(self) -> None:
        """End the connection and its hops. Their streams raise LinkLost in other threads."""
        super().close()
        self._connection.close()
        for hop in reversed(self._hops):
            hop.close()


def _open(
    spec: HostSpec, hops: tuple[Link, ...], trust: Trust, credentials: Credentials, timeout: float
) -> Link:
    user = spec.user or getpass.getuser()
    sock: Any = (
        HopSocket(hops[-1].open_tcp(spec.host, spec.port))
        if hops
        else dial(spec.host, spec.port, spec.family, timeout)
    )
    door = _Door(spec, user, credentials)
    trust = trust.following(spec.key_rules)
    kinds = trust.wanted_kinds(spec.place)
    connection = Connection(
        host=spec.host,
        user=user,
        port=spec.port,
        config=Config(lazy=True),  # no fabric.yaml or fabric.py of the user is read or run
        connect_kwargs={
            "sock": sock,
            "transport_factory": partial(_Transport, host_key_kinds=kinds),
            "auth_strategy": door,
            "timeout": timeout,
            "banner_timeout": timeout,
            "auth_timeout": timeout,
        },
    )
    connection.client.set_missing_host_key_policy(Policy(trust, spec))
    try:
        connection.open()
    except _BROKEN as error:
        _discard(connection, sock)
        if isinstance(error, paramiko.AuthenticationException) and "timeout" not in str(error):
            raise Problem("remote.auth.cut_off", ExitCode.REFUSED, server=spec.name) from None
        facts = {"server": spec.name, "why": shown(str(error) or type(error).__name__)}
        raise Problem("remote.link.no_greeting", ExitCode.UNREACHABLE, **facts) from None
    except BaseException:
        _discard(connection, sock)
        raise
    connection.transport.watch()
    link = Link(spec, connection, door.method, hops)
    key = connection.transport.get_remote_server_key()
    shown_key = (key.get_name(), key.get_base64())
    link._terms = terms(spec, user, door.method, shown_key, credentials)
    return link


def _discard(connection: Connection, sock: Any) -> None:
    """Close what a failed opening left; Fabric only closes what it believes to be open."""
    transport = connection.client.get_transport()
    if transport:
        transport.shut()
    connection.client.close()
    sock.close()
