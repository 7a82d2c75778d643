"""The dashboard's process on a real pseudo-terminal: starts, resizes, few colours, and leaving."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from benchmarks.pty_driver import PtyProgram

ROOT = Path(__file__).parents[3]
STILL = [sys.executable, "-m", "sovdeck.tui.dashboard.app", "--still"]
LIMIT_S = 120.0
LEAVES_ALTERNATE_SCREEN = b"\x1b[?1049l"


@pytest.fixture(autouse=True)
def from_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "dev"))


def until_it_ends(program: PtyProgram) -> int:
    while (code := program.exit_code()) is None:
        program.pump(0.1)
    program.settle(0.2)
    return code


def test_ctrl_q_leaves_the_terminal_as_it_was() -> None:
    with PtyProgram(STILL, keep_raw=True) as program:
        program.wait_for("tokyo-4090", LIMIT_S)
        before = termios.tcgetattr(program.fd)
        os.write(program.fd, b"\x11")
        assert until_it_ends(program) == 0
        assert LEAVES_ALTERNATE_SCREEN in program.raw
        assert b"\x1b[?25h" in program.raw  # the cursor is shown again
        assert termios.tcgetattr(program.fd)[3] & termios.ECHO
        assert not before[3] & termios.ECHO


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["term", "hup"])
def test_a_signal_gives_the_terminal_back(number: signal.Signals) -> None:
    with PtyProgram(STILL, keep_raw=True) as program:
        program.wait_for("tokyo-4090", LIMIT_S)
        os.kill(program.pid, number)
        code = until_it_ends(program)
        assert code in (0, 128 + number), code
        assert LEAVES_ALTERNATE_SCREEN in program.raw


def test_it_ends_with_a_terminal_that_goes_without_a_signal() -> None:
    """Only the terminal that controls a session sends SIGHUP when it goes."""
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(
        STILL, stdin=other_end, stdout=other_end, stderr=other_end, start_new_session=True
    )
    os.close(other_end)
    try:
        painted = b""
        while b"tokyo-4090" not in painted:
            painted += os.read(terminal, 65536)
        os.close(terminal)
        assert process.wait(LIMIT_S) in (0, 128 + signal.SIGHUP)
    finally:
        process.kill()


CRASHING = """
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.services.fakes.services import fake_services

def action_show_help(self):
    password = "hunter" + "2"
    raise RuntimeError("made to fail")

