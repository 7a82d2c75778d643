"""Commands that any login shell passes on unchanged, and output told from what the shell says.

sshd hands a command to the account's login shell as one line. csh ends a quoted word at a newline
and replaces `!`, fish reads backslashes inside single quotes, BSD csh refuses words of more than
1,023 characters; bash reads ~/.bashrc first, which may print. So a command travels as short words
of plain characters that `sh` puts together again, and it starts by printing a mark: what came
before the mark is not its output.
"""

from __future__ import annotations

import re
import shlex
import string
from collections.abc import Sequence
from functools import lru_cache

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.hosts.address import MAX_REASON, to_printable

OUTPUT_MARK = b"\x1e:sovdeck:\n"

# Characters that sh, csh, tcsh, fish and zsh all leave alone between single quotes.
_PLAIN = string.ascii_letters + string.digits + ' #$%&()*+,-./:;<=>?@[]^_`{|}~"'
# `printf %b` reads \0 and three octal digits as one byte.
_ENCODED_BYTES = {byte: f"\\0{byte:03o}" for byte in range(256) if chr(byte) not in _PLAIN}
_ESCAPE_LENGTH = 5
_LONGEST_WORD = 900
_DECODER = """sh -c 'eval "$(printf %b "$@")"' sh"""


def encode_command(argv: Sequence[str]) -> str:
    """Return one line that runs argv under any login shell, after printing `OUTPUT_MARK`."""
    return _encode(tuple(argv))


# A watched server is asked the same again and again, with a whole script each time.
@lru_cache(maxsize=64)
def _encode(argv: tuple[str, ...]) -> str:
    command = f"printf '\\036:sovdeck:\\n'; exec {shlex.join(argv)}"
    data = command.encode("utf-8", "surrogateescape")
    encoded = data.decode("latin-1").translate(_ENCODED_BYTES)  # whole scripts, often: in C
    words, start = [], 0
    while start < len(encoded):
        end = start + _LONGEST_WORD
        if end < len(encoded):
            escape = encoded.rfind("\\", end - _ESCAPE_LENGTH + 1, end)
            end = end if escape < 0 else escape  # one that would be cut goes into the next word
        words.append(encoded[start:end])
        start = end
    return " ".join([_DECODER, *(f"'{word}'" for word in words)])


# What servers say instead of running a command, and the sentence for it; the first match wins.
_REFUSALS = tuple(
    (re.compile(pattern, re.IGNORECASE), key)
    for pattern, key in (
        (r"doesn't support PTY|ssh\.runpod\.io", "remote.connection.needs_terminal"),
        (r"sftp connections only", "remote.connection.sftp_only"),
        (r"account has expired|password has expired|change your password", "remote.auth.expired"),
        (r"not available|nologin|not allowed to (log|execute)", "remote.connection.no_login_shell"),
        (r"not a terminal|tmux|screen:|^no sessions", "remote.connection.shell_takes_over"),
    )
)


def refusal(server: str, said: bytes) -> Problem:
    """Return the Problem for a login shell that ended without running the command.

    said: what it printed instead, of which the last 300 bytes are shown.
    """
    lines = said[-300:].decode("utf-8", "replace").splitlines()
    shown = " / ".join(line.strip() for line in lines if line.strip())
    key = next(
        (key for pattern, key in _REFUSALS if pattern.search(shown)),
        "remote.connection.no_commands",
    )
    return Problem(
        key, ExitCode.UNREACHABLE, server=server, said=to_printable(shown, MAX_REASON) or "-"
    )


def split_output(data: bytes) -> tuple[bytes, bytes] | None:
    """Return (what the login shell said, the command's output); None before the mark came."""
    said, mark, output = data.partition(OUTPUT_MARK)
    return (said, output) if mark else None
