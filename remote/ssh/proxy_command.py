"""A ProxyCommand of the user's ssh configuration: a local program as the way to a server."""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.hosts.ssh_config import expand_tokens

_PIECE = 65536
_MAX_STDERR = 4096
_END_S = 2.0


class ProxyCommandSocket:
    """A running ProxyCommand, used like the socket it stands for.

    Two threads carry the bytes between the program's pipes and a local socket pair, since pipes
    have no time limits, and on Windows cannot be waited for.
    """

    def __init__(self, spec: HostSpec) -> None:
        self._server = spec.name
        self._stderr = bytearray()
        self._output_ended = threading.Event()
        self._ended_by_us = False
        command = expand_tokens(
            spec.proxy_command,
            {
                "h": spec.host,
                "n": spec.alias or spec.host,
                "p": str(spec.port),
                "r": spec.user or getpass.getuser(),
            },
        )
        try:
            self._process = subprocess.Popen(  # noqa: S602 - the user's own, run as ssh runs it
                command,
                shell=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                # Ctrl-C in the terminal is meant for us.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise self._problem(error.strerror or type(error).__name__) from None
        self._near, self._far = socket.socketpair()
        self._stderr_thread = _start_thread(self._read_stderr)
        _start_thread(self._carry_input)
        _start_thread(self._carry_output)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._near, name)

    def failure(self) -> Problem | None:
        """Why the program ended by itself; None where it did not."""
        if self._ended_by_us or not self._has_ended():
            return None
        self._stderr_thread.join(_END_S)
        lines = self._stderr.decode("utf-8", "replace").strip().splitlines()
        return self._problem(lines[-1] if lines else f"exit {self._process.returncode}")

    def close(self) -> None:
        """End the program and what it started."""
        self._ended_by_us = self._ended_by_us or not self._has_ended()
        self._near.close()
        self._far.close()
        with contextlib.suppress(OSError):  # it may have ended by itself
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGTERM)
            else:
                self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _has_ended(self) -> bool:
        """Whether the program ended; one that closed its output is about to."""
        try:
            self._process.wait(_END_S if self._output_ended.is_set() else 0)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _problem(self, why: str) -> Problem:
        clean = "".join(c if c.isprintable() else " " for c in why)[:200]
        return Problem(
            "remote.connection.proxy_failed",
            ExitCode.UNREACHABLE,
            server=self._server,
            why=clean,
        )

    def _carry_input(self) -> None:
        assert self._process.stdin is not None
        # Either end may be closed at any moment: that is how the connection ends.
        with contextlib.suppress(OSError, ValueError), self._process.stdin as sink:
            while data := self._far.recv(_PIECE):
                view = memoryview(data)
                while view:
                    view = view[sink.write(view) :]

    def _carry_output(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError), self._process.stdout as source:
            while data := source.read(_PIECE):
                self._far.sendall(data)
        self._output_ended.set()
        with contextlib.suppress(OSError):
            self._far.shutdown(socket.SHUT_WR)

    def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(OSError, ValueError), self._process.stderr as source:
            while data := source.read(_PIECE):
                self._stderr += data
                del self._stderr[:-_MAX_STDERR]


def _start_thread(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, name="proxy-command", daemon=True)
    thread.start()
    return thread
