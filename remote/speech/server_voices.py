"""Which server has the voice that a request names, where several answer behind one address.

A name that one server has is enough; one that several have needs the server's before it:
`lab/Anna`. A server that does not answer holds up no request for another's voice.
"""

from __future__ import annotations

import contextlib
import hmac
import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sovdeck.engine.contract.foreign_values import parse_json, parse_json_object
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.secret import Secret

_KNOWN_S = 10.0  # a voice that was trained or named meanwhile is there after so long
_AGAIN_S = 1.0  # a server that did not tell its names is asked again
_ASK_S = 30.0
_WAIT_S = 2.0  # of a request, for names that a server has not told yet
_LIST_WAIT_S = 10.0  # of a list, for each server's part
_MAX_LIST_BYTES = 4 << 20
_MAX_NAMES = 10_000
_LOOPBACK = "127.0.0.1"


@dataclass(eq=False)
class VoiceServer:
    """One server's endpoints, forwarded to a port of this computer; `name` as it is saved.

    `problem` says why its voices are away; None while they answer. Whoever keeps the endpoints up
    changes both; see `KeptEndpoint`.
    """

    name: str
    port: int = 0
    problem: Problem | None = None


@dataclass(frozen=True)
class FoundVoice:
    """A server, and what it calls the voice itself."""

    server: VoiceServer
    called: str


@dataclass
class _NameList:
    """What a server last said; `names` is None before it has said anything."""

    names: tuple[str, ...] | None = None
    asked_at: float = float("-inf")
    has_told: bool = False  # when it was asked last
    being_asked: threading.Event | None = None