SovdeckApp.action_show_help = action_show_help
app = SovdeckApp(fake_services(live=False))
app.run()
raise SystemExit(app.exit_code)
"""


def test_a_crash_gives_the_terminal_back_and_is_no_success() -> None:
    with PtyProgram([sys.executable, "-c", CRASHING], keep_raw=True) as program:
        program.wait_for("tokyo-4090", LIMIT_S)
        os.write(program.fd, b"?")
        assert until_it_ends(program) == 1
        assert LEAVES_ALTERNATE_SCREEN in program.raw
        assert termios.tcgetattr(program.fd)[3] & termios.ECHO
        assert b"made to fail" in program.text and b"What runs on the servers" in program.text
        assert b"hunter2" not in program.text  # no values of variables


@pytest.mark.parametrize(
    "strange",
    [
        b"\x1b[M !\xa0",  # an X10 mouse report beyond column 95
        "\x1b[200~合成\x1b[201~".encode("gbk"),
        b"\xff\xfe\x80",
        b"\x1b[99999999999999999999u",  # a key code beyond Unicode
    ],
    ids=["x10-mouse", "gbk-paste", "no-utf8", "key-code"],
)
def test_input_that_is_no_text_is_ignored(strange: bytes) -> None:
    with PtyProgram(STILL) as program:
        program.wait_for("tokyo-4090", LIMIT_S)
        os.write(program.fd, strange)
        program.settle(0.3)
        os.write(program.fd, b"\x1b")  # a paste has opened the dialog that adds a server
        program.settle(0.3)
        os.write(program.fd, b"9")
        program.wait_for("Smoothing", LIMIT_S)
        os.write(program.fd, b"\x11")
        assert until_it_ends(program) == 0


@pytest.mark.parametrize(
    "exported",
    [pytest.param({}, marks=pytest.mark.long), {"COLUMNS": "80", "LINES": "24"}],
    ids=["not", "size"],
)
def test_a_resized_window_is_drawn_anew(
    exported: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    with PtyProgram(STILL, columns=120, rows=36, environ=exported) as program:
        program.wait_for("tokyo-4090", LIMIT_S)
        program.settle()
        for columns, rows in ((60, 16), (200, 60), (20, 5), (80, 24)):
            program.text = b""
            size = struct.pack("HHHH", rows, columns, 0, 0)
            fcntl.ioctl(program.fd, termios.TIOCSWINSZ, size)
            program.wait_for("tokyo-4090" if rows > 5 else "1", LIMIT_S)
            program.settle(0.7)
        assert program.exit_code() is None


@pytest.mark.parametrize(
    ("setting", "forbidden"),
    [
        ({"TERM": "xterm", "COLORTERM": ""}, (b"\x1b[38;2;", b";38;2;", b"\x1b[48;2;", b";48;5;")),
        ({"TERM": "xterm-256color", "COLORTERM": ""}, (b"\x1b[38;2;", b";38;2;", b";48;2;")),
    ],
    ids=["16-colours", "256-colours"],
)
def test_a_terminal_with_few_colours_gets_no_others(
    setting: dict[str, str], forbidden: tuple[bytes, ...]
) -> None:
    with PtyProgram(STILL, keep_raw=True, environ=setting) as program:
        program.wait_for("tokyo-4090", LIMIT_S)
        program.settle()
        assert [code for code in forbidden if code in program.raw] == []


def test_where_colour_is_unwanted_everything_is_grey() -> None:
    with PtyProgram(STILL, keep_raw=True, environ={"NO_COLOR": "1"}) as program:
        program.wait_for("tokyo-4090", LIMIT_S)
        program.settle()
        shades = set(re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", program.raw))
        assert shades and [one for one in shades if len(set(one)) > 1] == []


@pytest.mark.long
@pytest.mark.slow
def test_twenty_starts_and_none_fails() -> None:
    for _ in range(20):
        with PtyProgram(STILL) as program:
            program.wait_for("tokyo-4090", LIMIT_S)
            os.write(program.fd, b"\x11")
            assert until_it_ends(program) == 0


@pytest.mark.parametrize(
    ("given", "saved", "said"),
    [(["--lang", "zh"], "en", "四步"), ([], "zh", "四步"), ([], "auto", "four steps")],
)
def test_the_language_is_the_options_else_the_settings(
    tmp_path: Path, given: list[str], saved: str, said: str
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.toml").write_text(f'language = "{saved}"\n')
    home = {"SOVDECK_HOME": str(tmp_path), "SOVDECK_LANG": "en"}
    project = ["--config", str(tmp_path / "deploy.toml")]
    (tmp_path / "deploy.toml").write_text("version = 1\n")
    program_line = [sys.executable, "-m", "sovdeck.tui.cli.main", *project, *given]
    with PtyProgram(program_line, environ=home) as program:
        program.wait_for(said, LIMIT_S)
        os.write(program.fd, b"\x11")
        assert until_it_ends(program) == 0
    assert f'language = "{saved}"' in (tmp_path / "config" / "settings.toml").read_text()


def test_errors_may_go_to_a_file(tmp_path: Path) -> None:
    errors = tmp_path / "errors.txt"
    with PtyProgram(["sh", "-c", 'exec "$@" 2> "$0"', str(errors), *STILL]) as program:
        program.wait_for("tokyo-4090", LIMIT_S)
        os.write(program.fd, b"\x11")
        assert until_it_ends(program) == 0
    assert errors.read_text() == ""


def test_without_a_terminal_it_says_so_and_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sovdeck.tui.cli.main"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "SOVDECK_LANG": "en"},
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and "needs a terminal" in done.stderr
