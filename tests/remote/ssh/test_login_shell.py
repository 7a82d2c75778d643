"""Commands reach the server whole whatever its login shell is, and output is told from its talk."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.ssh.login_shell import OUTPUT_MARK, encode_command, refusal, split_output
from sovdeck.remote.transfer.sftp.session import SftpSession

SHELLS = ("sh", "bash", "dash", "busybox", "zsh", "csh", "bsd-csh", "tcsh", "fish")
WORDS = ["it's", "!x !!", "a\\b\\'c\\", "声\n\n", "$HOME `id`", "100% \\0101", '"', "", "x" * 3000]


def run(shell: str, argv: list[str]) -> tuple[int, bytes]:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    call = [program, "sh"] if shell == "busybox" else [program]
    done = subprocess.run(
        [*call, "-c", encode_command(argv)], capture_output=True, stdin=subprocess.DEVNULL
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_passes_a_command_on_unchanged(shell: str) -> None:
    script = "printf '%s|' \"$@\"\nexit 7"
    code, out = run(shell, ["sh", "-c", script, "sh", *WORDS])
    parts = split_output(out)
    assert code == 7 and parts is not None
    assert parts == (b"", "".join(f"{word}|" for word in WORDS).encode())


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_nothing_in_a_line_means_anything_to_a_shell(words: list[str]) -> None:
    line = encode_command(["true", *words])
    sent = re.findall(r"'([^']*)'", line)[1:]
    assert all(len(word) <= 900 for word in sent), "BSD csh reads no longer words"
    for word in sent:
        # Between single quotes csh knows ! and newlines, fish knows \\ and \'.
        assert re.fullmatch(r"(?:[ -\[\]-~]|\\0[0-7]{3})*", word) and "!" not in word
    assert "\n" not in line
    decoded = re.sub(r"\\0([0-7]{3})", lambda m: chr(int(m[1], 8)), "".join(sent))
    assert decoded.encode("latin-1").decode().startswith("printf '\\036:sovdeck:\\n'; exec true")


def test_our_longest_script_fits_a_command_line() -> None:
    assert len(encode_command(["sh", "-c", read_script("probe.sh")])) < 100_000


def test_what_a_start_up_file_prints_is_no_output() -> None:
    talk = b"Welcome!\n| disk 12% |"
    assert split_output(talk + OUTPUT_MARK + b"a\n" + OUTPUT_MARK) == (talk, b"a\n" + OUTPUT_MARK)
    assert split_output(talk) is None


@pytest.mark.parametrize(
    ("said", "key"),
    [
        (b"Error: Your SSH client doesn't support PTY", "remote.connection.needs_terminal"),
        (b"This service allows sftp connections only.", "remote.connection.sftp_only"),
        (b"This account is currently not available.", "remote.connection.no_login_shell"),
        (b"Your account has expired; please contact ...", "remote.auth.expired"),
        (b"WARNING: Your password has expired.", "remote.auth.expired"),
        (b"open terminal failed: not a terminal", "remote.connection.shell_takes_over"),
        (b"", "remote.connection.no_commands"),
        (b"\x1b[31mmenu: 1) shell", "remote.connection.no_commands"),
    ],
)
def test_a_server_that_runs_nothing_is_quoted_with_what_to_do(said: bytes, key: str) -> None:
    problem = refusal("box", said)
    assert problem.key == key and "box" in problem.message.en
    assert problem.hint.en and "sovdeck doctor" not in problem.hint.en
    assert "\x1b" not in problem.message.en


class _TalkingServer:
    """An SFTP channel whose login shell printed something first; a byte comes at a time."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, n: int = 65536, **_: Any) -> bytes:
        piece, self.data = self.data[:1], self.data[1:]
        return piece

    def write(self, data: bytes) -> None:
        """Whatever is asked, the answer is the one that was given."""


@pytest.mark.parametrize("talk", [b"", b"Welcome!\n", b"no last newline", b"\xe5\xa3\xb0" * 99])
def test_sftp_begins_behind_what_the_shell_printed(talk: bytes) -> None:
    version = bytes.fromhex("0000000502 00000003")
    session = SftpSession(_TalkingServer(talk + version))  # type: ignore[arg-type]
    session.receive_version()
    session = SftpSession(_TalkingServer(talk))  # type: ignore[arg-type]
    with pytest.raises(Problem):  # the end of the stream, not a packet of 1.4 GB
        session.receive_version()


def test_sftp_does_not_read_talk_for_ever() -> None:
    class Endless(_TalkingServer):
        def read(self, n: int = 65536, **_: Any) -> bytes:
            return b"words " * 1000

    with pytest.raises(Problem) as caught:
        SftpSession(Endless(b"")).receive_version()  # type: ignore[arg-type]
    assert caught.value.key == "remote.transfer.garbled"


def test_scripts_say_nothing_of_their_own_before_the_mark(tmp_path: Path) -> None:
    rc = tmp_path / "rc"
    rc.write_text("echo talk; printf more\n")
    done = subprocess.run(
        ["sh", "-c", f". {rc}; {encode_command(['echo', 'out'])}"], capture_output=True
    )
    assert split_output(done.stdout) == (b"talk\nmore", b"out\n")