class ServerVoices:
    """The names of all servers, asked for again now and then; from any thread.

    `default` answers what names no voice: the first one, until weights of another were chosen.
    """

    def __init__(self, servers: Sequence[VoiceServer], token: Secret | None = None) -> None:
        self.servers = tuple(servers)
        self.default = self.servers[0]
        self._token = token
        self._lock = threading.Lock()
        self._lists = {server: _NameList() for server in self.servers}

    def present(self) -> list[VoiceServer]:
        """The servers whose voices are not away, in order."""
        return [server for server in self.servers if server.problem is None]

    def unheard(self) -> list[VoiceServer]:
        """The servers that have never said which voices they have."""
        return [server for server in self.servers if self._lists[server].names is None]

    def find(self, called: str) -> list[FoundVoice]:
        """Where a voice is called so: [] for nowhere, several where the name is not enough."""
        # A voice that was trained a moment ago is no unknown one.
        return self._find_among(self._known_names(), called) or self._find_among(
            self._known_names(most_age_s=_AGAIN_S), called
        )

    def callable_names(self) -> list[str]:
        """What a request may call the voices that are not away, as the lists show it."""
        names = self._known_names()
        return [
            _shown(names, server, called) for server in self.present() for called in names[server]
        ]

    def allows(self, authorization: str) -> bool:
        """Whether a header Authorization brings the token, where one is wanted."""
        if self._token is None:
            return True
        scheme, _, given = authorization.partition(" ")
        wanted = self._token.reveal().encode()
        # Headers come as Latin-1; a token is ASCII.
        is_token = hmac.compare_digest(given.strip().encode("utf-8", "replace"), wanted)
        return scheme.lower() == "bearer" and is_token

    def _find_among(
        self, names: Mapping[VoiceServer, Sequence[str]], called: str
    ) -> list[FoundVoice]:
        prefix, slash, rest = called.partition("/")
        for server in self.servers:
            if slash and server.name == prefix and _base(rest) in map(_base, names[server]):
                return [FoundVoice(server, rest)]
        exact = [one for one in self.servers if called in names[one]]
        alike = [one for one in self.servers if _base(called) in map(_base, names[one])]
        return [FoundVoice(one, called) for one in (exact or alike)]

    def merge_lists(self, path: str, field: str | None) -> bytes:
        """The lists at `path` of all servers as one, in `field` of an object; None: a bare list.

        What is away has no part in it.
        """
        names = self._known_names()
        rows: list[object] = []
        for server, answer in self._ask_all(path):
            with contextlib.suppress(ValueError):
                whole = parse_json(answer)
                found = whole.get(field) if isinstance(whole, dict) and field else whole
                for row in found if isinstance(found, list) else []:
                    if isinstance(row, dict):
                        rows.append(_renamed(names, server, row))
        merged: object = rows
        if field is not None:
            merged = {**({"object": "list"} if field == "data" else {}), field: rows}
        return json.dumps(merged, ensure_ascii=False).encode("utf-8", "replace")

    def _ask_all(self, path: str) -> list[tuple[VoiceServer, bytes]]:
        """What each server that answers in time says at `path`, in the order of the servers."""
        answers: dict[VoiceServer, bytes | None] = {}

        def ask(server: VoiceServer) -> None:
            answers[server] = self._ask(server, path)

        asked = {one: _start(f"list-{one.name}", ask, one) for one in self.present()}
        until = time.monotonic() + _LIST_WAIT_S
        for thread in asked.values():
            thread.join(max(0.0, until - time.monotonic()))
        found = ((server, answers.get(server)) for server in asked)
        return [(server, answer) for server, answer in found if answer is not None]

    def _ask(self, server: VoiceServer, path: str) -> bytes | None:
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

    def _known_names(self, most_age_s: float = _KNOWN_S) -> dict[VoiceServer, tuple[str, ...]]:
        """What is known of each server, asked for again where that is older than `most_age_s`.

        Who begins to ask waits a moment for the answer, and so does who knows nothing yet; all
        others go on with what is known, since a server may hang.
        """
        waited_for = []
        now = time.monotonic()
        with self._lock:
            for server, known in self._lists.items():
                age = now - known.asked_at
                is_due = age > (most_age_s if known.has_told else _AGAIN_S)
                if known.being_asked is None and server.problem is None and is_due:
                    known.being_asked = threading.Event()
                    waited_for.append(known.being_asked)
                    _start(f"names-{server.name}", self._learn_names, server)
                elif known.being_asked is not None and known.names is None:
                    waited_for.append(known.being_asked)
        for answered in waited_for:
            answered.wait(max(0.0, now + _WAIT_S - time.monotonic()))
        with self._lock:
            return {server: known.names or () for server, known in self._lists.items()}

    def _learn_names(self, server: VoiceServer) -> None:
        names = self._list_names(server)
        known = self._lists[server]
        with self._lock:
            known.names = known.names if names is None else names
            known.asked_at, known.has_told = time.monotonic(), names is not None
            answered, known.being_asked = known.being_asked, None
        if answered is not None:
            answered.set()

    def _list_names(self, server: VoiceServer) -> tuple[str, ...] | None:
        body = self._ask(server, "/v1/models")
        try:
            rows = parse_json_object(body or b"").get("data")
        except ValueError:
            return None
        rows = rows[:_MAX_NAMES] if isinstance(rows, list) else []
        return tuple(str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row)


def _start(name: str, work: Callable[[VoiceServer], None], server: VoiceServer) -> threading.Thread:
    thread = threading.Thread(target=work, args=(server,), name=name, daemon=True)
    thread.start()
    return thread


def _renamed(
    names: Mapping[VoiceServer, Sequence[str]], server: VoiceServer, row: dict[str, object]
) -> dict[str, object]:
    """A row of a list, its voice with the server's name where another server has one alike."""
    named = ("id", "name", "voice_id")
    return {
        key: _shown(names, server, str(value)) if key in named else value
        for key, value in row.items()
    }


def _shown(names: Mapping[VoiceServer, Sequence[str]], server: VoiceServer, called: str) -> str:
    """A voice's name, behind its server's where another one has one alike."""
    alike = any(
        _base(called) == _base(name) for one in names if one is not server for name in names[one]
    )
    return f"{server.name}/{called}" if alike else called


def _base(called: str) -> str:
    """The voice's own name, without its reference's."""
    return called.partition(":")[0]
