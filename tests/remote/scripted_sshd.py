"""An SSH server inside the test process whose ways of letting people in can be chosen."""

from __future__ import annotations

import asyncio
import re
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from cryptography.hazmat.primitives import serialization

from sovdeck.remote.embedded.server import run_command
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.ssh.login_shell import OUTPUT_MARK

PASSWORD = "correct horse; $battery 'staple'"


@dataclass
class Rules:
    """password: accepted by "password" log-in. questions: prompts of keyboard-interactive with
    the wanted answers. keys: accepted public keys."""

    password: str | None = None
    questions: tuple[tuple[str, str], ...] = ()
    keys: tuple[asyncssh.SSHKey, ...] = ()
    ca: tuple[asyncssh.SSHKey, ...] = ()
    authorized: Path | None = None  # an authorized_keys file, read at each log-in
    offered: list[str] = field(default_factory=list)  # what arrived, in order
    passwords: list[int] = field(default_factory=list)  # how many, of each connection


class Guard(asyncssh.SSHServer):
    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.conn = conn
        self.rules.passwords.append(0)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return self.rules.password is not None

    def validate_password(self, username: str, password: str) -> bool:
        self.rules.offered.append("password")
        self.rules.passwords[-1] += 1
        return password == self.rules.password

    def public_key_auth_supported(self) -> bool:
        return bool(self.rules.keys or self.rules.ca or self.rules.authorized)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self.rules.offered.append("publickey")
        installed: list[asyncssh.SSHKey] = []
        file = self.rules.authorized
        if file is not None and file.exists():
            installed = [asyncssh.import_public_key(x) for x in file.read_text().splitlines()]
        allowed = [*self.rules.keys, *installed]
        return any(key.public_data == mine.public_data for mine in allowed)

    def validate_ca_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self.rules.offered.append("certificate")
        return any(key.public_data == mine.public_data for mine in self.rules.ca)

    def kbdint_auth_supported(self) -> bool:
        return bool(self.rules.questions)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        asked = [(prompt, False) for prompt, _ in self.rules.questions]
        return "Log-in", "Answer, please.", "en", asked

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        self.rules.offered.append("keyboard-interactive")
        return list(responses) == [answer for _, answer in self.rules.questions]


@dataclass
class House:
    """A running server."""

    port: int
    rules: Rules
    key: asyncssh.SSHKey
    stop: Callable[[], None]

    @property
    def fingerprint(self) -> str:
        return self.key.get_fingerprint()

    def spec(self, **changes: Any) -> HostSpec:
        return HostSpec("127.0.0.1", self.port, "me", **changes)


Build = Callable[..., House]


@pytest.fixture
def house() -> Iterator[Build]:
    """Starts servers: `house(rules, key=..., port=..., sftp=..., home=..., certificate=...)`.

    With a home, commands really run there; without, they only say that they did.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    acceptors: list[asyncssh.SSHAcceptor] = []

    def build(
        rules: Rules,
        *,
        key: asyncssh.SSHKey | None = None,
        port: int = 0,
        sftp: bool = True,
        home: Path | None = None,
        certificate: asyncssh.SSHCertificate | None = None,
    ) -> House:
        host_key = key or asyncssh.generate_private_key("ssh-ed25519")

        async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
            if home is not None:
                await run_command(process, home)
                return
            words = shlex.split(process.command or "")
            asked = re.sub(r"\\0(\d{3})", lambda m: chr(int(m[1], 8)), "".join(words[4:]))
            command = asked.partition("exec ")[2]
            process.stdout.write(OUTPUT_MARK + f"ran {command}\n".encode())
            process.exit(0)

        async def listen() -> asyncssh.SSHAcceptor:
            return await asyncssh.create_server(
                lambda: Guard(rules),
                "127.0.0.1",
                port,
                server_host_keys=[(host_key, certificate) if certificate else host_key],
                process_factory=run,
                sftp_factory=asyncssh.SFTPServer if sftp else None,
                encoding=None,
            )

        acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
        acceptors.append(acceptor)

        def stop() -> None:
            loop.call_soon_threadsafe(acceptor.close)
            closing = asyncio.run_coroutine_threadsafe(acceptor.wait_closed(), loop)
            closing.result(10)

        return House(acceptor.get_port(), rules, host_key, stop)

    async def end_all() -> None:
        """Commands still running, too: nothing may be left when the loop is closed."""
        for acceptor in acceptors:
            acceptor.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    yield build
    asyncio.run_coroutine_threadsafe(end_all(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture
def mute_port() -> Iterator[int]:
    """A port that takes connections and never says a word, like a slow or wrong service."""
    listener = socket.create_server(("127.0.0.1", 0))
    yield listener.getsockname()[1]
    listener.close()


def wait_until(true: Callable[[], bool], limit: float = 10.0) -> None:
    deadline = time.monotonic() + limit
    while not true():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.01)


def write_key(path: Path, kind: str = "ssh-ed25519", passphrase: str = "") -> asyncssh.SSHKey:
    """Write a new private key as ssh-keygen does; returns the key."""
    size: Any = {"ssh-rsa": {"key_size": 2048}}.get(kind, {})
    key = asyncssh.generate_private_key(kind, **size)
    lock: Any = serialization.NoEncryption()
    if passphrase:
        builder = serialization.PrivateFormat.OpenSSH.encryption_builder()
        lock = builder.kdf_rounds(16).build(passphrase.encode())
    form = serialization.PrivateFormat.OpenSSH
    inner: Any = key.pyca_key
    path.write_bytes(inner.private_bytes(serialization.Encoding.PEM, form, lock))
    return key
