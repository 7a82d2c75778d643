"""Opens a TCP connection where either address family may be broken (RFC 8305, simplified).

A black-holed IPv6 route must not cost the whole time limit: families are tried in turns, each
next address starts a little after the one before, and the first connected socket wins.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from itertools import zip_longest

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.hosts.spec import Family

STAGGER_S = 0.25
_FAMILIES = {
    "auto": socket.AF_UNSPEC,
    "4": socket.AF_INET,
    "6": socket.AF_INET6,
}
Address = tuple[socket.AddressFamily, tuple[object, ...]]


def dial(host: str, port: int, family: Family = "auto", timeout: float = 15.0) -> socket.socket:
    """Return a connected blocking socket with TCP_NODELAY.

    timeout: seconds for all addresses together. Raises Problem UNREACHABLE.
    """
    addresses = resolve_addresses(host, port, family)
    connected = connect_first(addresses, timeout, f"{host} port {port}")
    connected.setblocking(True)
    # Without it Nagle and delayed ACK add a round trip to every small request (ssh.md 1).
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def resolve_addresses(host: str, port: int, family: Family) -> list[Address]:
    """Resolve a name into addresses, families in turns, the resolver's first family first."""
    try:
        found = socket.getaddrinfo(host, port, _FAMILIES[family], socket.SOCK_STREAM)
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem(
            "remote.connection.no_name", ExitCode.UNREACHABLE, host=host, why=why
        ) from None
    addresses = [(entry[0], entry[4]) for entry in found]
    first = [a for a in addresses if a[0] == addresses[0][0]]
    other = [a for a in addresses if a[0] != addresses[0][0]]
    pairs = zip_longest(first, other)
    return [address for pair in pairs for address in pair if address is not None]


def connect_first(addresses: Sequence[Address], timeout: float, target: str) -> socket.socket:
    """Connect to the first address that answers; Problem names every failure."""
    deadline = time.monotonic() + timeout
    waiting = list(addresses)
    running: dict[socket.socket, str] = {}
    failures: list[str] = []
    next_start = time.monotonic()
    selector = selectors.DefaultSelector()
    try:
        while waiting or running:
            now = time.monotonic()
            if now >= deadline:
                failures += [f"{label}: timed out" for label in running.values()]
                break
            if waiting and (now >= next_start or not running):
                _start_attempt(waiting.pop(0), selector, running, failures)
                next_start = time.monotonic() + STAGGER_S
                continue
            until = min(deadline, next_start) if waiting else deadline
            for key, _ in selector.select(max(0.0, until - now)):
                attempt = key.fileobj
                assert isinstance(attempt, socket.socket)
                label = running.pop(attempt)
                selector.unregister(attempt)
                code = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    return attempt
                attempt.close()
                failures.append(f"{label}: {os.strerror(code)}")
                next_start = time.monotonic()
    finally:
        selector.close()
        for attempt in running:
            attempt.close()
    why = "; ".join(failures[:4])
    raise Problem(
        "remote.connection.unreachable",
        ExitCode.UNREACHABLE,
        place=target,
        why=why,
        seconds=int(timeout),
    )


def _start_attempt(
    address: Address,
    selector: selectors.BaseSelector,
    running: dict[socket.socket, str],
    failures: list[str],
) -> None:
    family, sockaddr = address
    label = str(sockaddr[0])
    attempt = socket.socket(family, socket.SOCK_STREAM)
    attempt.setblocking(False)
    code = attempt.connect_ex(sockaddr)
    if code in (0, errno.EINPROGRESS, errno.EWOULDBLOCK) or (
        sys.platform == "win32" and code == errno.WSAEWOULDBLOCK
    ):
        # Windows reports a refused connection as an exceptional condition, which selectors
        # fold into EVENT_WRITE.
        selector.register(attempt, selectors.EVENT_WRITE)
        running[attempt] = label
        return
    attempt.close()
    failures.append(f"{label}: {os.strerror(code)}")
