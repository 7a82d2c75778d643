"""Random keys, pastes, resizes and bytes that are no text, on a real pty: nothing ends it."""

from __future__ import annotations

import fcntl
import os
import random
import struct
import sys
import termios
import time
from pathlib import Path

import pytest

from benchmarks.pty_driver import PtyProgram

ROOT = Path(__file__).parents[3]
HAMMERED = [sys.executable, "-m", "sovdeck.tui.dashboard.app", "--more", "8"]
LIMIT_S = 120.0
CATCH_UP_S = 2.0  # it must not fall minutes behind what was typed
LEAVE = b"\x11"

# Leaving is left out, and so is what would stop the whole terminal (^z, ^s is only a key here).
ESCAPES = {
    "F1": b"\x1bOP",
    "F2": b"\x1bOQ",
    "F3": b"\x1bOR",
    "F4": b"\x1bOS",
    "F5": b"\x1b[15~",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "delete": b"\x1b[3~",
    "page down": b"\x1b[6~",
    "end": b"\x1b[F",
    "shift tab": b"\x1b[Z",
}
CONTROL_KEYS = b"\x0f\x10\x13\x0e\x12\x18\t\r\x1b\x7f"
LETTERS = b"abcdefghijklmnopqrstuvwxyzGHLNZ[]/?+-= 0"
PASTES = (
    b"ssh -p 40022 root@gpu1.example.net",
    "数据集 ～ かな".encode(),
    "合成与比较".encode("gbk"),  # what a terminal that is no UTF-8 sends
    b"one\ntwo\r\nthree",
)
NO_TEXT = (
    b"\x1b[M !\xa0\x1b[M#\xe1\xf0",  # X10 mouse reports beyond column 95
    b"\xff\xfe\x80",
    b"\x1b[99999999999999999999u",
    b"\x1b[<0;10;3M\x1b[<0;10;3m",
    b"\x1b[<64;40;10M",
)
QUICK_ROUND = [
    "F2",
    "1",
    "2",
    "3",
    "F3",
    "4",
    "F2",
    "Escape",
    "5",
    "Escape",
    "6",
    "F2",
    "1",
    "F2",
    "7",
    "F2",
    "3",
]


def random_input(rng: random.Random) -> bytes:
    """One thing a person, a mouse or a broken terminal sends."""
    kind = rng.random()
    if kind < 0.35:
        return str(rng.randint(0, 9)).encode()
    if kind < 0.5:
        return rng.choice((ESCAPES["F2"], ESCAPES["F2"], ESCAPES["F3"]))
    if kind < 0.65:
        return rng.choice(list(ESCAPES.values()))
    if kind < 0.75:
        return bytes([rng.choice(CONTROL_KEYS)])
    if kind < 0.9:
        return bytes([rng.choice(LETTERS)])
    if kind < 0.95:
        return b"\x1b[200~" + rng.choice(PASTES) + b"\x1b[201~"
    return rng.choice(NO_TEXT)


def resize(program: PtyProgram, columns: int, rows: int) -> None:
    size = struct.pack("HHHH", rows, columns, 0, 0)
    fcntl.ioctl(program.fd, termios.TIOCSWINSZ, size)


def last_words(program: PtyProgram) -> str:
    return program.text[-3000:].decode("utf-8", "replace")


def assert_alive_then_leave(program: PtyProgram, story: object) -> None:
    """It still answers, and leaves with 0 when asked to."""
    assert program.exit_code() is None, (
        f"{story}\n{program.text[-3000:].decode('utf-8', 'replace')}"
    )
    end = time.monotonic() + LIMIT_S
    while program.exit_code() is None and time.monotonic() < end:
        os.write(program.fd, b"\x1b")  # out of a dialog or field
        program.settle(0.3, CATCH_UP_S)
        if program.exit_code() is None:
            os.write(program.fd, LEAVE)
            program.settle(0.3, CATCH_UP_S)
        if program.exit_code() is None:
            os.write(program.fd, b"y")  # a rental that the keys began is asked for
            program.settle(0.3, CATCH_UP_S)
    assert program.exit_code() == 0, f"{story}\n{last_words(program)}"


def hammer(seed: int, seconds: float) -> None:
    rng = random.Random(seed)
    with PtyProgram(HAMMERED, columns=130, rows=40) as program:
        program.wait_for("tokyo-4090", LIMIT_S)
        end = time.monotonic() + seconds
        while time.monotonic() < end and program.exit_code() is None:
            if rng.random() < 0.04:
                resize(program, *rng.choice(((130, 40), (80, 24), (60, 16), (20, 5), (200, 60))))
            os.write(program.fd, b"".join(random_input(rng) for _ in range(rng.randint(1, 8))))
            program.settle(rng.choice((0.02, 0.1, 0.5)), CATCH_UP_S)
        assert_alive_then_leave(program, f"seed {seed}")


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 22))
def test_hammered_for_long(seed: int) -> None:
    hammer(seed, seconds=20)


@pytest.mark.long
def test_screens_and_languages_switched_fast() -> None:
    keys = {**ESCAPES, "Escape": b"\x1b"}
    with PtyProgram(HAMMERED, columns=130, rows=40) as program:
        program.wait_for("tokyo-4090", LIMIT_S)
        for _ in range(10):
            for key in QUICK_ROUND:
                os.write(program.fd, keys.get(key, key.encode()))
                program.pump(0.01)
        program.settle()
        assert_alive_then_leave(program, "F2 and digits")
