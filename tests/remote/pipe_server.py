"""A "server" for transfer tests: the real sftp-server and real commands over pipes, no SSH.

Every byte passes a Weather, which can cut, silence or delay it at an exact place.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.errors import ConnectionLost, InputClosed, SftpUnavailable
from sovdeck.remote.ssh.command import CommandResult
from sovdeck.remote.transfer.core.tuning import Tuning

SFTP_SERVERS = (
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
)
SFTP_SERVER = next((path for path in SFTP_SERVERS if Path(path).exists()), None)

# Impatient, so that a test of a dead line takes a second and not a minute.
QUICK = Tuning(
    stall=1.5, give_up=5.0, first_contact=1.5, reconnect=0.01, reconnect_max=0.05, tick=0.01
)
# For tests that count bytes: a busy machine must not look like a dead line.
CALM = replace(QUICK, stall=20.0, give_up=60.0, first_contact=20.0)


@dataclass
class Weather:
    """What happens to the bytes that come from the server; counts over all connections."""

    sftp: bool = True
    most_links: int = 99  # the server turns further connections away
    most_written: int | None = None  # bytes of one file there, of 512; None: as the disk allows
    on_bytes: Callable[[LocalLink, int], None] = lambda link, total: None
    on_connect: Callable[[], None] = lambda: None
    received: int = 0
    sent: int = 0
    links: list[LocalLink] = field(default_factory=list)
    commands: list[Sequence[str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def alive(self) -> list[LocalLink]:
        return [link for link in self.links if not link.closed]


class LocalStream:
    def __init__(self, link: LocalLink, argv: Sequence[str]) -> None:
        self.connection = link
        limit = link.weather.most_written
        if limit is not None:  # as where the disk is full: no file may grow beyond
            shell = 'trap "" XFSZ; ulimit -f "$1"; shift; exec "$@"'
            argv = ["sh", "-c", shell, "limit", str(limit // 512), *argv]
        self.process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=link.home,
            bufsize=0,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.quiet = threading.Event()  # a half-open line: bytes stop, nothing closes
        self.ended = threading.Event()

    def read(self, n: int = 65536) -> bytes:
        assert self.process.stdout is not None
        data = os.read(self.process.stdout.fileno(), n)
        weather = self.connection.weather
        with weather.lock:
            weather.received += len(data)
        weather.on_bytes(self.connection, weather.received)
        if self.quiet.is_set():
            self.ended.wait(1.0)
            self.connection.broken = True  # as a real link's keepalive finds out
        if self.connection.broken:
            raise ConnectionLost("test", "cut")
        if self.ended.is_set():
            return b""
        return data

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        view = memoryview(data)
        try:
            while view:
                if self.connection.broken:
                    raise ConnectionLost("test", "cut")
                written = self.process.stdin.write(view[:65536])
                assert written
                view = view[written:]
                with self.connection.weather.lock:
                    self.connection.weather.sent += written
                self.connection.weather.on_bytes(self.connection, self.connection.weather.sent)
        except (BrokenPipeError, ValueError):
            if self.connection.broken or self.ended.is_set():
                raise ConnectionLost("test", "cut") from None
            raise InputClosed("test") from None

    @property
    def exit_code(self) -> int | None:
        return 128 - code if (code := self.process.wait()) < 0 else code

    def close_write(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close(self) -> None:
        self.ended.set()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def reap(self) -> None:
        self.close()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class LocalLink:
    def __init__(self, home: Path, weather: Weather) -> None:
        self.home = home
        self.weather = weather
        self.rtt = 0.0
        self.streams: list[LocalStream] = []
        self.expected: dict[tuple[str, ...], LocalStream] = {}
        self.broken = False
        self.closed = False

    def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float | None = 60.0
    ) -> CommandResult:
        stream = self.open_stream(argv)
        out: list[bytes] = []

        def feed() -> None:
            # As in remote.ssh.command: the reader says so, or the exit code of what ended early.
            with contextlib.suppress(Problem):
                stream.write(stdin)
                stream.close_write()

        feeder = threading.Thread(target=feed)
        feeder.start()
        while data := stream.read(1 << 16):
            out.append(data)
        feeder.join()
        code = stream.process.wait()
        if self.broken or self.closed:
            raise ConnectionLost("test", "cut")
        return CommandResult(code, b"".join(out), b"")

    def _start(self, argv: Sequence[str]) -> LocalStream:
        if self.broken or self.closed:
            raise ConnectionLost("test", "cut")
        stream = LocalStream(self, argv)
        self.streams.append(stream)
        return stream

    def open_stream(self, argv: Sequence[str], *, window: int = 0) -> LocalStream:
        if (expected := self.expected.pop(tuple(argv), None)) is not None:
            return expected
        self.weather.commands.append(argv)
        return self._start(argv)

    def prestart(self, argv: Sequence[str]) -> LocalStream:
        stream = self.expected[tuple(argv)] = self.open_stream(argv)
        return stream

    def open_sftp(self) -> LocalStream:
        if not self.weather.sftp:
            raise SftpUnavailable("test")
        assert SFTP_SERVER is not None
        return self._start([SFTP_SERVER])

    def cut(self) -> None:
        """The line breaks: every stream of this link ends with LinkLost."""
        self.broken = True
        for stream in self.streams:
            stream.close()

    def hush(self) -> None:
        """The line goes half-open: nothing more arrives and nothing says so."""
        for stream in self.streams:
            stream.quiet.set()

    def close(self) -> None:
        self.closed = True
        for stream in self.streams:
            stream.close()


class Server:
    """A folder that plays the server."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.weather = Weather()

    def connect(self) -> LocalLink:
        self.weather.on_connect()
        if len(self.weather.alive()) >= self.weather.most_links:
            raise Problem(
                "remote.connection.no_greeting", ExitCode.UNREACHABLE, server="test", why="full"
            )
        link = LocalLink(self.home, self.weather)
        self.weather.links.append(link)
        return link

    def reap(self) -> None:
        """End every process that is left."""
        for link in self.weather.links:
            for stream in link.streams:
                stream.reap()

    def put(self, path: str, data: bytes) -> Path:
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file
