"""Each private part of Paramiko that we lean on is still there and still used as we expect.

A failure here names what another version changed: look at `remote/ssh/paramiko_internals.py`.
"""

from __future__ import annotations

import inspect
import socket
from collections.abc import Callable, Iterator
from typing import Any

import paramiko
import pytest
from asyncssh.packet import SSHPacket
from paramiko import agent, auth_handler, buffered_pipe, client

from sovdeck.remote.ssh.paramiko_internals import CHECKED_WITH, OrderedChannel, Transport

TOLD = f"Paramiko is {paramiko.__version__}; this was checked with {CHECKED_WITH}"

# (where it is called or read by Paramiko itself, the words there that we rely on)
CALLS: list[tuple[Callable[..., Any], str]] = [
    # Our packet layer: the hook that an idle read calls, and when keys are exchanged anew.
    (paramiko.Packetizer.read_all, "self._check_keepalive()"),
    (paramiko.Packetizer.send_message, "self.write_all(out)"),
    (paramiko.Packetizer.send_message, ">= self.REKEY_BYTES"),
    (paramiko.Transport.run, "self.packetizer.read_message()"),
    (paramiko.Transport.__init__, "(packetizer_class or Packetizer)(sock)"),
    (paramiko.Transport.__init__, "self.sock.settimeout(self._active_check_timeout)"),
    # Our transport: host keys in our order, every message through one method, reasons kept.
    (paramiko.Transport._send_kex_init, "self.preferred_keys"),
    (paramiko.Transport._send_user_message, "self._send_message(data)"),
    (paramiko.Transport._send_message, "self.packetizer.send_message(data)"),
    (paramiko.Transport.run, "self.saved_exception = e"),
    (paramiko.Transport.run, "self._parse_disconnect(m)"),
    (paramiko.Transport.__init__, "MSG_GLOBAL_REQUEST: self._parse_global_request"),
    (paramiko.Transport.__init__, "self.clear_to_send = threading.Event()"),
    (paramiko.Transport.open_channel, "self._send_user_message(m)"),
    (paramiko.Transport.open_channel, "Channel(chanid)"),
    # Our log-in: one request for the service, then attempts through one method.
    (paramiko.ServiceRequestingTransport.auth_none, "self.ensure_session()"),
    (paramiko.ServiceRequestingTransport.auth_publickey, "self.auth_handler.auth_publickey"),
    (auth_handler.AuthOnlyHandler.auth_none, "self.send_auth_request("),
    (auth_handler.AuthOnlyHandler.auth_password, "self.send_auth_request("),
    (auth_handler.AuthOnlyHandler.send_auth_request, "self.wait_for_response(self.auth_event)"),
    (auth_handler.AuthHandler._parse_userauth_failure, "m.get_list()"),
    (auth_handler.AuthHandler.wait_for_response, "event.wait("),
    # Asking about a key: what is sent, and who gets message 60, which has two meanings.
    (auth_handler.AuthOnlyHandler.auth_publickey, "self._get_key_type_and_bits(key)"),
    (auth_handler.AuthOnlyHandler.auth_publickey, "self._finalize_pubkey_algorithm(key_type)"),
    (auth_handler.AuthHandler.wait_for_response, "raise e"),
    (client.SSHClient.connect, "auth_strategy"),
    (client.SSHClient.connect, "transport_factory"),
    # Our channels: what `shutdown` and `_send` are made of.
    (paramiko.Channel._send, "self._wait_for_send_window("),
    (paramiko.Channel.send, "self._send("),
    (paramiko.Channel.shutdown, "self._send_eof()"),
    (paramiko.Channel._send_eof, "self.eof_sent"),
    (paramiko.Channel._handle_eof, "self.in_buffer.close()"),
    (paramiko.Channel._handle_request, "self.status_event.set()"),
    (paramiko.Channel._handle_request, "m.get_text()"),
    (paramiko.Transport.run, "self._channel_handler_table[ptype](chan, m)"),
    (buffered_pipe.BufferedPipe.feed, "self._event.set()"),
    (buffered_pipe.BufferedPipe.close, "self._event.set()"),
    # Our agent.
    (agent.AgentSSH._connect, "self._conn = conn"),
    (agent.AgentSSH._close, "self._conn.close()"),
    (agent.AgentSSH._send_message, "self._conn"),
]


@pytest.mark.parametrize(
    ("where", "words"), CALLS, ids=[f"{where.__qualname__}:{words}" for where, words in CALLS]
)
def test_paramiko_still_does_what_we_build_on(where: Callable[..., Any], words: str) -> None:
    assert words in inspect.getsource(where), f"{where.__qualname__} lost {words!r}. {TOLD}"


@pytest.fixture
def transport() -> Iterator[Transport]:
    ours, theirs = socket.socketpair()
    one = Transport(ours, ("ssh-ed25519", "no-such-kind"))
    yield one
    one.close_now()
    theirs.close()


def test_a_channel_has_the_parts_that_a_stream_reads(transport: Transport) -> None:
    channel = paramiko.Channel(7)
    parts = ("in_buffer", "in_stderr_buffer", "status_event", "exit_status", "eof_received")
    missing = [name for name in (*parts, "lock", "closed") if not hasattr(channel, name)]
    assert missing == [], TOLD
    channel.__class__ = OrderedChannel  # no slots, no other layout
    channel._set_transport(transport)
    assert channel.transport is transport and channel.exit_status == -1, TOLD
    ours = {"_send", "shutdown", "_handle_request"}
    assert ours <= set(vars(OrderedChannel)) & set(vars(paramiko.Channel)), TOLD


def test_the_transport_takes_our_order_and_packet_layer(transport: Transport) -> None:
    assert transport.preferred_keys[0] == "ssh-ed25519", TOLD
    assert "no-such-kind" not in transport.preferred_keys
    assert transport.get_security_options().ciphers[0] == "aes128-gcm@openssh.com", TOLD
    assert transport.packetizer.failure is None and transport.failure is None
    assert transport.packetizer.REKEY_BYTES > paramiko.Packetizer.REKEY_BYTES, TOLD
    overridden = {"_parse_disconnect", "_send_message", "ensure_session", "_parse_global_request"}
    known = {name for kind in paramiko.ServiceRequestingTransport.__mro__ for name in vars(kind)}
    assert overridden | {"_parse_service_accept", "_key_info"} <= known, TOLD


def test_a_question_of_the_server_is_followed_by_a_message_that_servers_can_read(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncssh asks whoever was silent for 15 s, and ends a connection with a broken message."""
    sent: list[paramiko.Message] = []
    monkeypatch.setattr(transport, "_send_message", sent.append)
    transport.clear_to_send.set()
    monkeypatch.setattr(transport, "active", True)
    asked = paramiko.Message()
    asked.add_string("keepalive@openssh.com")
    asked.add_boolean(True)
    asked.rewind()
    transport._parse_global_request(asked)
    answer, ignored = (SSHPacket(message.asbytes()) for message in sent)
    assert (answer.get_byte(), answer.get_remaining_payload()) == (82, b"")  # REQUEST_FAILURE
    assert (ignored.get_byte(), ignored.get_string()) == (2, b"")  # IGNORE: one string
    ignored.check_end()


def test_what_a_server_says_at_its_end_is_kept(transport: Transport) -> None:
    message = paramiko.Message()
    message.add_int(2)
    message.add_string("too many")
    message.rewind()
    transport._parse_disconnect(message)
    assert str(transport.failure) == "the server ended it: too many"
