"""Links dialled before they are wanted: on a far line a hand-shake takes ten round trips."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar


class _Link(Protocol):
    def close(self) -> None: ...


L = TypeVar("L", bound=_Link)


class DialledAhead(Generic[L]):
    """Gives out `count` links that are being dialled, then new ones. Thread-safe.

    Only for a server that has let us in just now: a refusal would come `count` times.
    """

    def __init__(self, connect: Callable[[], L], count: int) -> None:
        self._connect = connect
        self._coming: deque[Future[L]] = deque(Future() for _ in range(count))
        for future in self._coming:
            dial = threading.Thread(target=self._dial, args=(future,), name="dial", daemon=True)
            dial.start()

    def connect(self) -> L:
        """A new link, which is the caller's. Raises what dialling it raised."""
        try:
            future = self._coming.popleft()
        except IndexError:
            return self._connect()
        return future.result()

    def close(self) -> None:
        """Hang up the links that nobody wanted, now or as soon as they stand."""
        while self._coming:
            self._coming.popleft().add_done_callback(_hang_up)

    def _dial(self, coming: Future[L]) -> None:
        try:
            coming.set_result(self._connect())
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the link
            coming.set_exception(error)


def _hang_up(dialled: Future[L]) -> None:
    if dialled.exception() is None:
        dialled.result().close()
