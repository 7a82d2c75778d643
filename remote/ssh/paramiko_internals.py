"""What leans on the private parts of Paramiko, all in one place.

Checked with Paramiko 5.1.0. `tests/remote/ssh/test_paramiko_internals.py` names every internal that
is used here, so that another version fails there first and says which one it changed.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import paramiko

from sovdeck.remote.auth.authenticate import AgentSilent
from sovdeck.remote.ssh.keepalive import KeepaliveMixin

CHECKED_WITH = "5.1.0"
BROKEN = (paramiko.SSHException, EOFError, OSError)
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_AGENT_LIST_S, _AGENT_SIGN_S = 10.0, 60.0
# Telemetry comes about once a second: a line that carries it need not be asked.
_KEEPALIVE_AFTER_S, _DEAD_AFTER_S = 1.5, 4.0


class _DeferredMessage:
    """A message that is built when it is sent; `make` returns None when it must not be sent."""

    def __init__(self, make: Callable[[], Any | None]) -> None:
        self.make = make


class OrderedChannel(paramiko.Channel):  # type: ignore[misc]
    """A channel that sends no message after it was closed, and knows which signal ended a program.

    Paramiko prepares a message under the channel's lock and sends it after. When the server closes
    the channel in between, the library's answer to that overtakes the message, and OpenSSH ends the
    whole connection because of a message for a channel it no longer knows. Here a message is looked
    at once more when its turn to be sent has come.

    exit_signal: what ended the program there, as "KILL"; "" when it ended by itself. Paramiko does
    not read it.
    """

    exit_signal = ""

    def _handle_request(self, message: Any) -> None:
        start = message.packet.tell()
        if message.get_text() == "exit-signal":
            message.get_boolean()
            self.exit_signal = message.get_text()
            self.status_event.set()
            return
        message.packet.seek(start)
        super()._handle_request(message)

    def shutdown(self, how: int) -> None:
        """End our input (1), theirs (0), or both (2)."""
        if how != 1:
            super().shutdown(0)
        if how != 0:
            self.transport._send_user_message(_DeferredMessage(self._eof_message))

    def _eof_message(self) -> Any | None:
        with self.lock:
            return self._send_eof()  # None when the channel was closed, by whomever

    def _send(self, data: Any, message: Any) -> int:
        """How many bytes of `data` went; 0 when the channel has ended."""
        with self.lock:
            if self.closed:
                raise OSError("Socket is closed")
            size: int = self._wait_for_send_window(len(data))
            if not size:
                return 0
            message.add_string(data[:size])
        # Not under the lock: while keys are exchanged, its holder would keep the reader waiting.
        self.transport._send_user_message(_DeferredMessage(lambda: self._unless_closed(message)))
        return size

    def _unless_closed(self, message: Any) -> Any | None:
        with self.lock:
            return None if self.closed else message


class _KeepalivePacketizer(KeepaliveMixin, paramiko.Packetizer):  # type: ignore[misc]
    """Packet layer that notices a dead peer; see `sovdeck.remote.ssh.keepalive`."""

    # A rekey started by us while a channel closes deadlocks paramiko (#822); the server still
    # rekeys on its own schedule.
    REKEY_BYTES = 1 << 36


class _KeyAccepted(Exception):
    """The server would take the key that it was asked about."""


class _AuthHandler(paramiko.auth_handler.AuthOnlyHandler):  # type: ignore[misc]
    """One service request for all attempts (RFC 4252 section 5), as asyncssh servers insist on.

    Paramiko's own version starts to listen after sending, so that a quick answer is missed, and
    cannot send "none". methods_left: what the server accepts, as it said with its last refusal;
    paramiko keeps that to itself, and asking once more would spend one of the attempts it allows.
    """

    methods_left: frozenset[str] | None = None
    _asks_about_key = False

    def accepts_key(self, username: str, key: Any) -> bool:
        """Ask whether the server would take this key, without a signature (RFC 4252 section 7).

        Paramiko signs at once, and an agent may ask a person for every signature.
        """
        kind, blob = self._get_key_type_and_bits(key)
        algorithm = self._finalize_pubkey_algorithm(kind)

        def finish(message: Any) -> None:
            message.add_boolean(False)
            message.add_string(algorithm)
            message.add_string(blob)

        self._asks_about_key = True
        try:
            self.send_auth_request(username, "publickey", finish)
        except _KeyAccepted:
            return True
        finally:
            self._asks_about_key = False
        return False

    def _parse_userauth_info_request(self, message: Any) -> None:
        # The same number says "this key will do" in answer to a question about one.
        if not self._asks_about_key:
            super()._parse_userauth_info_request(message)
            return
        self.transport.saved_exception = _KeyAccepted()
        self.auth_event.set()

    def _parse_userauth_failure(self, message: Any) -> None:
        self.methods_left = frozenset(message.get_list())
        message.rewind()
        super()._parse_userauth_failure(message)

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


class Transport(paramiko.ServiceRequestingTransport):  # type: ignore[misc]
    """One connection's transport: dead peers noticed, reasons kept, host keys in our order."""

    _active_check_timeout = 0.5  # seconds; how often an idle connection checks its keepalive
    # Paramiko's table names its own class's method, which ours would not replace.
    _channel_handler_table = paramiko.Transport._channel_handler_table | {
        paramiko.common.MSG_CHANNEL_REQUEST: lambda channel, message: channel._handle_request(
            message
        )
    }
    broken = BROKEN

    def __init__(self, sock: Any, host_key_kinds: Sequence[str], **options: Any) -> None:
        super().__init__(sock, packetizer_class=_KeepalivePacketizer, **options)
        self._accepted = threading.Event()
        self.rtt = math.inf  # seconds that the log-in service took to answer
        self._disconnect_reason: Exception | None = None
        order = self.get_security_options()
        order.ciphers = (*_CIPHERS, *(c for c in order.ciphers if "ctr" in c))
        self._kinds = tuple(kind for kind in host_key_kinds if kind in self._key_info)

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """Kinds of host keys, those we know first. Paramiko's own order ends in certificates."""
        return tuple(dict.fromkeys((*self._kinds, *super().preferred_keys)))

    @property
    def failure(self) -> BaseException | None:
        """Why the connection ended; None while it has not."""
        # Not `get_exception`, which forgets the exception it returns.
        first: BaseException | None = (
            self.packetizer.failure or self._disconnect_reason or self.saved_exception
        )
        return first

    def _parse_disconnect(self, message: Any) -> None:
        _, reason = message.get_int(), message.get_text()
        self._disconnect_reason = paramiko.SSHException(f"the server ended it: {reason}")

    def open_channel(self, *args: Any, **options: Any) -> Any:
        """Open a channel of our own kind."""
        channel = super().open_channel(*args, **options)
        channel.__class__ = OrderedChannel  # the library offers no way to choose it
        return channel

    def _send_message(self, data: Any) -> None:
        message = data.make() if isinstance(data, _DeferredMessage) else data
        if message is not None:
            super()._send_message(message)

    def ensure_session(self) -> None:
        """Ask for the log-in service, once; SSHException when no answer comes in time."""
        # Paramiko's own sleeps in steps of 0.1 s, for ever when the server is gone.
        if not self._accepted.is_set():
            message = paramiko.Message()
            message.add_byte(paramiko.common.cMSG_SERVICE_REQUEST)
            message.add("ssh-userauth")
            began = time.monotonic()
            self._send_message(message)
            deadline = began + self.auth_timeout
            while not self._accepted.wait(0.1):
                if not self.is_active() or time.monotonic() > deadline:
                    raise self.failure or paramiko.SSHException("no answer to the log-in request")
            self.rtt = time.monotonic() - began
            self.auth_handler = _AuthHandler(self)

    def _parse_service_accept(self, message: Any) -> None:
        self._accepted.set()

    def _parse_global_request(self, message: Any) -> None:
        # sshd sends its host keys after the log-in and, with Nagle's rule on, holds back its answer
        # on our first channel until they are acknowledged: the system would wait 40 ms with that.
        super()._parse_global_request(message)
        if self.clear_to_send.is_set():
            # Not by send_ignore(): its random bytes are no string, and a server that reads the
            # message (RFC 4253 section 11.2) ends the connection.
            ignored = paramiko.Message()
            ignored.add_byte(paramiko.common.cMSG_IGNORE)
            ignored.add_string("")
            self._send_user_message(ignored)

    def close_now(self) -> None:
        """Close at once: plain close() leaves the reading thread in recv() for a while."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.close()

    def start_keepalive(self) -> None:
        """Begin to notice a dead peer."""
        self.packetizer.start_keepalive(_KEEPALIVE_AFTER_S, _DEAD_AFTER_S, self._send_keepalive)

    def _send_keepalive(self) -> None:
        if not self.clear_to_send.is_set():
            return  # keys are being exchanged: waiting for that here would lock up
        message = paramiko.Message()
        message.add_byte(paramiko.common.cMSG_GLOBAL_REQUEST)
        # True asks for a reply: paramiko's own keepalive asks for none, so it proves nothing.
        message.add("keepalive@openssh.com", True)
        self._send_user_message(message)


class SSHAgent(paramiko.agent.AgentSSH):  # type: ignore[misc]
    """The keys of one ssh agent. AgentSilent when it does not answer in time.

    place: its socket, "" for the usual one. Paramiko's own waits for ever, and knows no other.
    """

    def __init__(self, place: str) -> None:
        super().__init__()
        if place.startswith("$"):
            place = os.environ.get(place[1:].strip("{}"), "")
        elif place in ("", "SSH_AUTH_SOCK"):
            place = os.environ.get("SSH_AUTH_SOCK", "")
        if sys.platform == "win32":
            connection = paramiko.agent.get_agent_connection()
        else:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(_AGENT_LIST_S)
        try:
            if sys.platform != "win32":
                connection.connect(str(Path(place).expanduser()))
            if connection is not None:
                self._connect(connection)
        except TimeoutError:
            connection.close()
            raise AgentSilent(f"agent (no answer in {_AGENT_LIST_S:.0f} s)") from None
        except (paramiko.SSHException, OSError):
            connection.close()  # a stale SSH_AUTH_SOCK is no agent
            return
        if sys.platform != "win32":
            connection.settimeout(_AGENT_SIGN_S)  # a person may have to touch something

    def close(self) -> None:
        """Close the connection to the agent."""
        self._close()
