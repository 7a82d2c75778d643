"""SSH servers and a misbehaving wire for tests: real OpenSSH, the embedded server, a cut proxy."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from sovdeck.remote.auth.keypair import generate_key
from sovdeck.remote.embedded import client as embedded_client
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.ssh.client import Credentials, HostKeyPolicy, SSHConnection


@dataclass
class Place:
    """A server to test against. home: HOME of the commands it runs."""

    spec: HostSpec
    home: Path
    fingerprint: str
    folder: Path
    process: Any = None

    def trust(self) -> HostKeyPolicy:
        return HostKeyPolicy(
            self.folder / "known_hosts", accepted_fingerprints=frozenset({self.fingerprint})
        )

    def credentials(self) -> Credentials:
        return Credentials(use_agent=False, default_keys=False)

    def connect(self, *, timeout: float = 15.0) -> SSHConnection:
        """A new link that trusts this server and holds its key."""
        return SSHConnection.connect(
            self.spec, trust=self.trust(), credentials=self.credentials(), timeout=timeout
        )

    def through(self, proxy: CutProxy) -> Place:
        """The same server, reached through a proxy."""
        return replace(self, spec=replace(self.spec, host="127.0.0.1", port=proxy.port))


def start_embedded(folder: Path, *, host: str = "", sftp: bool = True) -> Place:
    """Our own server; end it with `place.process.close()`."""
    server = embedded_client.start_embedded(
        folder / "server", folder / "home", host=host, sftp=sftp
    )
    return Place(server.spec(), folder / "home", server.fingerprint, folder, server)


def find_sshd() -> str:
    """Path of sshd; a missing one skips, or fails where REQUIRE_SSHD=1."""
    found = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        if os.environ.get("REQUIRE_SSHD") == "1":
            pytest.fail("REQUIRE_SSHD=1, but there is no sshd on this machine")
        pytest.skip("there is no sshd on this machine")
    return found


def start_sshd(folder: Path, host: str, options: str = "") -> Place:
    """A real OpenSSH server with its own host key, key log-in and internal-sftp.

    options: lines of sshd_config that come first, so that they win.
    """
    sshd = find_sshd()
    home = folder / "home"
    home.mkdir(parents=True)
    identity, host_key = generate_key(folder / "id_ed25519"), generate_key(folder / "host_key")
    port = free_port(host)
    config = folder / "sshd_config"
    address = f"[{host}]" if ":" in host else host
    # SetEnv: commands find an own HOME, and no .bashrc of this machine slows every one (ssh.md 3).
    config.write_text(
        f"{options}\nListenAddress {address}:{port}\nHostKey {host_key}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {identity}.pub\nStrictModes no\nPasswordAuthentication no\n"
        f"PermitRootLogin yes\nSubsystem sftp internal-sftp\nMaxStartups 200\nMaxSessions 64\n"
        f"SetEnv HOME={home} SHLVL=5\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd's privilege separation folder
    log = (folder / "sshd.log").open("wb")
    process = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stdout=log, stderr=log)
    log.close()
    wait_for_port(host, port, process, folder / "sshd.log")
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", f"{host_key}.pub"], check=True, capture_output=True, text=True
    ).stdout.split()[1]
    user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
    spec = HostSpec(host, port, user, (str(identity),))
    return Place(spec, home, fingerprint, folder, process)


def stop_sshd(place: Place) -> None:
    place.process.terminate()
    place.process.wait(60)


def free_port(host: str) -> int:
    # Resolved, since a link-local address needs its zone as a number.
    family, kind, _, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as probe:
        probe.bind(place)
        return int(probe.getsockname()[1])


def wait_for_port(host: str, port: int, process: Any, log: Path, limit: float = 60.0) -> None:
    deadline = time.monotonic() + limit
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"sshd did not start: {log.read_text()}")
            time.sleep(0.02)


def has_ipv6() -> bool:
    try:
        free_port("::1")
    except OSError:
        return False
    return True


@dataclass
class CutProxy:
    """A TCP proxy on 127.0.0.1 that delays, cuts at byte N, goes silent or resets.

    delay: seconds each way. cut_after: server-to-client bytes, over all connections, after which
    every connection is reset; set it again for another cut. half_open: at that byte the open
    connections fall silent for good instead, with nothing closed. silent: forwards nothing, closes
    nothing, while it is set. refusing: resets new connections at once. bytes_per_second: how fast
    the client's bytes are taken; None as fast as they come.
    """

    host: str
    target: int
    delay: float = 0.0
    cut_after: int | None = None
    half_open: bool = False
    silent: bool = False
    refusing: bool = False
    bytes_per_second: float | None = None
    passed: int = 0
    connections: int = 0
    _open: set[socket.socket] = field(default_factory=set)
    _mute: set[socket.socket] = field(default_factory=set)
    _lock: Any = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self) -> None:
        """Reset every open connection now."""
        with self._lock:
            victims, self._open = self._open, set()
        for one in victims:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):  # the other side was quicker
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def mute(self) -> None:
        """From now on nothing passes over the connections that are open, and nothing is closed."""
        with self._lock:
            self._mute |= self._open

    def close(self) -> None:
        with contextlib.suppress(OSError):  # not every system shuts listeners down
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                far = socket.create_connection((self.host, self.target), timeout=10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            if self.bytes_per_second:
                near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {near, far}
            if self.refusing:
                self.reset()
                continue
            self._pump(near, far, counts=False)
            self._pump(far, near, counts=True)

    def _pump(self, source: socket.socket, sink: socket.socket, *, counts: bool) -> None:
        # Two threads and a queue, so that a delay does not become a bandwidth limit.
        waiting: queue.Queue[tuple[float, bytes]] = queue.Queue(maxsize=4096)

        def read() -> None:
            while True:
                try:
                    data = source.recv(4096 if self.bytes_per_second else 65536)
                except OSError:
                    data = b""
                if self.bytes_per_second and not counts:
                    time.sleep(len(data) / self.bytes_per_second)
                waiting.put((time.monotonic() + self.delay, data))
                if not data:
                    return

        def write() -> None:
            while True:
                due, data = waiting.get()
                time.sleep(max(0.0, due - time.monotonic()))
                while self.silent:
                    time.sleep(0.02)
                if sink in self._mute:
                    if not data:
                        return
                    continue
                try:
                    if not data:
                        sink.shutdown(socket.SHUT_WR)
                        return
                    if counts:
                        data = self._counted(data)
                    sink.sendall(data)
                except OSError:
                    continue  # keep draining, so that the reader can end
                if counts and self.cut_after is not None and self.passed >= self.cut_after:
                    self.cut_after = None
                    if self.half_open:
                        self.mute()
                    else:
                        self.reset()

        threading.Thread(target=read, daemon=True).start()
        threading.Thread(target=write, daemon=True).start()

    def _counted(self, data: bytes) -> bytes:
        with self._lock:
            if self.cut_after is not None:
                data = data[: max(0, self.cut_after - self.passed)]
            self.passed += len(data)
        return data
