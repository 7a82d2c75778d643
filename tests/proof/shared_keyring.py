"""A keyring in the memory of the proof, for the commands that it starts: nothing is in a file.

`SharedKeyring` is the backend that they load by PYTHON_KEYRING_BACKEND; it asks the proof.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

PORT_VARIABLE = "PROOF_KEYRING_PORT"
Entries = dict[tuple[str, str], str]


class SharedKeyring(KeyringBackend):  # type: ignore[misc]  # the library has no types
    """Answers with what the process at the port keeps."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return _ask("get", service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        _ask("set", service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        if _ask("delete", service, username) is None:
            raise PasswordDeleteError


def _ask(*question: str) -> str | None:
    address = ("127.0.0.1", int(os.environ[PORT_VARIABLE]))
    with socket.create_connection(address, timeout=60) as line, line.makefile("rw") as stream:
        print(json.dumps(question), file=stream, flush=True)
        answer: str | None = json.loads(stream.readline())
        return answer


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
