"""The HTTP answer of an endpoint whose server cannot be reached now."""

from __future__ import annotations

import contextlib
import json
import socket
import time

from sovdeck.engine.contract.problem import Problem

_HEAD_END = b"\r\n\r\n"
_MAX_HEAD = 1 << 16
_REQUEST_S = 5.0
_DRAIN_S = 1.0
RETRY_AFTER_S = 5


def respond_unavailable(client: socket.socket, problem: Problem) -> None:
    """Read one request and answer it 503 with the problem, in the engine's error format."""
    body = refusal_body(problem, "server_error")
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: {RETRY_AFTER_S}\r\nConnection: close\r\n\r\n"
    )
    with contextlib.suppress(OSError):  # a client that is gone needs no answer
        _read_head(client)
        client.sendall(head.encode() + body)
        client.shutdown(socket.SHUT_WR)
        _drain(client)


def refusal_body(problem: Problem, kind: str, field: str = "") -> bytes:
    """The body of a refusal in the engine's format; `field` is as the client wrote it."""
    message = problem.sentence("en")
    error = {"message": message, "type": kind, "param": field or None, "code": problem.key}
    facts = {"error": error, "message": message, "exception": problem.as_json()}
    return json.dumps(facts, ensure_ascii=False).encode()


def _read_head(client: socket.socket) -> None:
    client.settimeout(_REQUEST_S)
    head = b""
    while _HEAD_END not in head and len(head) < _MAX_HEAD:
        data = client.recv(4096)
        if not data:
            return
        head += data


def _drain(client: socket.socket) -> None:
    """Read what is still arriving: closing on unread bytes would reset the answer."""
    until = time.monotonic() + _DRAIN_S
    while (left := until - time.monotonic()) > 0:
        client.settimeout(left)
        if not client.recv(1 << 16):
            return
