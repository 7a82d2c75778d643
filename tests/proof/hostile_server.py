"""A server that lets us in and then lies: every command ends with a sentence, soon, and small.

The user name says which lie is told, so that all of them can be told at once by one server.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
from laptop import Laptop, write_project
from report import Outcome
from ssh_thread import ssh_server

from sovdeck.remote.embedded.server import run_command
from sovdeck.remote.ssh.login_shell import OUTPUT_MARK

MOST_BYTES = 300 << 20  # of memory, with the interpreter and everything it has loaded
LIMIT_S = 200.0  # the longest that a command waits for a silent server, and some to start
VOICE = "Tiny"
Process = Any  # asyncssh.SSHServerProcess[bytes], whose type is only known to its stubs


@dataclass(frozen=True)
class Lie:
    """What the server does, and the command that meets it.

    sftp: the lie is told by the SFTP program, and commands are honest.
    """

    name: str
    tell: Callable[[Process], Awaitable[None]]
    command: tuple[str, ...]
    sftp: bool = False


async def flood(process: Process, piece: bytes) -> None:
    while not process.is_closing():
        process.stdout.write(piece)
        await process.stdout.drain()


async def endless_lines(process: Process) -> None:
    process.stdout.write(OUTPUT_MARK)
    await flood(process, b"gpu 0, x\n" * 4000)


async def endless_line(process: Process) -> None:
    process.stdout.write(OUTPUT_MARK + b"deployed {")
    await flood(process, b"x" * 32768)


async def endless_noise(process: Process) -> None:
    """A login shell that talks on and never runs the command."""
    await flood(process, b"Welcome!\n" * 3000)


async def endless_errors(process: Process) -> None:
    process.stdout.write(OUTPUT_MARK)
    while not process.is_closing():
        process.stderr.write(b"error\n" * 4000)
        await process.stderr.drain()


async def silence(process: Process) -> None:
    await asyncio.sleep(3600)


async def drip(process: Process) -> None:
    """One byte now and then: never an end, and never quiet for long."""
    process.stdout.write(OUTPUT_MARK)
    while not process.is_closing():
        process.stdout.write(b"x")
        await asyncio.sleep(0.5)


async def binary(process: Process) -> None:
    process.stdout.write(OUTPUT_MARK + os.urandom(100_000))
    process.exit(0)


async def nested(process: Process) -> None:
    record = b'{"work": ' + b"[" * 200_000
    process.stdout.write(OUTPUT_MARK + b"deployed " + record + b"\ncode\nbegin 1\nend 2\n")
    process.exit(0)


async def nothing(process: Process) -> None:
    process.stdout.write(OUTPUT_MARK)
    process.exit(0)


async def hang_up(process: Process) -> None:
    process.channel.get_connection().abort()


def packet(kind: int, body: bytes) -> bytes:
    return (len(body) + 1).to_bytes(4, "big") + bytes([kind]) + body


VERSION = packet(2, (3).to_bytes(4, "big"))


async def answer_sftp(process: Process, change: Callable[[int, bytes], bytes | None]) -> None:
    """An SFTP server with one file of 1 MiB; `change` makes the answer to a packet."""
    try:
        while True:
            head = await process.stdin.readexactly(5)
            body = await process.stdin.readexactly(int.from_bytes(head[:4], "big") - 1)
            if (reply := change(head[4], body)) is not None:
                process.stdout.write(reply)
    except (asyncio.IncompleteReadError, asyncssh.Error):
        process.exit(0)


def honest_sftp(kind: int, body: bytes, size: int = 1 << 20) -> bytes | None:
    number = body[:4]
    if kind == 1:
        return VERSION
    if kind == 3:  # open
        return packet(102, number + (1).to_bytes(4, "big") + b"h")
    if kind in (7, 8, 17):  # attributes: size, mode, times
        flags, mode = (0xD).to_bytes(4, "big"), (0o100644).to_bytes(4, "big")
        return packet(105, number + flags + size.to_bytes(8, "big") + mode + bytes(8))
    if kind == 5:  # read
        count = min(int.from_bytes(body[-4:], "big"), 32768)
        return packet(103, number + count.to_bytes(4, "big") + bytes(count))
    return packet(101, number + (8).to_bytes(4, "big") + bytes(8))


def sftp_lie(change: Callable[[int, bytes], bytes | None]) -> Callable[[Process], Awaitable[None]]:
    async def tell(process: Process) -> None:
        await answer_sftp(process, change)

    return tell


def on_read(reply: Callable[[bytes], bytes | None]) -> Callable[[int, bytes], bytes | None]:
    return lambda kind, body: reply(body) if kind == 5 else honest_sftp(kind, body)


def _data(number: bytes, count: int, claimed: int) -> bytes:
    return packet(103, number + claimed.to_bytes(4, "big") + bytes(count))


PULL = ("pull", "{server}", "--voice", VOICE)
LIES = (
    Lie("endless-lines", endless_lines, ("server", "check", "{server}")),
    Lie("endless-line", endless_line, ("ps", "{server}")),
    Lie("endless-noise", endless_noise, ("ps", "{server}")),
    Lie("endless-errors", endless_errors, ("server", "check", "{server}")),
    Lie("silence", silence, ("ps", "{server}")),
    Lie("drip", drip, ("ps", "{server}")),
    Lie("binary", binary, ("ps", "{server}")),
    Lie("binary-facts", binary, ("server", "check", "{server}")),
    Lie("nested", nested, ("ps", "{server}")),
    Lie("nothing", nothing, ("doctor", "{server}")),
    Lie("hang-up", hang_up, ("ps", "{server}")),
    Lie("sftp-text", sftp_lie(lambda kind, body: b"no such thing\n"), PULL, sftp=True),
    Lie("sftp-huge", sftp_lie(on_read(lambda body: b"\xff\xff\xff\xffg")), PULL, sftp=True),
    Lie(
        "sftp-wrong-id",
        sftp_lie(on_read(lambda body: _data(b"\xde\xad\xbe\xef", 9, 9))),
        PULL,
        sftp=True,
    ),
    Lie(
        "sftp-more",
        sftp_lie(on_read(lambda body: _data(body[:4], 100_000, 100_000))),
        PULL,
        sftp=True,
    ),
    Lie("sftp-length", sftp_lie(on_read(lambda body: _data(body[:4], 9, 90_000))), PULL, sftp=True),
    Lie(
        "sftp-endless-size",
        sftp_lie(lambda kind, body: honest_sftp(kind, body, size=(1 << 63) + 5)),
        PULL,
        sftp=True,
    ),
    Lie(
        "sftp-other-bytes",
        sftp_lie(honest_sftp),
        PULL,
        sftp=True,
    ),
)


class OpenDoor(asyncssh.SSHServer):
    """Lets everybody in."""

    def begin_auth(self, username: str) -> bool:
        return False


@dataclass
class Told:
    """How a command ended: None where it had to be killed."""

    code: int | None
    seconds: float
    peak: int
    said: str


def _peak_memory(pid: int) -> int:
    """Bytes of memory at the most so far; 0 of a process that has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    found = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(found[0]) * 1024 if found else 0


