"""One address for the voices of several servers: each request goes to the server of its voice.

It holds no access rules of its own. Every request, also one for a list or with an unclear name, is
first judged by a server's endpoints, with the headers that its client sent.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import re
import selectors
import socket
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from sovdeck.engine.contract.foreign_values import parse_json_object
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.secret import Secret
from sovdeck.remote.speech.http_unavailable import refusal_body
from sovdeck.remote.speech.server_voices import (
    FoundVoice,
    ServerVoices,
    VoiceServer,
    merge_lists,
)

_LOOPBACK = "127.0.0.1"
_MAX_BODY_BYTES = 4 << 20  # above what the engine takes, which says so itself
_CHUNK = 1 << 16
_IDLE_S = 60.0  # a client that sends nothing of its request for so long
_CONNECT_S = 30.0
_LISTS = {
    "/v1/models": "data",
    "/v1/audio/voices": "voices",
    "/v1/audio/models": "models",
    "/speakers": None,
}
_MODEL = "/v1/models/"
_SPEECH, _TTS = "/v1/audio/speech", ("/tts", "/")
# As the engine's own: a fork's clients name a speaker so.
_SPEAKERS_CLIP = re.compile(r"(\./参考音频/)(.+)(\.wav)")
_OF_ONE_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "expect", "transfer-encoding")
    + ("content-length",)  # it is written anew
)


class VoiceRouter:
    """Listens on `address`:`port` until closed; the first server answers what names no voice."""

    def __init__(self, port: int, *, address: str = _LOOPBACK) -> None:
        """Take the port (0 picks one); Problem `port_taken`. Nothing is answered before `start`."""

        class Handler(_Request):
            pass

        class Listener(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
            daemon_threads = True

            def server_bind(self) -> None:
                self.socket.bind(self.server_address)  # the base class asks DNS for a name
                self.server_address = self.socket.getsockname()

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that breaks off is no event."""

        try:
            self._listener = Listener((address, port), Handler)
        except OSError as error:
            facts = {"port": port, "why": error.strerror or str(error)}
            raise Problem("remote.connection.port_taken", ExitCode.CONFIG, **facts) from None
        self.port = int(self._listener.socket.getsockname()[1])
        self._handler = Handler
        self._is_started = False

    def start(self, servers: Sequence[VoiceServer], token: Secret | None = None) -> None:
        """Answer for these servers from now on. token: what they want of a request."""
        self._handler.known_voices = ServerVoices(servers, token)
        self._is_started = True
        threading.Thread(
            target=self._listener.serve_forever, name=f"router-{self.port}", daemon=True
        ).start()

    def close(self) -> None:
        """Stop listening; requests that go on end with their servers."""
        if self._is_started:
            self._listener.shutdown()
        self._listener.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Request(http.server.BaseHTTPRequestHandler):
    """One request: read, sent on to its server, the answer copied as it comes."""

    known_voices: ServerVoices
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    cors: Mapping[str, str] = {}

    def do_GET(self) -> None:  # noqa: N802  http.server's name
        self._answer()

    def do_POST(self) -> None:  # noqa: N802
        self._answer()

    def do_OPTIONS(self) -> None:  # noqa: N802
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """What clients ask for is in no log."""

    def _answer(self) -> None:
        self.close_connection = True
        parts = urlsplit(self.path)
        first = self.known_voices.servers[0]
        body = self._read_body()
        if body is None:
            problem = Problem("engine.http.large_body", ExitCode.CONFIG, most=_MAX_BODY_BYTES >> 10)
            self._send(413, refusal_body(problem, "invalid_request_error"))
            return
        if self.command == "GET" and parts.path in _LISTS:
            if not self._is_refused(first):
                merged = merge_lists(self.known_voices, parts.path, _LISTS[parts.path])
                self._send(200, merged)
            return
        try:
            server, path, body = self._choose(self.path, body)
        except _Ambiguous as unclear:
            if not self._is_refused(first):
                self._send(
                    400, refusal_body(unclear.problem, "invalid_request_error", unclear.field)
                )
            return
        self._forward(server, path, body)

    def _read_body(self) -> bytes | None:
        """The whole body; None for one that is too large, or whose length makes no sense."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = self.headers.get("Content-Length", "0")
            fits = length.isdecimal() and int(length) <= _MAX_BODY_BYTES
            return self.rfile.read(int(length)) if fits else None
        body = bytearray()
        while True:
            try:
                size = int(self.rfile.readline(64).split(b";")[0], 16)
            except ValueError:
                return None
            if size < 0 or len(body) + size > _MAX_BODY_BYTES:
                return None
            body += self.rfile.read(size)
            while size == 0 and self.rfile.readline(_CHUNK).strip():
                pass  # trailers
            if size == 0:
                return bytes(body)
            self.rfile.readline(64)

    def _choose(self, path: str, body: bytes) -> tuple[VoiceServer, str, bytes]:
        """The server of a request's voice, and the request as that server knows the name."""
        parts = urlsplit(path)
        first = self.known_voices.servers[0]
        if parts.path.startswith(_MODEL):
            found = self._find(unquote(parts.path.removeprefix(_MODEL)), "model")
            return (
                (first, path, body)
                if found is None
                else (found.server, _MODEL + quote(found.called, safe=""), body)
            )
        if self.command == "GET":
            fields: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
        else:
            try:
                fields = parse_json_object(body)
            except ValueError:
                return first, path, body  # the engine says what is wrong with it
        chosen = self._choose_by_fields(parts.path, fields)
        if chosen is None:
            return first, path, body
        server, changed = chosen
        if not changed:
            return server, path, body
        if self.command == "GET":
            pairs = parse_qsl(parts.query, keep_blank_values=True)
            query = urlencode([(key, changed.get(key, value)) for key, value in pairs])
            return server, f"{parts.path}?{query}", body
        return server, path, json.dumps({**fields, **changed}, ensure_ascii=False).encode()

    def _choose_by_fields(
        self, path: str, fields: Mapping[str, Any]
    ) -> tuple[VoiceServer, dict[str, Any]] | None:
        if path == _SPEECH:
            for field in ("voice", "model"):
                given = fields.get(field)
                called = given.get("id") if isinstance(given, dict) else given
                found = self._find(called, field) if isinstance(called, str) else None
                if found is not None:
                    same = found.called == called
                    return found.server, {} if same else {field: found.called}
        if path in _TTS:
            for field in ("ref_audio_path", "refer_wav_path"):
                given = fields.get(field)
                clip = _SPEAKERS_CLIP.fullmatch(given) if isinstance(given, str) else None
                found = self._find(clip[2], field) if clip is not None else None
                if clip is not None and found is not None:
                    return found.server, {field: f"{clip[1]}{found.called}{clip[3]}"}
        return None

    def _find(self, called: str, field: str) -> FoundVoice | None:
        """Where the voice is; None for nowhere, _Ambiguous for several places."""
        found = self.known_voices.find(called)
        if len(found) > 1:
            known = ", ".join(f"{one.server.name}/{called}" for one in found)
            facts = {"voice": called[:80], "known": known}
            raise _Ambiguous(Problem("remote.speak.which_voice", ExitCode.CONFIG, **facts), field)
        return found[0] if found else None

    def _is_refused(self, server: VoiceServer) -> bool:
        """Have the server judge the client's headers; what it refuses is answered so."""
        try:
            with self._open(server) as remote:
                remote.sendall(self._head("GET", "/v1/audio/models", b""))
                answer = http.client.HTTPResponse(remote)
                answer.begin()
                content = answer.read(_MAX_BODY_BYTES)
        except (OSError, http.client.HTTPException):
            self._send_unreachable(server)
            return True
        self.cors = {
            name: value
            for name, value in answer.getheaders()
            if name.lower().startswith("access-control-") or name.lower() == "vary"
        }
        if answer.status == 200:
            return False
        self._send(answer.status, content, answer.getheader("WWW-Authenticate"))
        return True

    def _open(self, server: VoiceServer) -> socket.socket:
        return socket.create_connection((_LOOPBACK, server.port), timeout=_CONNECT_S)

    def _head(self, command: str, path: str, body: bytes) -> bytes:
        """The client's request head with another path, for one request alone."""
        lines = [f"{command} {path} HTTP/1.1"]
        for name, value in self.headers.items():
            if name.lower() not in _OF_ONE_HOP:
                lines.append(f"{name}: {value}")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _forward(self, server: VoiceServer, path: str, body: bytes) -> None:
        try:
            remote = self._open(server)
        except OSError:
            self._send_unreachable(server)
            return
        with remote, contextlib.suppress(OSError):
            remote.sendall(self._head(self.command, path, body) + body)
            self._copy_answer(remote)

    def _copy_answer(self, remote: socket.socket) -> None:
        """Copy the answer until either side ends: a client that leaves ends its take there."""
        client = self.connection
        client.settimeout(None)
        remote.settimeout(None)
        with selectors.DefaultSelector() as ready:
            ready.register(remote, selectors.EVENT_READ)
            ready.register(client, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    side = remote if key.fileobj is remote else client
                    data = side.recv(_CHUNK)
                    if not data:
                        return
                    if side is remote:  # what a client sends meanwhile would be another request
                        client.sendall(data)

    def _send_unreachable(self, server: VoiceServer) -> None:
        problem = Problem("remote.speak.server_away", ExitCode.UNREACHABLE, server=server.name)
        self._send(503, refusal_body(problem, "server_error"))

    def _send(self, status: int, body: bytes, challenge: str | None = None) -> None:
        self.send_response(status)
        for name, value in self.cors.items():
            self.send_header(name, value)
        if challenge is not None:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class _Ambiguous(Exception):
    """A name that several servers have; `field` is where the client wrote it."""

    def __init__(self, problem: Problem, field: str) -> None:
        super().__init__(problem.key)
        self.problem, self.field = problem, field
