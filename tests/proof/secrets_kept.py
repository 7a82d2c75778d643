"""Secrets are planted, typed and used; then everything that was written is searched for them."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import asyncssh
from cryptography.hazmat.primitives import serialization
from laptop import Laptop, write_project
from report import Outcome
from ssh_thread import ssh_server

from sovdeck.remote.embedded.server import run_command

PASSWORD = "pw-Zq8#planted"
PASSPHRASE = "pp-Xr9!planted"
PIPED = "pipe-Lk3$planted"
SECRETS = (PASSWORD, PASSPHRASE, PIPED)


class PasswordDoor(asyncssh.SSHServer):
    """Lets in whoever knows a planted password, or holds the planted key."""

    key: asyncssh.SSHKey | None = None

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password in (PASSWORD, PIPED)

    def public_key_auth_supported(self) -> bool:
        return self.key is not None

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self.key is not None and key.public_data == self.key.public_data


class ProcessWatch:
    """Looks at the arguments and the environment of every process of ours, again and again."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            for place in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        data = (place / name).read_bytes()
                    except OSError:  # gone meanwhile, or somebody else's
                        continue
                    self.found |= {
                        f"{name} of a process" for one in SECRETS if one.encode() in data
                    }

    def end(self) -> set[str]:
        self._over.set()
        self._thread.join()
        return self.found


def type_secret(laptop: Laptop, secret: str, *command: str) -> tuple[bytes, int | None]:
    """Run a command on a terminal and type `secret` at its question; what it wrote, its code."""
    with laptop.on_terminal(*command) as program:
        deadline = time.monotonic() + 60.0
        typed = 0
        while program.exit_code() is None and time.monotonic() < deadline:
            program.pump(0.2)
            questions = program.raw.count(b": ") if program.raw.rstrip(b" ").endswith(b":") else 0
            if questions > typed and typed < 3:
                typed = questions
                os.write(program.fd, secret.encode() + b"\r")
            elif program.raw.rstrip().endswith(b"]"):  # an offer: no
                os.write(program.fd, b"n\r")
                program.settle(0.3)
        program.settle(0.3)
        return program.raw, program.exit_code()


def search(trials: int, seed: int, folder: Path) -> Outcome:
    """Log in with each secret, with --debug too, rightly and wrongly; then look everywhere."""
    home, outcome = folder / "home", Outcome()
    home.mkdir()
    key = asyncssh.generate_private_key("ssh-ed25519")
    PasswordDoor.key = key
    identity = folder / "id"
    builder = serialization.PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(16)
    inner: Any = key.pyca_key
    identity.write_bytes(
        inner.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            builder.build(PASSPHRASE.encode()),
        )
    )
    identity.chmod(0o600)

    async def serve(process: Any) -> None:
        await run_command(process, home)

    laptop = Laptop(folder / "laptop", folder / "work")
    write_project(laptop)
    watch = ProcessWatch()
    said: list[tuple[str, bytes, int | None]] = []
    with ssh_server(PasswordDoor, serve) as (port, fingerprint):
        accept = ("--accept-host-key", fingerprint)
        line = f"ssh -p {port} me@127.0.0.1"
        for label, secret, command in (
            ("password", PASSWORD, ("server", "add", line, "--name", "a", *accept)),
            ("debug", PASSWORD, ("--debug", "server", "check", "a")),
            ("wrong", PASSWORD + "x", ("--debug", "server", "check", "a")),
            (
                "passphrase",
                PASSPHRASE,
                (
                    "server",
                    "add",
                    f"ssh -i {identity} -p {port} me@127.0.0.1",
                    "--name",
                    "b",
                    *accept,
                ),
            ),
        ):
            raw, code = type_secret(laptop, secret, *command)
            said.append((label, raw, code))
    outcome.failures += sorted(watch.end())
    outcome.trials = len(said)
    for label, raw, code in said:
        if label in ("password", "passphrase") and code != 0:
            outcome.failures.append(f"{label} did not let in: {code} {raw[-300:]!r}")
        outcome.failures += [f"shown at {label}" for one in SECRETS if one.encode() in raw]
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            outcome.failures += [f"in {path}" for one in SECRETS if one.encode() in data]
    loose = [
        p for p in (laptop.home / "config").rglob("*") if p.is_file() and p.stat().st_mode & 0o077
    ]
    outcome.failures += [f"others may read {path}" for path in loose if path.suffix != ".pub"]
    return outcome
