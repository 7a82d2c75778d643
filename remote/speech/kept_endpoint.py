"""One server's endpoints among several: they are opened again and again when they end.

What happens to one server, a lost line or an engine that ends, so costs only its own voices.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.speech.http_endpoint import HttpEndpoint
from sovdeck.remote.speech.server_voices import VoiceServer
from sovdeck.remote.ssh.pool import retry_pause

OnChange = Callable[[Problem | None], None]
_SETTLED_S = 60.0  # an engine that answered for so long has not failed at its start
_FOR_A_PERSON = frozenset((ExitCode.CONFIG, ExitCode.DATA, ExitCode.REFUSED))


class KeptEndpoint:
    """Keeps `server` up to date: its port while its voices answer, else its problem.

    Close it to end both sides.
    """

    def __init__(
        self,
        name: str,
        open_endpoint: Callable[[OnChange], HttpEndpoint],
        on_change: OnChange = lambda _problem: None,
        *,
        pause: Callable[[int], float] = retry_pause,
    ) -> None:
        """Open the endpoints once, here, so that a question has a person before it.

        open_endpoint: opens them with the `on_change` of HttpEndpoint, or raises Problem.
        on_change: called with the Problem when the voices go away, once, and with None when they
        answer again; from this thread or the keeping one. pause: seconds after the n-th end or
        failure in a row. Raises the Problem that only a person can mend; after any other the voices
        are away and tried again, and so after every later one.
        """
        self.server = VoiceServer(name)
        self._open_endpoint = open_endpoint
        self._on_change = on_change
        self._pause = pause
        self._closed = threading.Event()
        self._endpoint: HttpEndpoint | None = None
        self._opened_at = 0.0
        try:
            self._open()
        except Problem as problem:
            if problem.exit_code in _FOR_A_PERSON:
                raise
            self._tell(problem)
        threading.Thread(target=self._keep, name=f"keep-{name}", daemon=True).start()

    def close(self) -> None:
        """End the endpoints, and try no more; from any thread."""
        self._closed.set()
        if self._endpoint is not None:
            self._endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _keep(self) -> None:
        failures = 0 if self._endpoint is not None else 1
        while not self._closed.wait(self._pause(failures) if failures else 0):
            try:
                if self._endpoint is None:
                    self._open()
                assert self._endpoint is not None
                self._endpoint.wait()
            except Problem as problem:
                settled = False
                if self._endpoint is not None:
                    settled = time.monotonic() - self._opened_at > _SETTLED_S
                    self._endpoint.close()
                    self._endpoint = None
                failures = 1 if settled else failures + 1
                self._tell(problem)

    def _open(self) -> None:
        endpoint = self._open_endpoint(self._tell)
        self.server.port = endpoint.port
        self._endpoint, self._opened_at = endpoint, time.monotonic()
        if self._closed.is_set():  # closed meanwhile: nobody else would end this one
            endpoint.close()
        self._tell(None)

    def _tell(self, problem: Problem | None) -> None:
        """Note how the server stands; say it where that is news."""
        was_away, self.server.problem = self.server.problem is not None, problem
        if was_away != (problem is not None) and not self._closed.is_set():
            self._on_change(problem)
