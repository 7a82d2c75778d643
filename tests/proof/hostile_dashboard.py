"""The dashboard on a server whose every word is hostile: each screen waits for the word it shows.

Each thing a server names holds a word of its own before the hostile text, so that a screen is left
only once that thing was painted: what is shown does not depend on how fast a machine is.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import time
import wave
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from laptop import VOICE, Laptop

from benchmarks.pty_driver import PtyProgram
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.rent.leases import Lease, LeaseBook

LIMIT_S = 120.0
COLUMNS, ROWS = 230, 60  # wide enough that no column of a table is left out
RATE = 32_000
PCM = base64.b64encode(b"\x01\x00" * RATE).decode()
SOUND = bytes(44)
SHA = hashlib.sha256(SOUND).hexdigest()
# Escape as terminals with the newer key protocol send it: alone it would be Alt with the next key.
ESCAPE, DELETE, ENTER = "\x1b[27u", "\x1b[3~", "\r"
Evil = Callable[[str], str]  # the hostile text behind a word


def engine_answers(evil: Evil) -> Mapping[str, list[dict[str, Any]]]:
    """What the engine's commands print, by a word of their arguments; "" is for all others."""

    def problem(word: str) -> dict[str, Any]:
        both = {"en": evil(word), "zh": evil(word)}
        return {"code": "engine.x.y", "message": both, "hint": both, "exit_code": 3}

    gpt, sovits = f"{evil('gptweights')}.ckpt", f"{evil('sovitsweights')}.pth"
    clip = {"text": evil("clipwords"), "language": evil("cliplanguage"), "seconds": 5.0}
    sound = {"bytes": len(SOUND), "sha256": SHA}
    cell = {"event": "cell", "sentence": 1, "text": evil("celltext"), **sound}
    pair = {"gpt": gpt, "sovits": sovits}
    sentence = {"sentence": 1, "chapter": 1, "start": 1.0, **sound}
    return {
        "voice-assets": [
            {
                "gpt": [{"name": gpt, "bytes": 5, "mtime": 1}],
                "sovits": [{"name": sovits, "bytes": 5, "mtime": 1}],
                "references": [{**clip, "path": evil("/clippath"), "name": evil("clipname")}],
            }
        ],
        "--show": [
            {**cell, **pair, "kind": "cell", "cell": evil("cellname"), "wav": "a.wav"},
            {**cell, "kind": "truth", "cell": "truth", "wav": "b.wav"},
            {"event": "standing", **pair, "score": 0.5, "penalty": 0.5, "cells": 1},
            {"event": "ranked", "votes": 1, "chosen": [gpt, sovits]},
        ],
        "books": [
            {
                "folder": "book-1",
                "book": "book.txt",
                "title": evil("booktitle"),
                "doubtful": [
                    {
                        **sentence,
                        "wav": "000001.wav",
                        "doubts": ["lost", evil("doubt")],
                        "text": evil("doubtfultext"),
                        "heard": evil("heard"),
                    }
                ],
            }
        ],
        "phones": [
            {
                "pieces": [{"language": evil("piecelanguage"), "text": evil("piecetext")}],
                "lost": [{"char": "\u202e", "index": 0}],
            }
        ],
        "--serve": [
            {"id": 1, "event": "piece", "index": 0, "text": evil("piece"), "rate": RATE}
            | {"pcm": PCM, "attempts": 2, "ended": False},
            {"id": 1, "event": "error", **problem("takefailed")},
        ],
        "": [problem("refusal")],
    }


def install_engine(work: Path, evil: Evil) -> None:
    """Put a program in the place of the deployed interpreter that answers hostile lines."""
    folder = work / "hostile-engine"
    folder.mkdir()
    cases = []
    for number, (word, rows) in enumerate(engine_answers(evil).items()):
        said = folder / str(number)
        said.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        show = f"cat {shlex.quote(str(said))}"
        if word in ("phones", "--serve"):  # resident: an answer for each line
            ready = 'echo \'{"event": "ready"}\'; ' if word == "--serve" else ""
            show = f"{ready}while read -r line; do {show}; done"
        cases.append(f'*" {word} "*) {show} ;;' if word else f"*) {show}; exit 3 ;;")
    program = folder / "python"
    program.write_text('#!/bin/sh\ncase " $* " in\n' + "\n".join(cases) + "\nesac\n", "utf-8")
    program.chmod(0o755)
    for sound in ("a.wav", "b.wav"):
        path = work / "auditions" / VOICE / sound
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SOUND)
    record = work / "deployed.json"
    facts = json.loads(record.read_text("utf-8"))
    record.write_text(json.dumps({**facts, "python": str(program)}) + "\n", "utf-8")


