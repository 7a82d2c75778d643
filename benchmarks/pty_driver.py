"""Runs a terminal program on a pty and measures it: CPU, memory, output, key to paint."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

import psutil

_ESCAPES = re.compile(rb"\x1b(?:\[[0-9;?<>=:$ ]*[@-~]|[P_^X\]][^\x1b\x07]*(?:\x07|\x1b\\)|.)")
KEYS = {"left": b"\x1b[D", "right": b"\x1b[C", "up": b"\x1b[A", "down": b"\x1b[B"}


class PtyProgram:
    """One program on a terminal of `columns` x `rows`; answers the questions terminals answer."""

    def __init__(
        self,
        argv: Sequence[str],
        columns: int = 120,
        rows: int = 36,
        environ: Mapping[str, str] | None = None,
        keep_raw: bool = False,
    ) -> None:
        self.started = time.perf_counter()
        self.bytes_out = 0
        self.text = b""  # what was painted, without escape sequences
        self.raw = b""  # everything written, when it is kept
        self._keep_raw = keep_raw
        size = struct.pack("HHHH", rows, columns, 0, 0)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            setting = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX", "CI")}
            setting |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", **(environ or {})}
            os.execvpe(argv[0], list(argv), setting)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, size)
        self.process = psutil.Process(self.pid)

    def __enter__(self) -> PtyProgram:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.exit_code() is None:
                os.kill(self.pid, number)
                end = time.perf_counter() + 3
                while self.exit_code() is None and time.perf_counter() < end:
                    self.pump(0.02)
        os.close(self.fd)

    _exit: int | None = None

    def exit_code(self) -> int | None:
        """None while it runs; negative for a signal, as in subprocess."""
        if self._exit is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._exit = os.waitstatus_to_exitcode(status)
        return self._exit

    def pump(self, seconds: float) -> bool:
        """Read for at most `seconds`; True when something came."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.fd, 1 << 16)
        except OSError:  # the program has closed its side
            return False
        self.bytes_out += len(data)
        if self._keep_raw:
            self.raw += data
        self.text = (self.text + _ESCAPES.sub(b" ", data))[-200_000:]
        reply = b""
        if b"\x1b[c" in data:
            reply += b"\x1b[?62;22c"
        if b"\x1b[?2026$p" in data:
            reply += b"\x1b[?2026;2$y"
        if reply:
            os.write(self.fd, reply)
        return bool(data)

    def wait_for(self, word: str, limit: float = 40.0) -> float:
        """Seconds since the start until `word` was painted; TimeoutError when it never is."""
        while word.encode() not in self.text:
            if time.perf_counter() - self.started > limit or self.exit_code() is not None:
                raise TimeoutError(f"{word!r} was never painted; exit {self.exit_code()}")
            self.pump(0.02)
        return time.perf_counter() - self.started

    def settle(self, quiet: float = 0.5, limit: float = 6.0) -> None:
        end = time.perf_counter() + limit
        while time.perf_counter() < end and self.pump(quiet):
            pass

    def cpu(self) -> float:
        """CPU seconds used so far by the program and its children."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(one.cpu_times().user + one.cpu_times().system for one in family)

    def rss_mb(self) -> float:
        family = [self.process, *self.process.children(recursive=True)]
        return float(sum(one.memory_info().rss for one in family)) / 2**20

    def watch(self, seconds: float) -> tuple[float, float]:
        """CPU percent and bytes a second while nobody touches it."""
        cpu, out, begin = self.cpu(), self.bytes_out, time.perf_counter()
        while (passed := time.perf_counter() - begin) < seconds:
            self.pump(0.05)
        return (self.cpu() - cpu) / passed * 100, (self.bytes_out - out) / passed

    def key_ms(self, key: str, limit: float = 3.0) -> float | None:
        """Milliseconds from the key to the first byte painted; None when nothing changes."""
        before, begin = self.bytes_out, time.perf_counter()
        os.write(self.fd, KEYS.get(key, key.encode()))
        while time.perf_counter() - begin < limit:
            self.pump(0.005)
            if self.bytes_out > before:
                return (time.perf_counter() - begin) * 1000
        return None
