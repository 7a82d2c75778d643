"""Who speaks next: one thread, many clients, each in turn for one sentence.

A client with a long text so delays another's line by a sentence, not by the text. Within one
client requests keep their order. Who has left costs nothing more.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

_LIMIT, _LIMIT_A_CLIENT = 64, 16
_LONGEST_RETRY_S = 120
_PARKED_POLL_S = 0.1


class QueueFull(Exception):
    """No more requests are taken now; `retry_after_s` is a good time to ask again."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, eq=False)
class SpeechJob:
    """One request. `steps` does a sentence a step; `on_end` gets what it failed with, or None.

    `is_wanted`: whether somebody still waits. `is_ready`: whether there is room for more sound.
    """

    client: str
    steps: Generator[Any, None, Any]
    on_end: Callable[[BaseException | None], None]
    is_wanted: Callable[[], bool] = lambda: True
    is_ready: Callable[[], bool] = lambda: True


class SpeechQueue:
    """Runs jobs in a thread of its own until `close`."""

    def __init__(self, limit: int = _LIMIT, limit_a_client: int = _LIMIT_A_CLIENT) -> None:
        self._limit, self._limit_a_client = limit, limit_a_client
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, deque[SpeechJob]] = OrderedDict()
        self._running: SpeechJob | None = None
        self._closed = False
        self._mean_s = 1.0  # of a job's own time
        self._seconds: dict[SpeechJob, float] = {}
        self._thread = threading.Thread(target=self._work, name="speech", daemon=True)
        self._thread.start()

    def add(self, job: SpeechJob) -> None:
        """Let a job wait for its turn; QueueFull when too many wait, of all or of its client."""
        with self._changed:
            for client in list(self._waiting):
                self._drop_unwanted(client)
            count = sum(map(len, self._waiting.values()))
            own = len(self._waiting.get(job.client, ()))
            if count >= self._limit or own >= self._limit_a_client:
                seconds = math.ceil(self._mean_s * count)
                raise QueueFull(min(max(1, seconds), _LONGEST_RETRY_S))
            self._waiting.setdefault(job.client, deque()).append(job)
            self._seconds[job] = 0.0
            self._changed.notify()

    def wake(self) -> None:
        """Look again: a job may be ready, or no longer wanted."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """End after the step that is being done; jobs that wait are not begun."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            started = time.monotonic()
            ended, error = self._step(job)
            with self._changed:
                self._running = None
                self._seconds[job] += time.monotonic() - started
                if ended:
                    self._waiting[job.client].remove(job)
                    self._mean_s += 0.2 * (self._seconds.pop(job) - self._mean_s)
                if not self._waiting[job.client]:
                    del self._waiting[job.client]
                else:
                    self._waiting.move_to_end(job.client)
            if ended:
                job.on_end(error)

    def _step(self, job: SpeechJob) -> tuple[bool, BaseException | None]:
        """Do one step; whether it was the last, and what it failed with."""
        try:
            next(job.steps)
        except StopIteration:
            return True, None
        except BaseException as error:  # noqa: BLE001  carried to who asked
            return True, error
        return False, None

    def _next(self) -> SpeechJob | None:
        """Wait for the job whose turn it is; None when closed."""
        with self._changed:
            while not self._closed:
                for client in list(self._waiting):
                    self._drop_unwanted(client)
                for jobs in self._waiting.values():
                    if jobs[0].is_ready():
                        self._running = jobs[0]
                        return self._running
                self._changed.wait(_PARKED_POLL_S if self._waiting else None)
        return None

    def _drop_unwanted(self, client: str) -> None:
        """Forget the jobs of a client that nobody waits for, but for one that is being done."""
        wanted: deque[SpeechJob] = deque()
        for job in self._waiting[client]:
            if job is self._running or job.is_wanted():
                wanted.append(job)
            else:
                del self._seconds[job]
                job.steps.close()
        if wanted:
            self._waiting[client] = wanted
        else:
            del self._waiting[client]