def run_measured(laptop: Laptop, command: tuple[str, ...], folder: Path) -> Told:
    """Run a command to its end with its peak of memory in bytes."""
    began = time.monotonic()
    out = folder / "said.txt"
    with out.open("wb") as file:
        process = subprocess.Popen(
            laptop.argv(*command),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd=laptop.home,
            env=laptop.settings(),
        )
    killed, peak = False, 0
    while True:
        # Not by wait4: what it tells begins with the memory of the process that forked.
        peak = max(peak, _peak_memory(process.pid))
        pid, status = os.waitpid(process.pid, os.WNOHANG)
        if pid:
            break
        if time.monotonic() - began > LIMIT_S and not killed:
            process.kill()
            killed = True
        time.sleep(0.03)
    process.returncode = os.waitstatus_to_exitcode(status)
    said = out.read_text("utf-8", "replace")
    code = None if killed else process.returncode
    return Told(code, time.monotonic() - began, peak, said)


def judge(lie: Lie, told: Told) -> list[str]:
    """What is wrong with how a command took a lie."""
    shown = told.said[-300:]
    if told.code is None:
        return [f"{lie.name}: not over after {LIMIT_S:.0f} s: {shown}"]
    wrong = []
    if "Traceback" in told.said or "sovdeck itself failed" in told.said or told.code < 0:
        wrong.append(f"{lie.name}: {told.code}: {shown}")
    if told.peak > MOST_BYTES:
        wrong.append(f"{lie.name}: {told.peak >> 20} MiB of memory")
    if lie.sftp and told.code == 0:
        wrong.append(f"{lie.name}: taken for a voice: {shown}")
    if not told.said.strip():
        wrong.append(f"{lie.name}: not a word")
    return wrong


def tell_lies(trials: int, seed: int, folder: Path) -> Outcome:
    """The first `trials` lies, several at a time: most of them are waited for."""
    home = folder / "home"
    home.mkdir()
    lying = False
    by_name = {lie.name: lie for lie in LIES}

    async def serve(process: Process) -> None:
        lie = by_name.get(process.get_extra_info("username"))
        if lying and lie is not None and lie.sftp == (process.subsystem == "sftp"):
            await lie.tell(process)
        elif process.subsystem is None:
            await run_command(process, home)
        else:
            process.exit(1)

    laptop = Laptop(folder / "laptop", folder / "work")
    write_project(laptop)
    outcome = Outcome()
    with ssh_server(OpenDoor, serve) as (port, fingerprint):
        line = f"ssh -p {port} honest@127.0.0.1"
        accept = ("--accept-host-key", fingerprint)
        laptop.must("server", "add", line, "--name", "box", *accept)
        laptop.must("deploy", "box", limit=300.0)
        (laptop.work / "packs").mkdir(exist_ok=True)
        (laptop.work / "packs" / f"{VOICE}.zip").write_bytes(os.urandom(1 << 20))
        saved = laptop.home / "config" / "servers.toml"
        whole = saved.read_text("utf-8")
        assert "honest" in whole and "box" in whole, whole
        for lie in LIES:
            mine = whole.replace("honest", lie.name).replace("box", lie.name)
            saved.write_text(saved.read_text("utf-8") + "\n" + mine[mine.index("[servers") :])
        lying = True

        def one(lie: Lie) -> list[str]:
            own = folder / lie.name
            own.mkdir()
            command = tuple(word.format(server=lie.name) for word in lie.command)
            return judge(lie, run_measured(laptop, command, own))

        with ThreadPoolExecutor(4) as pool:
            for wrong in pool.map(one, LIES[:trials]):
                outcome.trials += 1
                outcome.failures += wrong
    left = [path.name for path in (laptop.voices).glob("*.zip")] if laptop.voices.exists() else []
    outcome.failures += [f"a lie became {name}" for name in left]
    return outcome
