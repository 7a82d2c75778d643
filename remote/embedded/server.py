"""An unprivileged SSH server: one key lets in, commands run in the user's own sh.

As under OpenSSH, a command whose connection is gone is not killed: it sees the end of its input
and a broken output pipe, and what it started with setsid and its own files goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

import asyncssh

_CHUNK_BYTES = 65536
# Our own Python's environment and the laptop's ssh agent are kept from the "server".
_NOT_INHERITED = ("SSH_AUTH_SOCK", "SSH_AGENT_PID", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


@dataclass(frozen=True)
class EmbeddedServer:
    """A listening server."""

    host: str
    port: int
    fingerprint: str
    acceptor: asyncssh.SSHAcceptor

    def close(self) -> None:
        """Stop listening."""
        self.acceptor.close()


class _SingleKeyAuth(asyncssh.SSHServer):
    """Lets in whoever holds the one authorised key, under any user name."""

    def __init__(self, allowed: asyncssh.SSHKey) -> None:
        self._allowed = allowed.public_data

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key.public_data == self._allowed

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        return dest_host in ("127.0.0.1", "::1", "localhost")  # its own speech endpoints


def choose_loopback() -> str:
    """Return ::1, or 127.0.0.1 on a machine without IPv6."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return "127.0.0.1"
    return "::1"


async def start_server(
    authorized_key: str, *, host: str = "", port: int = 0, home: Path, sftp: bool = True
) -> EmbeddedServer:
    """Start to listen with a new host key; port 0 picks a free one."""
    host = host or choose_loopback()
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    allowed = asyncssh.import_public_key(authorized_key)

    acceptor = await asyncssh.create_server(
        lambda: _SingleKeyAuth(allowed),
        host,
        port,
        server_host_keys=[host_key],
        process_factory=lambda process: run_command(process, home),
        sftp_factory=asyncssh.SFTPServer if sftp else None,
        encoding=None,
        allow_scp=False,
        agent_forwarding=False,
        x11_forwarding=False,
        line_editor=False,
        keepalive_interval=15,
        server_version="sovdeck",
    )
    return EmbeddedServer(host, acceptor.get_port(), host_key.get_fingerprint(), acceptor)


async def run_command(process: asyncssh.SSHServerProcess[bytes], home: Path) -> None:
    """Run the requested command in the user's sh, with HOME and working folder `home`."""
    if process.command is None:
        process.stderr.write(b"this server runs commands, it has no interactive shell\n")
        process.exit(1)
        return
    # Plain pipes, not asyncio's: those would kill the command when its connection goes.
    stdin_theirs, stdin_ours = os.pipe()
    stdout_ours, stdout_theirs = os.pipe()
    stderr_ours, stderr_theirs = os.pipe()
    child_handles = (stdin_theirs, stdout_theirs, stderr_theirs)
    try:
        child = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", process.command),
            stdin=stdin_theirs,
            stdout=stdout_theirs,
            stderr=stderr_theirs,
            cwd=home,
            env=_environment(process, home),
            start_new_session=True,  # sshd does the same for commands without a terminal
        )
    finally:
        for handle in child_handles:
            os.close(handle)
    feeding = asyncio.create_task(_copy_to_stdin(process, stdin_ours))
    try:
        await asyncio.gather(
            _copy_to_channel(stdout_ours, process.stdout),
            _copy_to_channel(stderr_ours, process.stderr),
        )
    except (asyncssh.Error, OSError):
        # The connection went; the command is reaped when it ends by itself.
        await child.wait()
        return
    finally:
        feeding.cancel()
    code = await child.wait()
    if code < 0:
        process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
    else:
        process.exit(code)


async def _copy_to_channel(source: int, sink: asyncssh.SSHWriter[bytes]) -> None:
    """Copy a pipe to the channel until its writers are gone; broken channels close the pipe."""
    reader = asyncio.StreamReader(limit=_CHUNK_BYTES)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(source, "rb", 0)
    )
    try:
        while data := await reader.read(_CHUNK_BYTES):
            sink.write(data)
            await sink.drain()
    finally:
        transport.close()


async def _copy_to_stdin(process: asyncssh.SSHServerProcess[bytes], sink: int) -> None:
    """Copy the channel's input to the command; its end, or the connection's, closes the pipe."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(sink, "wb", 0)
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    # Interrupts and broken connections arrive as exceptions of the read and end the input too.
    with contextlib.suppress(asyncssh.Error, asyncssh.SignalReceived, OSError):
        try:
            while data := await process.stdin.read(_CHUNK_BYTES):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


def _environment(process: asyncssh.SSHServerProcess[bytes], home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in _NOT_INHERITED}
    here = process.get_extra_info("sockname")
    there = process.get_extra_info("peername")
    connection = f"{there[0]} {there[1]} {here[0]} {here[1]}"
    return {**kept, "HOME": str(home), "SSH_CONNECTION": connection}
