"""One connection per server, shared and re-used, with its status.

A lost or unreachable server may be asked again after growing pauses, which its status names; a
refused key or password, or a changed host key, is raised again unasked until a person did something
about it (`ConnectionPool.retry`).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.errors import ConnectionLost, is_lost_line
from sovdeck.remote.ssh.client import SSHConnection

ConnectionState = Literal["offline", "connecting", "up", "auth-needed", "refused"]
Connect = Callable[[], SSHConnection]
_MIN_PAUSE_S, _MAX_PAUSE_S = 1.0, 30.0
# Refusals that end when a person answers a question.
_ANSWERABLE = frozenset({"remote.auth.needed", "remote.host.key_unknown"})


@dataclass(frozen=True)
class ConnectionStatus:
    """How one server's connection stands.

    since: Unix seconds. attempts: failed ones in a row. retry_in_s: pause before the next attempt.
    """

    name: str
    state: ConnectionState = "offline"
    since: float = 0.0
    problem: Problem | None = None
    attempts: int = 0
    retry_in_s: float | None = None


def state_of(problem: Problem) -> ConnectionState:
    """The state a failed attempt leads to. Pure."""
    if problem.exit_code is not ExitCode.REFUSED:
        return "offline"
    return "auth-needed" if problem.key in _ANSWERABLE else "refused"


def retry_pause(attempts: int, jitter: Callable[[], float] = random.random) -> float:
    """Seconds to wait after the n-th failed attempt in a row (n from 1): 1 to 30, jittered.

    Jitter of half the pause keeps many servers, or many laptops, from calling in step.
    """
    longest = min(_MAX_PAUSE_S, _MIN_PAUSE_S * 2.0 ** min(attempts - 1, 10))
    return longest * (0.5 + 0.5 * jitter())


@dataclass
class _PoolEntry:
    """One server of the pool."""

    address: object
    connect: Connect
    status: ConnectionStatus
    lock: threading.Lock = field(default_factory=threading.Lock)  # held while connecting
    connection: SSHConnection | None = None
    worked: bool = False  # it has been up
    removed: bool = False


class ConnectionPool:
    """Connections by server name. Callable from any thread.

    on_change: called with every new status, from the thread that caused it; it must not block.
    """

    def __init__(
        self, *, on_change: Callable[[ConnectionStatus], None] = lambda _status: None
    ) -> None:
        self._on_change = on_change
        self._entries: dict[str, _PoolEntry] = {}
        self._lock = threading.Lock()

    def add(self, name: str, address: object, connect: Connect) -> None:
        """Add a server, without connecting; one that is there with the same `address` stays.

        address: compared with `==`; another one ends the old connection. connect: makes a
        connection or raises Problem.
        """
        with self._lock:
            entry = self._entries.get(name)
            if entry is not None and entry.address == address:
                return
            self._entries[name] = _PoolEntry(
                address, connect, ConnectionStatus(name, since=time.time())
            )
        if entry is not None:
            _close_entry(entry)

    def remove(self, name: str) -> None:
        """Forget a server and end its connection."""
        with self._lock:
            entry = self._entries.pop(name, None)
        if entry is not None:
            _close_entry(entry)

    def status(self, name: str) -> ConnectionStatus:
        """How `name` stands now. KeyError for a server never added."""
        entry = self._entries[name]
        if (
            entry.status.state == "up"
            and entry.connection is not None
            and not entry.connection.alive
        ):
            return self._set_lost(entry)
        return entry.status

    def connection(self, name: str) -> SSHConnection:
        """The live connection of `name`, made when there is none. Blocks; raises Problem.

        Callers that arrive while another connects share its outcome. A server that refused us
        raises that refusal again, unasked.
        """
        entry = self._entries[name]
        before = entry.status.attempts
        with entry.lock:
            if entry.connection is not None and entry.connection.alive:
                return entry.connection
            status = entry.status
            shared = status.problem is not None and status.attempts != before
            if status.problem and (shared or status.state in ("refused", "auth-needed")):
                raise status.problem
            return self._open(entry)

    def retry(self, name: str) -> None:
        """Forget refusals and pauses: a person did something about them."""
        entry = self._entries[name]
        with entry.lock:
            if entry.status.state != "up":
                self._set_status(entry, ConnectionStatus(name, "offline", time.time()))

    def close(self) -> None:
        """End every connection."""
        for name in list(self._entries):
            self.remove(name)

    def __enter__(self) -> ConnectionPool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _set_status(self, entry: _PoolEntry, status: ConnectionStatus) -> ConnectionStatus:
        entry.status = status
        if not entry.removed:
            self._on_change(status)
        return status

    def _open(self, entry: _PoolEntry) -> SSHConnection:
        """Connect and set the status; the entry's lock is held."""
        old = entry.status
        if entry.connection is not None:
            entry.connection.close()
            entry.connection = None
        self._set_status(
            entry, replace(old, state="connecting", since=time.time(), retry_in_s=None)
        )
        try:
            connection = entry.connect()
        except Problem as problem:
            attempts = old.attempts + 1
            state, found = state_of(problem), problem
            if is_lost_line(problem, worked=entry.worked):
                state, found = "offline", _as_lost(old.name, problem)
            wait = retry_pause(attempts) if state == "offline" else None
            self._set_status(
                entry, ConnectionStatus(old.name, state, time.time(), found, attempts, wait)
            )
            if found is problem:
                raise
            raise found from problem
        except BaseException:
            self._set_status(entry, replace(old, state="offline", since=time.time()))
            raise
        entry.connection, entry.worked = connection, True
        self._set_status(entry, ConnectionStatus(old.name, "up", time.time()))
        if entry.removed:  # removed meanwhile: nobody else would close it
            connection.close()
        return connection

    def _set_lost(self, entry: _PoolEntry) -> ConnectionStatus:
        assert entry.connection is not None
        problem = ConnectionLost(entry.connection.name, entry.connection.failure_reason())
        return self._set_status(
            entry, ConnectionStatus(entry.status.name, "offline", time.time(), problem)
        )


def _as_lost(server: str, problem: Problem) -> Problem:
    """The problem of a lost line, for whoever tries again after one and not after a refusal."""
    if problem.exit_code is ExitCode.UNREACHABLE:
        return problem
    return ConnectionLost(server, str(problem.facts.get("why", "-")))


def _close_entry(entry: _PoolEntry) -> None:
    entry.removed = True
    if entry.connection is not None:
        entry.connection.close()
