"""Starting the embedded server as a process of its own, and ending it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.keypair import generate_key, public_key_path
from sovdeck.remote.hosts.spec import HostSpec

SERVER_LIBRARY = "asyncssh"  # comes with the demo's parts only
_START_LIMIT_S = 20.0


@dataclass
class EmbeddedProcess:
    """A running embedded server. identity: the private key it lets in."""

    host: str
    port: int
    fingerprint: str
    identity: Path
    process: subprocess.Popen[bytes]

    def spec(self, *, user: str = "demo") -> HostSpec:
        """Return its address, with the key."""
        return HostSpec(self.host, self.port, user, (str(self.identity),))

    def close(self) -> None:
        """End it by closing its input; kill it when it does not end within five seconds."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> EmbeddedProcess:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def check_system() -> None:
    """Problem where no POSIX shell can be expected, which commands on a server need."""
    if sys.platform == "win32":
        raise Problem("remote.connection.embedded_windows", ExitCode.CONFIG)


def is_embedded_installed() -> bool:
    """Whether this computer can be a server itself: its system, and the parts."""
    return sys.platform != "win32" and find_spec(SERVER_LIBRARY) is not None


def start_embedded(
    folder: Path, home: Path, *, host: str = "", identity: Path | None = None, sftp: bool = True
) -> EmbeddedProcess:
    """Start `python -m sovdeck.remote.embedded`; key, log and ready file lie in `folder`.

    identity: a private key with its .pub beside it; None makes one. Problem
    `remote.connection.no_embedded` when it does not come up, `embedded_not_installed` where the
    parts for it are not installed, `embedded_windows` there.
    """
    check_system()
    if not is_embedded_installed():
        raise Problem("remote.connection.embedded_not_installed", ExitCode.CONFIG)
    folder.mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    identity = identity or generate_key(folder / "id_ed25519")
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "sovdeck.remote.embedded", "--ready", str(ready)]
    argv += ["--authorized-key", str(public_key_path(identity)), "--home", str(home)]
    argv += ["--host", host] if host else []
    argv += [] if sftp else ["--no-sftp"]
    log = folder / "embedded.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own module
            argv,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,  # Ctrl+C in the terminal is for the demo, not for its server
        )
    deadline = time.monotonic() + _START_LIMIT_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            why = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
            raise Problem(
                "remote.connection.no_embedded",
                ExitCode.INTERNAL,
                why=why or "it timed out",
                log=log,
            )
        time.sleep(0.02)
    facts = json.loads(ready.read_text(encoding="utf-8"))
    return EmbeddedProcess(facts["host"], facts["port"], facts["fingerprint"], identity, process)
