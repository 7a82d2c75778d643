"""The system's own ssh program as a carrier of bytes, where Python's SSH would be the limit.

It gets exactly what the first connection proved: the host key it showed, and key files that need
no question. It reads no configuration, asks nobody, and where it does not get in, the transfer
goes on over the connection it has.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from remote.credentials import Credentials
from remote.faults import LinkLost
from remote.hostspec import HostSpec

_ALIAS = "sovdeck"  # the one name in the known_hosts file made for this
_MOST_KEYS = 4
_PIPE_BYTES = 1 << 20
_ENDED_S = 10.0


@dataclass(frozen=True)
class Terms:
    """What a connection proved. `host_key` is its type and base64, as known_hosts has them."""

    spec: HostSpec
    user: str
    host_key: tuple[str, str]
    keys: tuple[Path, ...]
    agent: bool


def terms(
    spec: HostSpec, user: str, method: str, host_key: tuple[str, str], credentials: Credentials
) -> Terms | None:
    """Terms for the system's ssh; None where it would have to ask or to hop."""
    if method != "publickey" or spec.jump or shutil.which("ssh") is None:
        return None
    files = [path for path, _ in credentials.key_files(spec.identity) if path.is_file()]
    agent = credentials.use_agent and not (spec.only_identity and spec.identity)
    return Terms(spec, user, host_key, tuple(files[:_MOST_KEYS]), agent)


class Carrier:
    """Streams of one server, each a process of its own. Fits `remote.transfer.channel.Link`."""

    def __init__(self, terms: Terms) -> None:
        self.name = terms.spec.name
        self._terms = terms
        self._folder = Path(tempfile.mkdtemp(prefix="sovdeck-ssh-"))
        self._known = self._folder / "known_hosts"
        self._known.write_text(" ".join((_ALIAS, *terms.host_key)) + "\n", encoding="ascii")
        self._streams: list[PipeStream] = []

    def open_stream(self, argv: Sequence[str], *, window: int = 0) -> PipeStream:
        """Start argv on the server; a connection of its own. `window` has no meaning here."""
        line = [*ssh_line(self._terms, self._known), shlex.join(argv)]
        stream = PipeStream(line, self.name)
        self._streams.append(stream)
        return stream

    def close(self) -> None:
        for stream in self._streams:
            stream.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def ssh_line(terms: Terms, known: Path) -> list[str]:
    """The command up to the host. Pure."""
    kind = terms.host_key[0]
    kinds = "rsa-sha2-512,rsa-sha2-256" if kind == "ssh-rsa" else kind
    options = {
        "BatchMode": "yes", "StrictHostKeyChecking": "yes", "HostKeyAlias": _ALIAS,
        "UserKnownHostsFile": f'"{known.as_posix()}"', "GlobalKnownHostsFile": "none",
        "HostKeyAlgorithms": kinds, "UpdateHostKeys": "no", "ControlPath": "none",
        "ClearAllForwardings": "yes", "PermitLocalCommand": "no", "LogLevel": "ERROR",
        "Ciphers": "^aes128-gcm@openssh.com", "Compression": "no", "ConnectTimeout": "10",
        "ServerAliveInterval": "5", "ServerAliveCountMax": "2",
        "IdentitiesOnly": "no" if terms.agent else "yes",
        "PreferredAuthentications": "publickey",
    }  # fmt: skip
    line = ["ssh", "-F", "none", "-T", "-a", "-x"]
    for name, value in options.items():
        line += ["-o", f"{name}={value}"]
    for key in terms.keys:
        line += ["-i", str(key)]
    port = ["-p", str(terms.spec.port)] if terms.spec.port else []
    return [*line, *port, "-l", terms.user, "--", terms.spec.host]


class PipeStream:
    """One ssh process; its pipes are the channel. `close` may come from another thread."""

    def __init__(self, line: Sequence[str], server: str) -> None:
        self._server = server
        # Its words go nowhere: whatever keeps it out, the transfer has another way.
        self._process = subprocess.Popen(  # noqa: S603 - an argv of our own, no shell
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            bufsize=0,
        )  # fmt: skip
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._closed = False
        self.exit_code: int | None = None
        if sys.platform == "linux":
            import fcntl

            for pipe in (self._in, self._out):
                with contextlib.suppress(OSError):  # a smaller pipe is only slower
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def read(self, n: int = 65536) -> bytes:
        """1..n bytes, or b"" at the end; LinkLost when ssh itself failed."""
        try:
            data = os.read(self._out.fileno(), n)
        except (OSError, ValueError):
            data = b""
        if not data:
            self._out.close()  # by its reader: another thread must not take its number away
        if not data and not self._closed:
            self.exit_code = self._process.wait(_ENDED_S)
            if self.exit_code in (255, -9, -15):  # how ssh says that the connection failed
                raise LinkLost(self._server, f"ssh ended with {self.exit_code}")
        return data

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._in.write(view) or 0 :]
        except (OSError, ValueError) as error:
            raise LinkLost(self._server, str(error)) from None

    def close_write(self) -> None:
        with contextlib.suppress(OSError):
            self._in.close()

    def close(self) -> None:
        self._closed = True
        if self._process.poll() is None:
            self._process.kill()  # wakes a reader in another thread
        self.close_write()
        self._process.wait(_ENDED_S)
