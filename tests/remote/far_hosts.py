"""Two hosts in network namespaces of their own: IPv6 only, a slow wire between, no way out.

The wire is tests/lab/tunlink.c; SIGUSR1 makes it a black hole and back.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WIRE = ROOT / "tests" / "lab" / "tunlink.c"
TRIP = Path(__file__).with_name("far_steps.py")
LAPTOP, SERVER = "fd99::1", "fd99::2"


def why_not() -> str:
    """Why the two hosts cannot be had here; empty when it can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces need root"
    if not Path("/dev/net/tun").exists():
        return "the slow wire needs /dev/net/tun"
    if shutil.which("gcc") is None or shutil.which("ip") is None:
        return "the slow wire needs gcc and ip"
    return ""


@dataclass(frozen=True)
class FarHosts:
    """A laptop's namespace, and an sshd in another one; `wire` is the process between them."""

    laptop: str
    server: dict[str, Any]
    wire: int

    def trip(self, name: str, folder: Path, limit: float = 200.0) -> dict[str, Any]:
        """Run a function of far_steps.py on the laptop's side; what it found."""
        argv = [
            *_inside(self.laptop),
            sys.executable,
            str(TRIP),
            name,
            str(folder),
            json.dumps(self.server),
            str(self.wire),
        ]
        env = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "dev"),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
        done = subprocess.run(argv, capture_output=True, text=True, timeout=limit, env=env)
        assert done.returncode == 0, done.stderr[-2000:]
        found = json.loads(done.stdout.splitlines()[-1])
        assert isinstance(found, dict)
        return found


@contextmanager
def far_hosts(folder: Path, rtt_ms: int) -> Iterator[FarHosts]:
    """Skips where this machine does not allow it."""
    if why := why_not():
        pytest.skip(why)
    names = [f"sovdeck{os.getpid()}{side}" for side in "ab"]
    with ExitStack() as stack:
        for name in names:
            if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
                pytest.skip("this machine lets nobody make a network namespace")
            stack.callback(subprocess.run, ["ip", "netns", "del", name])
            _ip(name, "link", "set", "lo", "up")
            _ip(name, "addr", "del", "127.0.0.1/8", "dev", "lo")
        program = folder / "tunlink"
        subprocess.run(["gcc", "-O2", "-o", str(program), str(WIRE)], check=True)
        wire = subprocess.Popen(
            [str(program), *names, str(rtt_ms / 2), "0", "64"], stdout=subprocess.PIPE
        )
        stack.enter_context(_ended(wire))
        assert wire.stdout is not None and wire.stdout.readline() == b"ready\n"
        for name, address in zip(names, (LAPTOP, SERVER), strict=True):
            _ip(name, "link", "set", "dl0", "up")
            _ip(name, "addr", "add", f"{address}/64", "dev", "dl0", "nodad")
        argv = [sys.executable, str(TRIP), "serve", str(folder / "far"), "{}", "0"]
        serve = subprocess.Popen(
            [*_inside(names[1]), *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT / "dev")},
        )
        stack.enter_context(_ended(serve))
        assert serve.stdout is not None
        yield FarHosts(names[0], json.loads(serve.stdout.readline()), wire.pid)


def _inside(name: str) -> list[str]:
    return ["ip", "netns", "exec", name]


def _ip(name: str, *words: str) -> None:
    subprocess.run(["ip", "-n", name, *words], check=True)


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        if process.stdin is not None:
            process.stdin.close()  # serve ends its sshd before itself
            process.wait(15)
        else:
            process.terminate()
            process.wait(5)
        if process.stdout is not None:
            process.stdout.close()
