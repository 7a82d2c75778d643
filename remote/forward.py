"""A local port whose connections continue at the server's side."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from engine.contract.problem import ExitCode, Problem

_PIECE = 65536


class Forward:
    """Listens on 127.0.0.1 until closed. port: the port really bound."""

    def __init__(
        self,
        local_port: int,
        open_far_end: Callable[[], Any],
        refuse: Callable[[socket.socket, Problem], None] | None = None,
    ) -> None:
        """open_far_end: the server's side of a connection, or a Problem. refuse: tells the near
        side of that Problem before it is closed; without it, it is only closed."""
        self._open_far_end = open_far_end
        self._refuse = refuse
        try:
            self._listener = socket.create_server(("127.0.0.1", local_port))
        except OSError as error:
            facts = {"port": local_port, "why": error.strerror or str(error)}
            raise Problem("remote.link.port_taken", ExitCode.CONFIG, **facts) from None
        self.port: int = self._listener.getsockname()[1]
        self.problem: Problem | None = None  # why the last connection could not be carried
        self._closed = False
        self._sockets: set[Any] = set()
        threading.Thread(target=self._accept, name=f"forward-{self.port}", daemon=True).start()

    def close(self) -> None:
        """Stop listening and end every carried connection."""
        self._closed = True
        with contextlib.suppress(OSError):  # not connected: shutdown only wakes accept()
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._sockets):
            one.close()

    def __enter__(self) -> Forward:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        try:
            far = self._open_far_end()
        except Problem as problem:
            self.problem = problem
            if self._refuse is not None:
                self._sockets.add(near)
                self._refuse(near, problem)
                self._sockets.discard(near)
            near.close()
            return
        self._sockets |= {near, far}
        back = threading.Thread(target=_pump, args=(far, near), daemon=True)
        back.start()
        _pump(near, far)
        back.join()
        near.close()
        far.close()
        self._sockets -= {near, far}


def _pump(source: Any, sink: Any) -> None:
    """Copy until either side ends, then pass the end on."""
    with contextlib.suppress(OSError, EOFError):  # a broken side ends the copy like a closed one
        while data := source.recv(_PIECE):
            sink.sendall(data)
    with contextlib.suppress(OSError, EOFError):
        sink.shutdown(socket.SHUT_WR)
