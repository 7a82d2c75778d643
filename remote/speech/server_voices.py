"""Which server has the voice that a request names, where several answer behind one address.

A name that one server has is enough; one that several have needs the server's before it:
`lab/Anna`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sovdeck.engine.contract.foreign_values import parse_json_object
from sovdeck.remote.secret import Secret

_KNOWN_S = 10.0  # a voice that was trained or named meanwhile is there after so long
_ASK_S = 30.0
_MAX_LIST_BYTES = 4 << 20
_MAX_NAMES = 10_000
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class VoiceServer:
    """One server's endpoints, forwarded to a port of this computer; `name` as it is saved."""

    name: str
    port: int


@dataclass(frozen=True)
class FoundVoice:
    """A server, and what it calls the voice itself."""

    server: VoiceServer
    called: str


class ServerVoices:
    """The names of all servers, asked for again now and then; from any thread."""

    def __init__(self, servers: Sequence[VoiceServer], token: Secret | None = None) -> None:
        self.servers = tuple(servers)
        self._token = token
        self._lock = threading.Lock()
        self._names: dict[str, tuple[str, ...]] = {}
        self._asked_at = float("-inf")

    def find(self, called: str) -> list[FoundVoice]:
        """Where a voice is called so: [] for nowhere, several where the name is not enough."""
        names = self._known_names()
        prefix, slash, rest = called.partition("/")
        for server in self.servers:
            if slash and server.name == prefix and _base(rest) in map(_base, names[prefix]):
                return [FoundVoice(server, rest)]
        exact = [one for one in self.servers if called in names[one.name]]
        alike = [one for one in self.servers if _base(called) in map(_base, names[one.name])]
        return [FoundVoice(one, called) for one in (exact or alike)]

    def shown_name(self, server: VoiceServer, called: str) -> str:
        """What lists call a server's voice: with the server's name where another has one alike."""
        names = self._known_names()
        others = [one for one in self.servers if one != server]
        doubled = any(_base(called) in map(_base, names[one.name]) for one in others)
        return f"{server.name}/{called}" if doubled else called

    def ask(self, server: VoiceServer, path: str) -> bytes | None:
        """What a server answers to GET with our own token; None unless it is 200."""
        headers = {"Host": _LOOPBACK}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        connection = http.client.HTTPConnection(_LOOPBACK, server.port, timeout=_ASK_S)
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read(_MAX_LIST_BYTES)
            return body if answer.status == 200 else None
        return None

    def _known_names(self) -> dict[str, tuple[str, ...]]:
        with self._lock:
            if time.monotonic() - self._asked_at > _KNOWN_S:
                for server in self.servers:
                    found = self._list_names(server)
                    if found is not None or server.name not in self._names:
                        self._names[server.name] = found or ()
                self._asked_at = time.monotonic()
            return dict(self._names)

    def _list_names(self, server: VoiceServer) -> tuple[str, ...] | None:
        body = self.ask(server, "/v1/models")
        try:
            rows = parse_json_object(body or b"").get("data")
        except ValueError:
            return None
        rows = rows[:_MAX_NAMES] if isinstance(rows, list) else []
        return tuple(str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row)


def merge_lists(voices: ServerVoices, path: str, field: str | None) -> bytes:
    """The lists at `path` of all servers as one, in `field` of an object; None: a bare list."""
    rows: list[object] = []
    for server in voices.servers:
        with contextlib.suppress(ValueError):
            answer = json.loads(voices.ask(server, path) or b"null")
            found = answer.get(field) if isinstance(answer, dict) and field else answer
            for row in found if isinstance(found, list) else []:
                if isinstance(row, dict):
                    rows.append(_renamed(voices, server, row))
    whole: object = rows
    if field is not None:
        whole = {**({"object": "list"} if field == "data" else {}), field: rows}
    return json.dumps(whole, ensure_ascii=False).encode()


def _renamed(
    voices: ServerVoices, server: VoiceServer, row: dict[str, object]
) -> dict[str, object]:
    names = ("id", "name", "voice_id")
    return {
        key: voices.shown_name(server, str(value)) if key in names else value
        for key, value in row.items()
    }


def _base(called: str) -> str:
    """The voice's own name, without its reference's."""
    return called.partition(":")[0]
