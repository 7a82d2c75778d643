"""A voice's HTTP endpoints, on the server's loopback address and on ours, for as long as wanted.

`python -m engine serve` answers there and ends with our channel; a forward carries requests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, Self

from engine.contract.problem import ExitCode, Problem
from remote.deployed import Deployed
from remote.engine_talk import JsonLines, check_end, ended, refusal, whole_in
from remote.forward import Forward
from remote.link import Link
from remote.speaker import LOAD_S

_HOST = "127.0.0.1"
_BEAT_S = 30.0
_LOOK_S = 0.5
_PATIENCE_S = 150  # how long the server waits for a sign of life: five beats


class Endpoint:
    """One voice under `http://127.0.0.1:PORT`. Close it to end both sides."""

    def __init__(
        self, link: Link, deployed: Deployed, voice: str, port: int, options: Sequence[str] = ()
    ) -> None:
        """Listen on 127.0.0.1:`port` (0 picks one) and wait until the voice is loaded there.

        options: of `engine serve`. Problem when the port is taken, or in the engine's words.
        """
        self._server = link.name
        self._over = threading.Event()
        self._there = 0
        # First ours: a taken port is said before a model is loaded for it.
        self._forward = Forward(port, lambda: self._far_end(link))
        try:
            work = str(deployed.layout.work)
            argv = ["serve", voice, "--port", "0", "--attached", str(_PATIENCE_S), "--work", work]
            self._stream = link.open_stream(deployed.engine([*argv, "--json", *options]))
        except BaseException:
            self._forward.close()
            raise
        self._lines = JsonLines(self._stream, link.name)
        try:
            self._there = self._listening()
            self._far_end(link).close()  # a server that forwards nothing says so now
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._beat, name="endpoint-beat", daemon=True).start()

    @property
    def port(self) -> int:
        return self._forward.port

    def wait(self) -> None:
        """Until it ends: `close` returns from here, everything else is a Problem."""
        while not self._over.is_set():
            try:
                # Looking up now and then: Windows hears no Ctrl-C in an endless wait.
                said = self._lines.next(time.monotonic() + _LOOK_S)
            except TimeoutError:
                continue
            if said is None and not self._over.is_set():
                raise ended(self._stream, self._server)

    def close(self) -> None:
        """End both sides; from any thread."""
        self._over.set()
        self._forward.close()
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _listening(self) -> int:
        try:
            said = self._lines.next(time.monotonic() + LOAD_S)
        except TimeoutError:
            raise Problem(
                "remote.speak.silent", ExitCode.UNREACHABLE, server=self._server,
                seconds=int(LOAD_S),
            ) from None  # fmt: skip
        if said is None:
            check_end(self._stream, self._server, {})
            raise ended(self._stream, self._server)
        port = whole_in(said, "port")
        if said.get("event") != "listening" or port is None or not 0 < port < 65536:
            odd = Problem(
                "remote.speak.odd", ExitCode.INTERNAL, server=self._server, event="listening"
            )
            raise refusal(said) or odd
        return port

    def _far_end(self, link: Link) -> Any:
        return link.open_tcp(_HOST, self._there)

    def _beat(self) -> None:
        """Say that we are there: a laptop that fell asleep must not keep a model loaded."""
        while not self._over.wait(_BEAT_S):
            try:
                self._stream.write(b"\n")
            except Problem:
                return  # its end is told by `wait`
