"""Answers for a keyring in the memory of the proof: nothing is in a file.

The commands that the proof starts load `shared_keyring`. Nothing else may import that one: every
backend that a process has loaded is a keyring of that process.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PORT_VARIABLE = "PROOF_KEYRING_PORT"
Entries = dict[tuple[str, str], str]


@contextmanager
def serve_keyring(entries: Entries) -> Iterator[dict[str, str]]:
    """Answer from `entries`; yields what the environment of a command needs for it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(line: socket.socket) -> None:
        with line, line.makefile("rw") as stream:
            action, service, name, *password = json.loads(stream.readline())
            found = entries.get((service, name))
            if action == "set":
                entries[service, name] = password[0]
            elif action == "delete":
                found = entries.pop((service, name), None)
            print(json.dumps(found), file=stream, flush=True)

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:  # closed
                return
            answer(line)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield {
            PORT_VARIABLE: str(listener.getsockname()[1]),
            "PYTHON_KEYRING_BACKEND": "shared_keyring.SharedKeyring",
        }
    finally:
        with suppress(OSError):  # closing alone does not wake a thread in accept() on Linux
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
