"""One address for the voices of several servers: each request goes to the server of its voice.

It holds no access rules of its own but one: while no server is there, who lacks the token learns
nothing. Every other request, also one for a list, with an unclear name or for a voice that is away,
is first judged by the endpoints of a server that is there, with the headers that its client sent.
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
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from sovdeck.engine.contract.foreign_values import parse_json_object
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.stock_names import is_stock_name
from sovdeck.remote.secret import Secret
from sovdeck.remote.speech.http_unavailable import RETRY_AFTER_S, refusal_body
from sovdeck.remote.speech.server_voices import FoundVoice, ServerVoices, VoiceServer

_LOOPBACK = "127.0.0.1"
_MAX_BODY_BYTES = 4 << 20  # above what the engine takes, which says so itself
_CHUNK = 1 << 16
_DRAINED_BYTES = 256 << 20  # of a larger one: who is cut off while sending sees no answer
_DRAIN_S = 10.0
_BODY_S = 60.0
_IDLE_S = 60.0  # a client that sends nothing of its request for so long
_STALLED_S = 300.0  # a client that takes nothing of its answer for so long; as the engine's
_CONNECT_S = 30.0
_JUDGE_S = 10.0  # for a server's answer whether a request may be; then another one is asked
_LISTS = {
    "/v1/models": "data",
    "/v1/audio/voices": "voices",
    "/v1/audio/models": "models",
    "/speakers": None,
}
_MODEL = "/v1/models/"
_SPEECH, _TTS = "/v1/audio/speech", ("/tts", "/")
_SET_WEIGHTS, _WEIGHTS_FIELD = ("/set_gpt_weights", "/set_sovits_weights"), "weights_path"
_FOREIGN_WEIGHT = "engine.http.foreign_weight"
_NO_VOICE, _MOST_NAMED = "engine.http.no_voice", 20
# As the engine's own: a fork's clients name a speaker so.
_SPEAKERS_CLIP = re.compile(r"(\./参考音频/)(.+)(\.wav)")
_OF_ONE_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "expect", "transfer-encoding")
    + ("content-length",)  # it is written anew
)
_PASSED_ON = frozenset(("vary", "www-authenticate", "retry-after"))
_SLASHES = re.compile("/{2,}")
_SIZE = {10: re.compile("[0-9]{1,18}"), 16: re.compile("[0-9a-fA-F]{1,15}")}
_LONG_HEAD = (414, 431)
_CORS = "access-control-"


class VoiceRouter:
    """Listens on `address`:`port` until closed; what names no voice goes to the default server."""

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
    passed_on: Mapping[str, str] = {}  # headers of the server that judged the request

    def do_GET(self) -> None:  # noqa: N802  http.server's name
        self._answer()

    def do_POST(self) -> None:  # noqa: N802
        self._answer()

    def do_HEAD(self) -> None:  # noqa: N802
        self._answer()

    def do_PUT(self) -> None:  # noqa: N802
        self._answer()

    def do_PATCH(self) -> None:  # noqa: N802
        self._answer()

    def do_DELETE(self) -> None:  # noqa: N802
        self._answer()

    def do_OPTIONS(self) -> None:  # noqa: N802
        self._answer()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the base class refuses in the shape of all refusals: what is no HTTP."""
        self.close_connection, self.request_version = True, self.protocol_version
        problem = Problem("engine.http.not_http", ExitCode.CONFIG)
        if code == 501:
            facts = {"path": self.path.partition("?")[0][:80], "method": str(self.command)[:20]}
            code, problem = 405, Problem("engine.http.no_method", ExitCode.CONFIG, **facts)
        elif code in _LONG_HEAD:
            problem = Problem("engine.http.long_head", ExitCode.CONFIG)
        self._send(code, refusal_body(problem, "invalid_request_error"))

    def log_message(self, format: str, *args: Any) -> None:
        """What clients ask for is in no log."""

    def _answer(self) -> None:
        self.close_connection = True
        path, mark, query = self.path.partition("?")
        path = _SLASHES.sub("/", path)  # as the engine takes it
        self.path = f"{path}{mark}{query}"
        path = urlsplit(self.path).path
        try:
            body = self._read_body()
            if self.command == "GET" and path in _LISTS:
                if self._is_allowed():
                    self._send(200, self.known_voices.merge_lists(path, _LISTS[path]))
            elif self.command == "OPTIONS":
                self._forward((self.known_voices.present() or [self.known_voices.default])[0], body)
            elif path in _SET_WEIGHTS:
                self._set_weights(body)
            else:
                self._forward(*self._choose(body))
        except _Refused as refused:
            if self._is_allowed():
                self._refuse(refused)
            self._drain()

    def _read_body(self) -> bytes:
        """The whole body; _Refused for one that is too large, too slow, or of no clear length."""
        until = time.monotonic() + _BODY_S
        body = bytearray()
        for part in self._body_parts():
            body += part
            if len(body) > _MAX_BODY_BYTES:
                raise _too_large()
            if time.monotonic() > until:
                slow = Problem("engine.http.slow_body", ExitCode.CONFIG, seconds=int(_BODY_S))
                raise _Refused(408, slow)
        return bytes(body)

    def _body_parts(self) -> Iterator[bytes]:
        """The body as it comes, in parts that are never empty."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            size = _parse_size(self.headers.get("Content-Length", "0"), 10)
            if size > _MAX_BODY_BYTES:
                raise _too_large()  # before it comes
            yield from self._read_exactly(size)
            return
        while size := _parse_size(self._read_line().partition(";")[0], 16):
            yield from self._read_exactly(size)
            if self._read_line():
                raise _not_http()
        while self._read_line():
            pass  # trailers

    def _read_exactly(self, size: int) -> Iterator[bytes]:
        while size:
            part = self.rfile.read1(min(size, _CHUNK))
            if not part:
                raise ConnectionResetError  # the client left; see `handle_error`
            size -= len(part)
            yield part

    def _read_line(self) -> str:
        return self.rfile.readline(_CHUNK).strip().decode("latin-1")

    def _drain(self) -> None:
        """Read what still comes of a refused body: closing on it would break the answer off."""
        until, left = time.monotonic() + _DRAIN_S, _DRAINED_BYTES
        with contextlib.suppress(OSError):  # a client that is gone needs no answer
            self.connection.shutdown(socket.SHUT_WR)
            while left > 0 and (rest := until - time.monotonic()) > 0:
                self.connection.settimeout(rest)
                part = self.connection.recv(_CHUNK)
                if not part:
                    return
                left -= len(part)

    def _fields(self, body: bytes) -> dict[str, Any] | None:
        """The fields of a query or a JSON body; None for a body that is no JSON object."""
        if self.command == "GET":
            return dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        try:
            fields = parse_json_object(body)
            # A half of a surrogate pair is no text: it would only fail where it is written.
            json.dumps(fields, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            return None  # the engine says what is wrong with it
        return fields

    def _with_fields(
        self, fields: Mapping[str, Any], changed: Mapping[str, Any], body: bytes
    ) -> tuple[bytes, str]:
        """The body and path of this request with some fields changed."""
        if not changed:
            return body, self.path
        if self.command == "GET":
            parts = urlsplit(self.path)
            pairs = parse_qsl(parts.query, keep_blank_values=True)
            query = urlencode([(key, changed.get(key, value)) for key, value in pairs])
            return body, f"{parts.path}?{query}"
        return json.dumps({**fields, **changed}, ensure_ascii=False).encode(), self.path

    def _choose(self, body: bytes) -> tuple[VoiceServer, bytes, str]:
        """The server of a request's voice, and the request as that server knows the name."""
        path = urlsplit(self.path).path
        default = self.known_voices.default
        if path.startswith(_MODEL):
            called = unquote(path.removeprefix(_MODEL))
            found = self._locate({"model": called})
            if found is None:  # one of OpenAI's own names, which no list shows
                raise self._unknown("model", called)
            return found[1].server, body, _MODEL + quote(found[1].called, safe="")
        fields = self._fields(body) or {}
        server, changed = self._choose_by_fields(path, fields) or (default, {})
        return server, *self._with_fields(fields, changed, body)

    def _choose_by_fields(
        self, path: str, fields: Mapping[str, Any]
    ) -> tuple[VoiceServer, dict[str, Any]] | None:
        if path == _SPEECH:
            named: dict[str, str] = {}
            for field in ("voice", "model"):
                given = fields.get(field)
                called = given.get("id") if isinstance(given, dict) else given
                if isinstance(called, str) and called:
                    named[field] = called
            located = self._locate(named)
            if located is not None:
                field, found = located
                same = found.called == named[field]
                return found.server, {} if same else {field: found.called}
        if path in _TTS:
            for field in ("ref_audio_path", "refer_wav_path"):
                given = fields.get(field)
                clip = _SPEAKERS_CLIP.fullmatch(given) if isinstance(given, str) else None
                located = self._locate({field: clip[2]}) if clip is not None else None
                if clip is not None and located is not None:
                    found = located[1]
                    return found.server, {field: f"{clip[1]}{found.called}{clip[3]}"}
        return None

    def _locate(self, named: Mapping[str, str]) -> tuple[str, FoundVoice] | None:
        """The field whose name is a voice's, and where that is; None for nowhere.

        _Refused for a name that several servers have, for one that only a server may have which
        has not said yet what it has, and for one that none has.
        """
        for field, called in named.items():
            found = self.known_voices.find(called)
            if len(found) > 1:
                known = ", ".join(f"{one.server.name}/{called}" for one in found)
                facts = {"voice": called[:80], "known": known}
                problem = Problem("remote.speak.which_voice", ExitCode.CONFIG, **facts)
                raise _Refused(400, problem, field)
            if found:
                return field, found[0]
        ours = [(field, called) for field, called in named.items() if not is_stock_name(called)]
        if ours and (unheard := self.known_voices.unheard()):
            field, called = ours[0]
            raise _Refused(503, _maybe_away(called, unheard), field)
        if ours:
            raise self._unknown(*ours[0])
        return None

    def _unknown(self, field: str, called: str) -> _Refused:
        known = ", ".join(self.known_voices.callable_names()[:_MOST_NAMED])
        facts = {"voice": called[:80], "known": known}
        return _Refused(404, Problem(_NO_VOICE, ExitCode.CONFIG, **facts), field)

    def _set_weights(self, body: bytes) -> None:
        """Let the server that has the file load it; from then on it answers what names no voice.

        A file that several have is the one's that answers such requests now, unless a server's
        name stands before it: `lab/Anna-e10.ckpt`.
        """
        fields = self._fields(body) or {}
        given = fields.get(_WEIGHTS_FIELD)
        default = self.known_voices.default
        servers = [default, *(one for one in self.known_voices.servers if one is not default)]
        changed: dict[str, Any] = {}
        for server in servers:
            if isinstance(given, str) and given.startswith(f"{server.name}/"):
                servers, changed = [server], {_WEIGHTS_FIELD: given.removeprefix(f"{server.name}/")}
                break
        body, path = self._with_fields(fields, changed, body)
        away, refusal = [], None
        for server in servers:
            try:
                if server.problem is not None:
                    raise OSError
                status, content = self._exchange(server, self.command, path, body, timeout=None)
            except (OSError, http.client.HTTPException):
                away.append(server)
                continue
            if not _is_foreign_weight(status, content):
                if status == 200:
                    self.known_voices.default = server
                self._send(status, content)
                return
            refusal = refusal or (status, content)
        if away:
            raise _Refused(503, _maybe_away(str(given), away), _WEIGHTS_FIELD)
        if refusal is not None:
            self._send(*refusal)

    def _is_allowed(self) -> bool:
        """Have a server judge the client's headers; what it refuses is answered so."""
        for server in self.known_voices.present():
            try:
                status, content = self._exchange(
                    server, "GET", "/v1/audio/models", b"", timeout=_JUDGE_S
                )
            except (OSError, http.client.HTTPException):
                continue
            if status != 200:
                self._send(status, content)
            return status == 200
        if self.known_voices.allows(self.headers.get("Authorization", "")):
            self._refuse(_away(self.known_voices.default))
            return False
        self.passed_on = {"WWW-Authenticate": "Bearer"}
        problem = Problem("engine.http.token", ExitCode.REFUSED)
        self._send(401, refusal_body(problem, "authentication_error"))
        return False

    def _exchange(
        self, server: VoiceServer, command: str, path: str, body: bytes, *, timeout: float | None
    ) -> tuple[int, bytes]:
        """A server's whole answer to this client's headers; timeout: seconds of silence."""
        with self._open(server) as remote:
            remote.settimeout(timeout)
            remote.sendall(self._head(command, path, body) + body)
            answer = http.client.HTTPResponse(remote)
            answer.begin()
            content = answer.read(_MAX_BODY_BYTES)
        self.passed_on = {
            name: value
            for name, value in answer.getheaders()
            if name.lower() in _PASSED_ON or name.lower().startswith(_CORS)
        }
        return answer.status, content

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

    def _forward(self, server: VoiceServer, body: bytes, path: str = "") -> None:
        """Copy the server's answer; _Refused when it is away, or ends before it has said a byte."""
        if server.problem is not None:
            raise _away(server)
        try:
            remote = self._open(server)
        except OSError:
            raise _away(server) from None
        with remote:
            try:
                remote.sendall(self._head(self.command, path or self.path, body) + body)
            except OSError:
                raise _away(server) from None
            if not self._copy_answer(remote):
                raise _away(server)

    def _copy_answer(self, remote: socket.socket) -> bool:
        """Copy the answer until either side ends: a client that leaves ends its take there.

        Whether anything was there to be copied, or the client left first.
        """
        client = self.connection
        client.settimeout(_STALLED_S)
        remote.settimeout(None)
        copied = False
        with selectors.DefaultSelector() as ready:
            ready.register(remote, selectors.EVENT_READ)
            ready.register(client, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    is_client = key.fileobj is client
                    try:
                        if is_client:
                            # What a client sends meanwhile would be another request.
                            if not client.recv(_CHUNK):
                                return True
                            continue
                        data = _receive(remote)
                        if not data:
                            return copied
                        client.sendall(data)
                        copied = True
                    except OSError:  # a client that breaks off has left as well
                        return True

    def _refuse(self, refused: _Refused) -> None:
        kind = "server_error" if refused.status >= 500 else "invalid_request_error"
        if refused.status == 503:
            self.passed_on = {**self.passed_on, "Retry-After": str(RETRY_AFTER_S)}
        self._send(refused.status, refusal_body(refused.problem, kind, refused.field))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        for name, value in self.passed_on.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Refused(Exception):
    """A request that no server is asked for; `field` is where the client wrote what is wrong."""

    def __init__(self, status: int, problem: Problem, field: str = "") -> None:
        super().__init__(problem.key)
        self.status, self.problem, self.field = status, problem, field


def _receive(remote: socket.socket) -> bytes:
    """Some bytes; none when the server has closed the connection or broken it off."""
    try:
        return remote.recv(_CHUNK)
    except OSError:
        return b""


def _too_large() -> _Refused:
    most = _MAX_BODY_BYTES >> 10
    return _Refused(413, Problem("engine.http.large_body", ExitCode.CONFIG, most=most))


def _not_http() -> _Refused:
    return _Refused(400, Problem("engine.http.not_http", ExitCode.CONFIG))


def _parse_size(given: str, base: int) -> int:
    """A length of HTTP: digits alone, which int() does not ask for; _Refused for anything else."""
    if _SIZE[base].fullmatch(given) is None:
        raise _not_http()
    return int(given, base)


def _away(server: VoiceServer) -> _Refused:
    facts: dict[str, Any] = {"server": server.name}
    if server.problem is None:  # its end is noticed in a moment
        return _Refused(503, Problem("remote.speak.server_away", ExitCode.UNREACHABLE, **facts))
    facts["why"] = server.problem.message
    return _Refused(503, Problem("remote.speak.voices_away", ExitCode.UNREACHABLE, **facts))


def _maybe_away(called: str, servers: Sequence[VoiceServer]) -> Problem:
    names = ", ".join(server.name for server in servers)
    facts = {"name": called[:80], "server": names}
    return Problem("remote.speak.maybe_away", ExitCode.UNREACHABLE, **facts)


def _is_foreign_weight(status: int, content: bytes) -> bool:
    """Whether a server refused a weight since it has no such file."""
    try:
        error = parse_json_object(content).get("error")
    except ValueError:
        return False
    return status == 400 and isinstance(error, dict) and error.get("code") == _FOREIGN_WEIGHT
