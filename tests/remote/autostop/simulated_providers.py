"""The providers' ways to stop a server, simulated: their HTTP interfaces and their programs.

A simulated server goes off some virtual seconds after its provider really accepted a stop. Faults
are given as a list that is used up call by call: a number is an HTTP status (or the exit code of a
program), "stale" answers yes and does nothing, "other" answers about another server, "cut" ends
the connection without an answer, "garbage" answers what is no JSON.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

KEY = "sk-secret-4711"
Fault = int | str


class SwitchedOff(BaseException):
    """The simulated server ended, and with it whatever ran there."""


@dataclass
class SimulatedServer:
    """A rented server with a virtual clock.

    takes: virtual seconds from an accepted stop to its end. faults: see the module's docstring.
    retry_after: header of every 429. destroyed: calls that would have thrown its disk away.
    """

    id: str = "4711"
    takes: float = 40.0
    faults: list[Fault] = field(default_factory=list)
    retry_after: int = 0
    network_volume: bool = False
    now: float = 0.0
    off_at: float | None = None
    calls: list[tuple[float, str]] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass; the server's end ends the caller."""
        self.now += seconds
        if self.off_at is not None and self.now >= self.off_at:
            raise SwitchedOff

    def accept_stop(self) -> None:
        if self.off_at is None:
            self.off_at = self.now + self.takes

    def next_fault(self) -> Fault | None:
        return self.faults.pop(0) if self.faults else None

    def answer(self, method: str, path: str, body: str, authorized: bool) -> tuple[int, str]:
        """The HTTP status and body of one request to either provider."""
        self.calls.append((self.now, f"{method} {path}"))
        if not authorized:
            return 401, '{"error": "no such key"}'
        if self.id not in path:
            return 404, "{}"
        if method == "DELETE":
            self.destroyed.append(path)
            return 200, "{}"
        fault = self.next_fault()
        if isinstance(fault, int):
            return fault, f'{{"error": "{fault} for {KEY}"}}'
        if fault == "garbage":
            return 200, "<html>down for maintenance</html>"
        if method == "GET":
            found = "9999" if fault == "other" else self.id
            vast = {"instances": {"id": int(found), "actual_status": "running"}}
            pod = {"id": found, "networkVolumeId": "vol1" if self.network_volume else None}
            return 200, json.dumps(vast if "instances" in path else pod)
        wants_stop = path.endswith("/stop") or json.loads(body or "{}") == {"state": "stopped"}
        if fault == "refused":
            return 200, '{"success": false, "msg": "not now"}'
        if wants_stop and fault != "stale":
            self.accept_stop()
        return 200, '{"success": true}'


@contextmanager
def http_interface(server: SimulatedServer) -> Iterator[str]:
    """Serve the provider's HTTP interface on this machine; yields its address."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, path, _ = (await reader.readline()).decode().split()
        headers: dict[str, str] = {}
        while line := (await reader.readline()).decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
        if server.faults[:1] == ["cut"]:
            server.calls.append((server.now, f"{method} {path}"))
            server.faults.pop(0)
            writer.close()
            return
        authorized = headers.get("authorization") == f"Bearer {KEY}"
        status, text = server.answer(method, path, body, authorized)
        more = f"Retry-After: {server.retry_after}\r\n" if status == 429 else ""
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n{more}"
            f"Connection: close\r\n\r\n{text}".encode()
        )
        await writer.drain()
        writer.close()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listener = asyncio.run_coroutine_threadsafe(
        asyncio.start_server(handle, "127.0.0.1", 0), loop
    ).result(10)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(listener.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def write_program(folder: Path, name: str, lines: str) -> Path:
    """Write a shell program that notes its arguments in FOLDER/called; returns its path."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >>{folder}/called\n{lines}\n')
    path.chmod(0o755)
    return path


def called_programs(folder: Path) -> list[str]:
    """The calls that the programs of `write_program` noted."""
    file = folder / "called"
    return file.read_text().splitlines() if file.exists() else []


# runpodctl as its two generations answer: the other one's words are unknown commands.
RUNPODCTL = {
    "new": 'case "$1 $2" in "pod get") echo "{\\"id\\": \\"$3\\"}" ;; "pod stop") ;; '
    '*) echo "Error: unknown command \\"$1\\"" >&2; exit 1 ;; esac',
    "old": 'case "$1 $2" in "get pod") echo "ID NAME"; echo "$3 voice" ;; "stop pod") ;; '
    '*) echo "Error: unknown command \\"$1\\"" >&2; exit 1 ;; esac',
    "refused": 'echo "Error: Unauthorized" >&2; exit 1',
}
