"""A real sshd for measuring: on loopback, and behind a kernel link with real delay.

The delayed link is tests/lab/lab.sh: two network namespaces and a tunnel, root only. Where it
cannot be had the rows that need it are left out with the reason.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LAB = Path(__file__).resolve().parents[1] / "tests" / "lab" / "lab.sh"


@dataclass(frozen=True)
class BenchHosts:
    """Where a server listens and how to run a client that reaches it.

    `prefix` goes before every client command (it enters the client's network namespace).
    """

    host: str
    port: int
    identity: Path
    known_hosts: Path
    fingerprint: str
    prefix: tuple[str, ...] = ()
    rtt_ms: int = 0

    @property
    def bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def _key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


def _fingerprint(key: Path) -> str:
    words = subprocess.run(
        ["ssh-keygen", "-lf", f"{key}.pub"], check=True, capture_output=True, text=True
    ).stdout.split()
    return words[1]


@contextmanager
def loopback(folder: Path, host: str) -> Iterator[BenchHosts]:
    """sshd on 127.0.0.1 or ::1 with its own keys."""
    sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if sshd is None:
        raise LookupError("no sshd on this machine")
    folder.mkdir(parents=True)
    identity, host_key = _key(folder / "id"), _key(folder / "host_key")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        port = int(probe.getsockname()[1])
    shown = f"[{host}]" if ":" in host else host
    config = folder / "sshd_config"
    # SHLVL: keeps login files that only greet a first shell from slowing every command.
    config.write_text(
        f"ListenAddress {shown}:{port}\nHostKey {host_key}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {identity}.pub\nStrictModes no\nPermitRootLogin yes\n"
        "Subsystem sftp internal-sftp\nMaxStartups 200\nMaxSessions 64\nSetEnv SHLVL=5\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    key = (folder / "host_key.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[{host}]:{port} {key[0]} {key[1]}\n")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stderr=log, stdout=log)
    try:
        _wait(host, port)
        yield BenchHosts(host, port, identity, folder / "known_hosts", _fingerprint(host_key))
    finally:
        server.terminate()
        server.wait()


def _wait(host: str, port: int) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((host, port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def no_lab() -> str:
    """Why the delayed link cannot be had here; empty when it can."""
    if os.geteuid() != 0 or not Path("/dev/net/tun").exists():
        return "network namespaces need root and /dev/net/tun"
    if shutil.which("gcc") is None or shutil.which("ip") is None:
        return "the delayed link needs gcc and ip"
    return ""


@contextmanager
def delayed(folder: Path, rtt_ms: int, host: str = "10.99.0.2") -> Iterator[BenchHosts]:
    """sshd behind a link of `rtt_ms`; `host` is 10.99.0.2 or fd99::2."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "extra.conf").write_text("SetEnv SHLVL=5\n")
    environment = {**os.environ, "LAB": str(folder)}

    def lab(*words: str) -> None:
        # Its sshd stays behind: the pipes of this call must not wait for it.
        subprocess.run(
            ["bash", str(LAB), *words],
            env=environment,
            check=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    lab("up")
    try:
        lab("link", str(rtt_ms))
        yield BenchHosts(
            host,
            2201,
            folder / "id",
            folder / "known_hosts",
            _fingerprint(folder / "hk_ed25519"),
            ("ip", "netns", "exec", "b_cli"),
            rtt_ms,
        )
    finally:
        lab("down")
