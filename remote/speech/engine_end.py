"""Why an engine process that is gone has ended: only what its end itself shows is said."""

from __future__ import annotations

import re

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.filenames import safe_name
from sovdeck.remote.ssh.client import ChannelStream
from sovdeck.remote.ssh.remote_tail import clean_line

KILLED_CODE = 128 + 9  # SIGKILL: what the kernel ends a process with when memory is full
# How Python, torch, the C++ library and the kernel say that there is none left.
_NO_MEMORY = re.compile(
    rb"out of memory|MemoryError|OutOfMemoryError|bad_alloc|can(?:not|'t) allocate memory",
    re.IGNORECASE,
)


def ended_problem(stream: ChannelStream, server: str) -> Problem:
    """The Problem of an engine process that is gone, by its exit code and what it printed last."""
    printed = stream.stderr
    words = [line for line in (clean_line(line) for line in printed.split(b"\n")) if line.strip()]
    why = words[-1][:300] if words else ""
    if stream.exit_code == KILLED_CODE:
        return Problem("remote.speak.killed", ExitCode.MEMORY, server=server)
    if _NO_MEMORY.search(printed):
        return Problem("remote.speak.no_memory", ExitCode.MEMORY, server=server, why=why)
    if not words:
        code = stream.exit_code
        return Problem("remote.speak.ended_silent", ExitCode.INTERNAL, server=server, code=code)
    log = _keep("\n".join(words), server)
    return Problem("remote.speak.ended", ExitCode.INTERNAL, server=server, why=why, log=log)


def _keep(words: str, server: str) -> str | Text:
    """Where the words lie now, for whoever looks for the cause; the newest end replaces others."""
    file = AppPaths.locate().engine_ends_folder / f"{safe_name(server)}.txt"
    try:
        write_atomic(file, words.encode() + b"\n", durable=False, mode=0o600)
    except OSError as error:  # the end is told all the same
        return text("remote.speak.words_not_kept", why=error.strerror or str(error))
    return str(file)
