"""A local port whose connections continue at the server's side."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem

_CHUNK = 65536


class PortForward:
    """Listens on one address of this computer until closed. port: the port really bound."""

    def __init__(
        self,
        local_port: int,
        open_remote_end: Callable[[], Any],
        refuse: Callable[[socket.socket, Problem], None] | None = None,
        *,
        address: str = "127.0.0.1",
    ) -> None:
        """Listen on address:local_port (port 0 picks one); Problem `port_taken`.

        open_remote_end: opens the server's side of a connection, or raises Problem. refuse: sends
        that Problem to the local client before its socket is closed; None only closes it.
        """
        self._open_remote_end = open_remote_end
        self._refuse = refuse
        try:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self._server_socket = socket.create_server((address, local_port), family=family)
        except OSError as error:
            facts = {"port": local_port, "why": error.strerror or str(error)}
            raise Problem("remote.connection.port_taken", ExitCode.CONFIG, **facts) from None
        self.port: int = self._server_socket.getsockname()[1]
        self.problem: Problem | None = None  # why the last connection could not be forwarded
        self._closed = False
        self._sockets: set[Any] = set()
        threading.Thread(target=self._accept_loop, name=f"forward-{self.port}", daemon=True).start()

    def close(self) -> None:
        """Stop listening and end every forwarded connection."""
        self._closed = True
        with contextlib.suppress(OSError):  # not connected: shutdown only wakes accept()
            self._server_socket.shutdown(socket.SHUT_RDWR)
        self._server_socket.close()
        for one in list(self._sockets):
            one.close()

    def __enter__(self) -> PortForward:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _accept_loop(self) -> None:
        while not self._closed:
            try:
                local, _ = self._server_socket.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._forward_connection, args=(local,), daemon=True).start()

    def _forward_connection(self, local: socket.socket) -> None:
        try:
            remote = self._open_remote_end()
        except Problem as problem:
            self.problem = problem
            if self._refuse is not None:
                self._sockets.add(local)
                self._refuse(local, problem)
                self._sockets.discard(local)
            local.close()
            return
        self._sockets |= {local, remote}
        back = threading.Thread(target=_copy, args=(remote, local), daemon=True)
        back.start()
        _copy(local, remote)
        back.join()
        local.close()
        with contextlib.suppress(OSError, EOFError):  # the connection below may be gone already
            remote.close()
        self._sockets -= {local, remote}


def _copy(source: Any, sink: Any) -> None:
    """Copy until either side ends, then pass the end on."""
    with contextlib.suppress(OSError, EOFError):  # a broken side ends the copy like a closed one
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    with contextlib.suppress(OSError, EOFError):
        sink.shutdown(socket.SHUT_WR)
