"""A voice's HTTP endpoints, on the server's loopback address and on ours, for as long as wanted.

`python -m engine serve` answers there and ends with our channel; a forward carries requests.
When the link is lost, a new one gets a new engine. Clients keep the port: until then they are
answered 503 with the reason.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from engine.contract.problem import ExitCode, Problem
from remote.deployed import Deployed
from remote.engine_talk import JsonLines, check_end, ended, refusal, whole_in
from remote.faults import LinkLost
from remote.forward import Forward
from remote.link import Link, Stream
from remote.listener import LinkSource, retry_wait
from remote.speaker import LOAD_S
from remote.unavailable import answer_unavailable

_HOST = "127.0.0.1"
_BEAT_S = 30.0
_LOOK_S = 0.5
_PATIENCE_S = 150  # how long the server waits for a sign of life: five beats


class _Engine:
    """One `engine serve` process and the channel it lives by."""

    def __init__(self, link: Link, stream: Stream) -> None:
        self.link = link
        self.stream = stream
        self.lines = JsonLines(stream, link.name)
        self.port = self._listening()
        self.open_tcp().close()  # a server that forwards nothing says so now

    def open_tcp(self) -> Any:
        return self.link.open_tcp(_HOST, self.port)

    def _listening(self) -> int:
        server = self.link.name
        try:
            said = self.lines.next(time.monotonic() + LOAD_S)
        except TimeoutError:
            raise Problem(
                "remote.speak.silent", ExitCode.UNREACHABLE, server=server, seconds=int(LOAD_S)
            ) from None
        if said is None:
            check_end(self.stream, server, {})
            raise ended(self.stream, server)
        port = whole_in(said, "port")
        if said.get("event") != "listening" or port is None or not 0 < port < 65536:
            odd = Problem("remote.speak.odd", ExitCode.INTERNAL, server=server, event="listening")
            raise refusal(said) or odd
        return port


class Endpoint:
    """One voice under `http://127.0.0.1:PORT`. Close it to end both sides."""

    def __init__(
        self,
        link_source: LinkSource,
        deployed: Deployed,
        voice: str,
        port: int,
        options: Sequence[str] = (),
        *,
        on_change: Callable[[Problem | None], None] = lambda _problem: None,
        rest: Callable[[int], float] = retry_wait,
    ) -> None:
        """Listen on 127.0.0.1:`port` (0 picks one) and wait until the voice is loaded there.

        options: of `engine serve`. on_change: told from `wait` why the voice is away, and None
        once it answers again. rest: seconds after the n-th vain try to connect. Problem when the
        port is taken, or in the engine's words.
        """
        self._link_source = link_source
        self._deployed = deployed
        work = str(deployed.layout.work)
        argv = ["serve", voice, "--port", "0", "--attached", str(_PATIENCE_S), "--work", work]
        self._argv = deployed.engine([*argv, "--json", *options])
        self._on_change = on_change
        self._rest = rest
        self._over = threading.Event()
        self._stream: Stream | None = None
        self._engine: _Engine | None = None
        self._away: Problem | None = None
        # First ours: a taken port is said before a model is loaded for it.
        self._forward = Forward(port, self._far_end, answer_unavailable)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._beat, name="endpoint-beat", daemon=True).start()

    @property
    def port(self) -> int:
        return self._forward.port

    def wait(self) -> None:
        """Until it ends: `close` returns from here, and so does no lost link.

        Raises the Problem of an engine that ended by itself, or of a server that refuses us now.
        """
        while not self._over.is_set():
            assert self._engine is not None
            try:
                # Looking up now and then: Windows hears no Ctrl-C in an endless wait.
                said = self._engine.lines.next(time.monotonic() + _LOOK_S)
            except TimeoutError:
                continue
            except LinkLost as lost:
                self._come_back(lost)
                continue
            if said is None and not self._over.is_set():
                raise ended(self._engine.stream, self._engine.link.name)

    def close(self) -> None:
        """End both sides; from any thread."""
        self._over.set()
        self._forward.close()
        if self._stream is not None:
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _begin(self) -> None:
        link = self._link_source()
        self._stream = link.open_stream(self._argv)
        try:
            if self._over.is_set():  # closed meanwhile: nobody else would end this one
                self._stream.close()
            self._engine, self._away = _Engine(link, self._stream), None
        except BaseException:
            self._stream.close()
            raise

    def _come_back(self, lost: Problem) -> None:
        """A new link and a new engine. Only what no further try can mend is raised."""
        self._away, tries = lost, 0
        self._on_change(lost)
        while not self._over.is_set():
            try:
                self._begin()
            except Problem as problem:
                if problem.exit_code is not ExitCode.UNREACHABLE:
                    raise
                self._away = problem
                self._over.wait(self._rest(tries))
                tries += 1
            else:
                self._on_change(None)
                return

    def _far_end(self) -> Any:
        """The engine's side of one request, or why there is none now."""
        if self._away is not None or self._engine is None:
            raise self._away or Problem("remote.speak.loading", ExitCode.UNREACHABLE)
        return self._engine.open_tcp()

    def _beat(self) -> None:
        """Say that we are there: a laptop that fell asleep must not keep a model loaded."""
        while not self._over.wait(_BEAT_S):
            stream = self._stream
            try:
                if stream is not None:
                    stream.write(b"\n")
            except Problem:
                continue  # its end is told by `wait`, and the next one needs beats too
