"""The keyring that the proof's commands load by PYTHON_KEYRING_BACKEND; it asks the proof."""

from __future__ import annotations

import json
import os
import socket

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError
from keyring_server import PORT_VARIABLE


class SharedKeyring(KeyringBackend):
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
