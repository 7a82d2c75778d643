"""Text of a hostile server on a real terminal: no byte of it does more there than be read.

Everything a server can name holds the same text: fields of events, a log, files, GPUs, a banner,
prompts, answers. What reaches the pseudo-terminal is compared byte by byte.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
from hostile_dashboard import install_engine, rent_one, share_recordings, show_all
from laptop import VOICE, Laptop, deployed_laptop, write_project
from server_readers import PAYLOADS
from servers import start_embedded
from ssh_thread import ssh_server

from benchmarks.pty_driver import PtyProgram
from sovdeck.engine.contract.events import REQUIRED_FIELDS, Event
from sovdeck.engine.contract.problem import ExitCode

LIMIT_S = 90.0
# An OSC title, a cleared screen, C1 and bidirectional marks, bells, and markup of Rich.
EVIL = (
    "x\x1b]0;PWNED\x07\x1b[2J\x1b[H\x9b41m\x9d0;PWNED\x9c\u202eevil\u2066\x08\x0b\x0e"
    "[bold]m[/] [/nope] [@click=app.quit]q[/] \x1b[8;1;1t\x1b]52;c;UFdORUQ=\x07"
)
# None of these is ever ours: titles, the clipboard, window sizes, C1, marks, BEL inside a line.
FORBIDDEN = (
    b"\x1b]0;",
    b"\x1b]52;",
    b"\x1b[8;1;1t",
    b"\x1b[41m",
    b"\xc2\x9b",
    b"\xc2\x9d",
    b"\xc2\x9c",
    b"\x07",
    b"\x08",
    b"\x0b",
    b"\x0e",
    *(mark.encode() for mark in ("\u202e", "\u2066")),
)


def evil(word: str) -> str:
    """The hostile text behind a word that tells where it was painted."""
    return f"{word} {EVIL}"


def evil_fields(value: Any) -> Any:
    """The same value with hostile text in place of every text of its own."""
    if isinstance(value, str):
        return evil("eviltext")
    if isinstance(value, dict):
        return {key: evil_fields(item) for key, item in value.items()}
    return [evil_fields(item) for item in value] if isinstance(value, list) else value


def evil_events(run: str) -> bytes:
    """One event of each type; their stages have hostile names too."""
    lines = []
    for seq, kind in enumerate(REQUIRED_FIELDS):
        payload = evil_fields(PAYLOADS[kind])
        if kind == "run_finished":
            payload = {"status": "failed", "exit_code": 3, "exports": []}
        stage = "gpt" if seq % 2 else EVIL
        lines.append(Event(seq, 1_700_000_000_000, run, kind, 1, stage, payload).to_json())
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def lay_out(work: Path) -> None:
    """A run that failed, weights and samples with hostile names, below the work folder."""
    run = work / "runs" / "20260101-000000-tiny"
    (run / "samples").mkdir(parents=True)
    (run / "spec.json").write_text(json.dumps({"run": run.name, "voice": VOICE}))
    (run / "pid.json").write_text('{"attempt":1,"pid":1,"start":1,"boot":"x"}\n')
    (run / "exit.json").write_text('{"attempt":1,"code":3,"t":1700000000}\n')
    (run / "events.jsonl").write_bytes(evil_events(run.name))
    (run / "log.txt").write_text(f"{evil('evillog')}\n" * 5, encoding="utf-8")
    other = work / "runs" / "20260102-000000-tiny"
    shutil.copytree(run, other)
    (other / "spec.json").write_text(json.dumps({"run": other.name, "voice": evil("evilvoice")}))
    name = evil("evilname").replace("/", "_")[:60]
    for place in (f"GPT_weights/{VOICE}/{name}-e1.ckpt", f"SoVITS_weights/{name}/{name}.pth"):
        (work / place).parent.mkdir(parents=True, exist_ok=True)
        (work / place).write_bytes(b"x")
    (run / "samples" / f"{name}.wav").write_bytes(b"RIFF")


def install_smi(folder: Path) -> None:
    """Put an nvidia-smi into a folder of PATH; its one GPU has the hostile name."""
    program = folder / "nvidia-smi"
    row = f"0, GPU-1, 535.1, 24564, 3, 24000, 0, 0, 30, 20.5, [N/A], {evil('evilgpu')}"
    (folder / "rows").write_text(row + "\n", encoding="utf-8")
    source = Path(__file__).parents[1] / "remote" / "probe" / "fake_nvidia_smi"
    program.write_text(source.read_text("utf-8").replace("$FAKE_SMI_ROWS", f"{folder}/rows"))
    program.chmod(0o755)


def until_end(program: PtyProgram, limit: float = LIMIT_S) -> bytes:
    deadline = time.monotonic() + limit
    while program.exit_code() is None and time.monotonic() < deadline:
        program.pump(0.1)
    program.settle(0.2)
    return program.raw


def wrong_bytes(raw: bytes) -> list[str]:
    """What a terminal would have obeyed, with what stands around it."""
    raw = raw.replace(b"\x1b]22;default\x07", b"")  # Textual's own: the pointer's usual shape
    found = []
    for bad in FORBIDDEN:
        at = raw.find(bad)
        if at >= 0:
            found.append(f"{bad!r} in {raw[max(0, at - 40) : at + 40]!r}")
    return found


def on_command_line(laptop: Laptop) -> Iterator[tuple[str, list[str]]]:
    """(command, what was wrong) of each command that shows what a server says."""
    commands = (
        ("ps",),
        ("ps", "box"),
        ("logs", "box"),
        ("logs", "box", "-f"),
        ("server", "check", "box"),
        ("doctor", "box"),
        ("gpu", "box"),
        ("sync", "box"),
        ("speak", "box", "--list", "--voice", VOICE),
        ("pull", "box", "--voice", VOICE),
        ("stop", "box"),
    )
    for command in commands:
        with laptop.on_terminal(*command) as program:
            raw = until_end(program)
            code = program.exit_code()
            wrong = wrong_bytes(raw)
            if code is None or code == int(ExitCode.INTERNAL):
                wrong.append(f"exit code {code}: {raw[-300:]!r}")
            yield " ".join(command), wrong


def on_dashboard(laptop: Laptop) -> list[str]:
    """Wrong bytes of the dashboard while each of its screens shows what the server says."""
    with ssh_server(AskingServer) as (port, _fingerprint):
        line, recordings = f"ssh -p {port} me@127.0.0.1", share_recordings(laptop, evil)
        return wrong_bytes(show_all(laptop, line, recordings))


class AskingServer(asyncssh.SSHServer):
    """Lets nobody in; its banner, its prompts and its refusals are hostile."""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        self._connection.send_auth_banner(EVIL + "\n")
        return True

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        asked = evil("evilprompt")
        return asked, asked, "en", [(asked + ": ", False), (asked + "? ", True)]

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        return False


def at_log_in(folder: Path) -> tuple[list[str], bytes]:
    """Wrong bytes while a hostile server asks for passwords, and what it wrote."""
    laptop = Laptop(folder / "asked", folder / "none")
    write_project(laptop)
    with ssh_server(AskingServer) as (port, fingerprint):
        line = f"ssh -p {port} me@127.0.0.1"
        command = ("server", "add", line, "--name", "evil", "--accept-host-key", fingerprint)
        with laptop.on_terminal(*command) as program:
            for asked in (b": \r\n", b"? \r\n", b""):
                program.settle(1.0, 4.0)
                if program.exit_code() is None and asked:
                    os.write(program.fd, b"guess\r")
            raw = until_end(program, 5.0)
    return wrong_bytes(raw), raw


def hostile_text(folder: Path) -> tuple[int, list[str]]:
    """Try all of it; (how many things were shown, what was wrong)."""
    tools, before = folder / "tools", os.environ["PATH"]
    tools.mkdir()
    os.environ["PATH"] = f"{tools}:{before}"
    try:
        place = start_embedded(folder / "server")
    finally:
        os.environ["PATH"] = before
    wrong: list[str] = []
    tried = 0
    try:
        laptop = deployed_laptop(place, folder)
        lay_out(laptop.work)
        install_smi(tools)  # only now: no torch computes on this GPU
        for command, found in on_command_line(laptop):
            tried += 1
            wrong += [f"{command}: {one}" for one in found]
        install_engine(laptop.work, evil)
        rent_one(laptop, evil)
        tried += 1
        wrong += [f"dashboard: {one}" for one in on_dashboard(laptop)]
    finally:
        place.process.close()
    found, raw = at_log_in(folder)
    wrong += [f"log-in: {one}" for one in found]
    if not re.search(rb"PWNED", raw):
        wrong.append(f"log-in: the server's own words were not shown at all: {raw[-300:]!r}")
    shutil.rmtree(folder / "server", ignore_errors=True)
    return tried + 1, wrong