def rent_one(laptop: Laptop, evil: Evil) -> None:
    """A lease as another provider and another version of ours may have written it."""
    now = time.time()
    lease = Lease(
        name=evil("leasename"),
        provider=evil("provider"),
        voice=evil("leasevoice"),
        gpu=evil("leasegpu"),
        currency=evil("EUR"),
        price_per_hour=1.0,
        created_at=now,
        expires_at=now + 3600,
        end="destroy",
    )
    LeaseBook(AppPaths.below(laptop.home).leases_file).add(lease)


def share_recordings(laptop: Laptop, evil: Evil) -> Path:
    """A folder of recordings as a stranger sends it: names and words are hostile."""
    folder = laptop.home / "shared"
    folder.mkdir()
    lines = []
    for name in (evil("listname").replace("/", "_"), "plain"):
        with wave.open(str(folder / f"{name}.wav"), "wb") as sound:
            sound.setparams((1, 2, RATE, 0, "NONE", ""))
            sound.writeframes(b"\x01\x00" * RATE * 4)
        lines.append(f"{name}.wav|{evil('listspeaker')}|en|{evil('listtext')}\n")
    (folder / "voice.list").write_text("".join(lines).replace("\x0b", ""), "utf-8")
    return folder


def paste(path: Path) -> str:
    """The path as a terminal sends what was dropped on it."""
    return f"\x1b[200~{path}\x1b[201~"


def show(program: PtyProgram, keys: str, *words: str) -> None:
    """Press keys, and wait until each of `words` is painted; AssertionError with the screen."""
    program.text = b""
    for key in keys.split(" ") if keys else ():
        os.write(program.fd, key.replace("SPACE", " ").encode())
        program.settle(0.1, 2.0)
    deadline = time.monotonic() + LIMIT_S
    while missing := [word for word in words if word.encode() not in program.text]:
        seen = " ".join(program.text.decode("utf-8", "replace").split())[-1500:]
        assert program.exit_code() is None, f"after {keys!r} it ended: {seen}"
        assert time.monotonic() < deadline, f"{missing} never shown after {keys!r}: {seen}"
        program.pump(0.1)


def show_all(laptop: Laptop, log_in: str, recordings: Path) -> bytes:
    """Everything the dashboard wrote while each screen and dialog showed what the server says.

    log_in: an ssh line to a server that asks hostile questions. recordings: of a stranger.
    """
    log_in = log_in.replace(" ", "SPACE")
    with laptop.on_terminal(columns=COLUMNS, rows=ROWS) as program:
        show(program, "", "evilgpu", "failed")  # Servers, with the newest run
        show(program, ENTER, "eviltext")  # Monitor
        show(program, "o", "Lay other runs", "eviltext")  # Compare runs
        show(program, ESCAPE, "eviltext")
        show(program, "3", "evilname")  # Voices
        show(program, "6", "gptweights", "sovitsweights", "clipname", "clipwords")  # Speak
        show(program, f"{ENTER} hello", "piecetext")
        show(program, f"{ESCAPE} \x13", "takefailed")
        show(program, "b", "booktitle", "doubtfultext", "heard")  # Doubtful sentences
        show(program, ESCAPE, "clipname")
        show(program, "7", "gptweights", "sovitsweights", "celltext")  # Audition
        show(program, "\x13", "Render", "gptweights", "sovitsweights")  # New audition
        show(program, ESCAPE, "celltext")
        show(program, "8", "evillog")  # Logs
        show(program, "4", "Plan for box")  # Train
        show(program, f"5 {paste(recordings)} {ENTER}", "listtext", "listname")  # Dataset
        show(program, f"{ESCAPE} 9", "settings.toml")  # Settings
        show(program, "1", "evilgpu")
        show(program, "d", "Deploy the engine to")  # Deploy
        show(program, ESCAPE, "evilgpu")
        show(program, "f", "evilname")  # Disk
        show(program, f"j SPACE {DELETE}", "to remove it", "evilname")
        show(program, ESCAPE, "evilname")
        show(program, "q", "evilgpu")
        show(program, "r v", "leasename")  # Rent
        show(program, "q", "evilgpu")
        show(program, f"a {log_in} {ENTER}", "Trust it")  # Add a server
        show(program, f"l {ENTER}", "evilprompt")
        show(program, f"guess {ENTER}", "evilprompt")  # its second question
        show(program, f"guess {ENTER}", "That was refused", "evilprompt")
        show(program, ESCAPE, "did not let me in")
        show(program, ESCAPE, "evilgpu")
        assert program.exit_code() is None, program.text[-2000:]
        os.write(program.fd, b"\x11")
        deadline = time.monotonic() + LIMIT_S
        while program.exit_code() is None and time.monotonic() < deadline:
            program.pump(0.1)
        program.settle(0.2)
        assert program.exit_code() == 0, program.text[-2000:]
    return program.raw
