"""Several servers behind one address: each request reaches the server of its voice."""

from __future__ import annotations

import http.client
import http.server
import json
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.secret import Secret
from sovdeck.remote.speech import server_voices, voice_router
from sovdeck.remote.speech.server_voices import ServerVoices, VoiceServer
from sovdeck.remote.speech.voice_router import VoiceRouter

TOKEN = "a-long-secret-of-letters-42"


class Engine:
    """Answers as the engine's endpoints do, and records what it was asked.

    It has the weights `VOICE.ckpt` of its voices. Without `awake` it takes requests and is silent.
    """

    def __init__(self, name: str, *voices: str, token: str = "") -> None:
        self.asked: list[tuple[str, Any]] = []
        self.voices = list(voices)
        self.gone = threading.Event()
        self.awake = threading.Event()
        self.awake.set()
        engine = self
        bases = [one for one in voices if ":" not in one]

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def is_refused(self) -> bool:
                foreign = "127.0.0.1" not in self.headers.get("Host", "")
                wrong = token and self.headers.get("Authorization") != f"Bearer {token}"
                if foreign or wrong:
                    self.answer(403 if foreign else 401, b'{"error": {"code": "engine.http"}}')
                return bool(foreign or wrong)

            def set_weights(self, path: str) -> None:
                engine.asked.append((self.path.partition("?")[0], path))
                if path.removesuffix(".ckpt") in bases:
                    self.answer(200, b'{"message": "success"}')
                else:
                    error = {"code": "engine.http.foreign_weight", "message": f"not of {name}"}
                    self.answer(400, json.dumps({"error": error}).encode())

            def do_OPTIONS(self) -> None:
                self.answer(200, name.encode())

            def do_GET(self) -> None:
                engine.awake.wait(60)
                if self.is_refused():
                    return
                if self.path.startswith("/set_"):
                    query = urllib.parse.urlsplit(self.path).query
                    self.set_weights(urllib.parse.parse_qs(query)["weights_path"][0])
                    return
                lists: dict[str, Any] = {
                    "/v1/models": {
                        "data": [{"id": one, "object": "model"} for one in engine.voices]
                    },
                    "/v1/audio/voices": {"voices": [{"id": one, "name": one} for one in voices]},
                    "/v1/audio/models": {"models": [{"id": one, "name": one} for one in bases]},
                    "/speakers": [{"name": one, "voice_id": one} for one in voices],
                }
                if self.path not in lists:
                    engine.asked.append((self.path, None))
                self.answer(200, json.dumps(lists.get(self.path, {"from": name})).encode())

            def do_POST(self) -> None:
                if self.is_refused():
                    return
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.startswith("/set_"):
                    self.set_weights(body["weights_path"])
                    return
                if body.get("input") == "deadly":
                    self.close_connection = True
                    return
                engine.asked.append((self.path, body))
                if body.get("input") != "endless":
                    self.answer(200, name.encode())
                    return
                self.send_response(200)
                self.end_headers()
                try:
                    while True:
                        self.wfile.write(b"sound" * 1000)
                except OSError:
                    engine.gone.set()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.awake.set()
        self.server.shutdown()
        self.server.server_close()


class Served:
    """Two servers, both with an Anna, behind one address."""

    models: ClassVar[list[str]] = ["gpu/Anna", "gpu/Anna:happy", "Bella", "lab/Anna", "Clara"]

    def __init__(self, token: str = "") -> None:
        self.gpu = Engine("gpu", "Anna", "Anna:happy", "Bella", token=token)
        self.lab = Engine("lab", "Anna", "Clara", token=token)
        self.router = VoiceRouter(0)
        self.at_gpu = VoiceServer("gpu", self.gpu.port)
        self.at_lab = VoiceServer("lab", self.lab.port)
        self.router.start([self.at_gpu, self.at_lab], Secret(token) if token else None)

    def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        self.headers: Any = {}
        data = None if body is None else json.dumps(body).encode()
        address = f"http://127.0.0.1:{self.router.port}{path}"
        try:
            request = urllib.request.Request(address, data, headers)
            with urllib.request.urlopen(request, timeout=30) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            self.headers = error.headers
            return error.code, json.loads(error.read())
        return 200, json.loads(content) if content[:1] in b"[{" else content.decode()

    def speak(self, voice: Any, **fields: Any) -> tuple[int, Any]:
        body = {"model": "tts-1", "voice": voice, "input": "Hello.", **fields}
        return self.ask("/v1/audio/speech", body)

    def close(self) -> None:
        for one in (self.router, self.gpu, self.lab):
            one.close()


@pytest.fixture
def served() -> Iterator[Served]:
    found = Served()
    yield found
    found.close()


def test_lists_name_the_voices_of_all_servers(served: Served) -> None:
    _, models = served.ask("/v1/models")
    assert [row["id"] for row in models["data"]] == served.models
    _, voices = served.ask("/v1/audio/voices")
    assert [row["name"] for row in voices["voices"]] == served.models
    _, speakers = served.ask("/speakers")
    assert [row["voice_id"] for row in speakers] == served.models
    _, bases = served.ask("/v1/audio/models")
    assert [row["id"] for row in bases["models"]] == ["gpu/Anna", "Bella", "lab/Anna", "Clara"]


@pytest.mark.parametrize(
    "odd",
    [
        b'{"data": ' + b"[" * 100_000,
        b'{"data": [{"id": 1' + b"0" * 400 + b"}]}",
        b'{"data": "x"}',
        b'{"data": [7, {"id": [1]}]}',
        b'{"data": [{"id": "\\ud800"}]}',
        b"\xff",
    ],
    ids=["nested", "400 digits", "text", "other types", "half a character", "no UTF-8"],
)
def test_the_list_of_a_server_that_lies_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, odd: bytes
) -> None:
    good = b'{"data": [{"id": "Anna"}]}'
    monkeypatch.setattr(
        ServerVoices, "_ask", lambda self, server, path: odd if server.name == "bad" else good
    )
    voices = ServerVoices([VoiceServer("bad"), VoiceServer("good")])
    rows = json.loads(voices.merge_lists("/v1/models", "data"))["data"]
    assert {"id": "Anna"} in rows
    assert [found.server.name for found in voices.find("Anna")] == ["good"]


def test_a_request_goes_to_the_server_of_its_voice(served: Served) -> None:
    assert served.speak("Bella") == (200, "gpu")
    assert served.speak("Clara") == (200, "lab")
    assert served.speak({"id": "Clara"}) == (200, "lab")
    assert served.speak("alloy", model="Clara") == (200, "lab")
    assert served.speak("alloy") == (200, "gpu"), "the first server answers what names no voice"
    assert served.speak("Clara:sad") == (200, "lab"), "its server says that there is no such mood"
    assert served.speak("lab/Anna") == (200, "lab")
    assert served.lab.asked[-1][1]["voice"] == "Anna"
    assert served.speak("gpu/Anna:happy", input="こんにちは") == (200, "gpu")
    assert served.gpu.asked[-1][1]["voice"] == "Anna:happy"
    assert served.gpu.asked[-1][1]["input"] == "こんにちは"
    assert served.speak("Anna:happy") == (200, "gpu"), "only one server has this mood"


def test_a_name_that_several_servers_have_is_refused_with_both(served: Served) -> None:
    status, answer = served.speak("Anna")
    assert (status, answer["error"]["param"]) == (400, "voice")
    assert answer["error"]["code"] == "remote.speak.which_voice"
    assert "gpu/Anna, lab/Anna" in answer["message"]
    assert not served.gpu.asked and not served.lab.asked


def test_an_unknown_voice_is_answered_with_those_of_all_servers(served: Served) -> None:
    clip = {"text": "Hello.", "ref_audio_path": "./参考音频/Zoe.wav"}
    for field, (status, answer) in {
        "voice": served.speak("Zoe"),
        "model": served.speak("alloy", model="Zoe"),
        "ref_audio_path": served.ask("/tts", clip),
    }.items():
        assert (status, answer["error"]["param"]) == (404, field)
        assert answer["error"]["code"] == "engine.http.no_voice"
        assert "Zoe" in answer["message"] and ", ".join(served.models) in answer["message"]
    for called in ("Zoe", "tts-1"):
        status, answer = served.ask(f"/v1/models/{called}")
        assert (status, answer["error"]["param"]) == (404, "model")
    served.at_lab.problem = lost()
    answer = served.speak("Zoe")[1]
    assert "gpu/Anna, gpu/Anna:happy, Bella." in answer["message"], "as the lists show it"
    assert not served.gpu.asked and not served.lab.asked


def test_a_voice_trained_a_moment_ago_is_no_unknown_one(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served.speak("Zoe")[0] == 404
    served.lab.voices.append("Zoe")
    monkeypatch.setattr(server_voices, "_AGAIN_S", 0.0)
    assert served.speak("Zoe") == (200, "lab")


def test_the_other_endpoints_are_shared_out_too(served: Served) -> None:
    clip = {"text": "Hello.", "ref_audio_path": "./参考音频/lab/Anna.wav"}
    assert served.ask("/", clip) == (200, "lab")
    assert served.lab.asked[-1][1]["ref_audio_path"] == "./参考音频/Anna.wav"
    assert served.ask("/tts?text=Hello.&ref_audio_path=") == (200, {"from": "gpu"})
    assert served.ask(
        "/tts?text=a&ref_audio_path=./%E5%8F%82%E8%80%83%E9%9F%B3%E9%A2%91/Clara.wav"
    ) == (
        200,
        {"from": "lab"},
    )
    assert served.ask("/v1/models/lab%2FAnna") == (200, {"from": "lab"})
    assert served.lab.asked[-1][0] == "/v1/models/Anna"


def test_strangers_learn_no_name_and_a_token_is_needed_for_lists() -> None:
    served = Served(TOKEN)
    try:
        for path in ("/v1/models", "/speakers"):
            assert served.ask(path)[0] == 401
            assert served.ask(path, Host="evil.example")[0] == 403
        assert served.speak("Anna")[0] == 401, "not even that there are two"
        status, models = served.ask("/v1/models", Authorization=f"Bearer {TOKEN}")
        assert status == 200 and len(models["data"]) == 5
    finally:
        served.close()


def test_a_client_that_leaves_is_gone_at_its_server_too(served: Served) -> None:
    body = json.dumps({"voice": "Clara", "input": "endless"}).encode()
    with socket.create_connection(("127.0.0.1", served.router.port)) as client:
        head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}"
        client.sendall(head.encode() + b"\r\n\r\n" + body)
        assert client.recv(100).startswith(b"HTTP/1.")
    assert served.lab.gone.wait(30)


def test_bodies_in_chunks_are_read_and_endless_ones_are_not(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.router.port, timeout=30)
    body = iter([b'{"voice": "Cla', b'ra", "input": "x"}'])
    connection.request("POST", "/v1/audio/speech", body, encode_chunked=True)
    assert connection.getresponse().read() == b"lab"
    connection.close()
    connection = http.client.HTTPConnection("127.0.0.1", served.router.port, timeout=30)
    connection.putrequest("POST", "/v1/audio/speech")
    connection.putheader("Content-Length", str(80 << 20))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]["type"]) == (
        413,
        "invalid_request_error",
    )
    connection.close()


def raw_answer(served: Served, sent: bytes) -> tuple[int, Any]:
    with socket.create_connection(("127.0.0.1", served.router.port), timeout=60) as client:
        client.sendall(sent)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        return answer.status, json.loads(answer.read())


HEAD = b"POST /tts HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n", 400, "not_http"),
        (b"GET /tts HTTP/9.1\r\n\r\n", 505, "not_http"),
        (b"GET /?text=" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414, "long_head"),
        (b"GET / HTTP/1.1\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n", 431, "long_head"),
        (b"BREW /tts HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405, "no_method"),
        (b"BREW http://[/tts HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405, "no_method"),
        (HEAD + b"Content-Length: -5\r\n\r\n", 400, "not_http"),
        (HEAD + b"Content-Length: \xb2\r\n\r\n", 400, "not_http"),
        (HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400, "not_http"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400, "not_http"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n", 400, "not_http"),
        # Sent whole before the answer is read.
        (HEAD + b"Content-Length: 80000000\r\n\r\n" + b"a" * 80_000_000, 413, "large_body"),
    ],
    ids=lambda given: str(given)[:30],
)
def test_what_no_server_is_asked_is_refused_in_the_shape_of_all_refusals(
    served: Served, sent: bytes, status: int, code: str
) -> None:
    found, answer = raw_answer(served, sent)
    assert (found, answer["error"]["code"]) == (status, f"engine.http.{code}")
    assert set(answer) == {"error", "message", "exception"} and not served.gpu.asked


def test_a_body_that_drips_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_router, "_BODY_S", 0.0)
    status, answer = raw_answer(served, HEAD + b"Content-Length: 99\r\n\r\n{")
    assert (status, answer["error"]["code"]) == (408, "engine.http.slow_body")


@pytest.mark.parametrize("voice", ["\ud800", "Zoe\udfff", "lab/Anna", "Anna"])
def test_half_a_surrogate_is_for_the_engine_to_refuse(served: Served, voice: str) -> None:
    assert served.speak(voice, input="\ud800") == (200, "gpu")
    assert served.gpu.asked[-1][1]["voice"] == voice, "as it came"


def test_head_is_answered_without_a_body_and_other_methods_by_the_server(served: Served) -> None:
    for command in ("HEAD", "PUT", "PATCH", "DELETE"):
        connection = http.client.HTTPConnection("127.0.0.1", served.router.port, timeout=30)
        connection.request(command, "/v1/models/Zoe")
        answer = connection.getresponse()
        assert answer.status == 404
        assert bool(answer.read()) is (command != "HEAD")
        connection.close()


def test_an_address_that_ends_in_a_slash_reaches_the_voice_too(served: Served) -> None:
    body = {"voice": "Clara", "input": "x"}
    assert served.ask("//v1//audio/speech", body) == (200, "lab")
    assert served.lab.asked[-1][0] == "/v1/audio/speech"


def lost() -> Problem:
    return Problem("remote.connection.lost", ExitCode.UNREACHABLE, server="x", why="cut")


def test_a_server_that_is_away_is_said_and_the_others_answer(served: Served) -> None:
    assert served.speak("Clara") == (200, "lab")
    served.at_lab.problem = lost()
    status, answer = served.speak("Clara")
    assert (status, answer["error"]["code"]) == (503, "remote.speak.voices_away")
    assert answer["error"]["type"] == "server_error" and served.headers["Retry-After"] == "5"
    assert "lab" in answer["message"] and lost().message.en in answer["message"]
    assert lost().message.zh in answer["exception"]["message"]["zh"]
    assert served.speak("Bella") == (200, "gpu")
    _, voices = served.ask("/v1/audio/voices")
    assert [row["name"] for row in voices["voices"]] == ["gpu/Anna", "gpu/Anna:happy", "Bella"]
    served.at_lab.problem = None
    assert served.speak("Clara") == (200, "lab")


def test_the_first_server_away_takes_no_other_voice_along(served: Served) -> None:
    served.at_gpu.problem = lost()
    _, models = served.ask("/v1/models")
    assert [row["id"] for row in models["data"]] == ["Anna", "Clara"]
    assert served.speak("Clara") == (200, "lab")
    assert served.speak("lab/Anna") == (200, "lab")
    assert served.ask("/v1/models/Clara") == (200, {"from": "lab"})
    clip = {"text": "Hello.", "ref_audio_path": "./参考音频/Clara.wav"}
    assert served.ask("/tts", clip) == (200, "lab")
    connection = http.client.HTTPConnection("127.0.0.1", served.router.port, timeout=30)
    connection.request("OPTIONS", "/v1/audio/speech")
    assert connection.getresponse().read() == b"lab"
    connection.close()
    # What names no voice means the first server's: no other voice speaks in its place.
    assert served.speak("alloy")[1]["error"]["code"] == "remote.speak.voices_away"
    assert served.ask("/tts", {"text": "Hello."})[0] == 503
    assert not served.gpu.asked


def test_a_name_that_only_the_unheard_server_may_have_is_no_unknown_one(served: Served) -> None:
    served.at_lab.problem = lost()  # from the start: nobody knows its voices
    status, answer = served.speak("Clara")
    assert (status, answer["error"]["code"]) == (503, "remote.speak.maybe_away")
    assert answer["error"]["param"] == "voice" and "Clara" in answer["message"]
    assert served.ask("/v1/models/Clara")[1]["error"]["code"] == "remote.speak.maybe_away"
    assert served.speak("Bella") == (200, "gpu")
    assert served.speak("alloy") == (200, "gpu"), "the default voice is meant"
    served.at_lab.problem = None
    assert served.speak("Clara") == (200, "lab")


def test_an_engine_that_ends_under_a_request_is_said(served: Served) -> None:
    assert served.speak("Clara") == (200, "lab")
    status, answer = served.speak("Clara", input="deadly")
    assert (status, answer["error"]["code"]) == (503, "remote.speak.server_away")
    served.lab.close()
    status, answer = served.speak("Clara")
    assert (status, answer["error"]["code"]) == (503, "remote.speak.server_away")
    assert served.speak("Bella") == (200, "gpu")
    served.lab = Engine("lab")


def test_strangers_learn_not_what_is_away() -> None:
    served = Served(TOKEN)
    try:
        served.at_gpu.problem = lost()
        for called in ("Bella", "alloy", "nobody"):
            assert served.speak(called)[0] == 401
        status, answer = served.ask("/tts", {"text": "Hello."}, Authorization=f"Bearer {TOKEN}")
        assert (status, answer["error"]["code"]) == (503, "remote.speak.voices_away")
        served.at_lab.problem = lost()
        for path in ("/v1/models", "/v1/models/Bella", "/nowhere", "/set_gpt_weights"):
            status, answer = served.ask(path, Authorization="Bearer wrong")
            assert (status, answer["error"]["code"]) == (401, "engine.http.token"), path
            assert served.headers["WWW-Authenticate"] == "Bearer"
            assert "gpu" not in str(answer) and "lab" not in str(answer)
            assert served.ask(path, Authorization=f"Bearer {TOKEN}")[0] == 503, path
        for called in ("Bella", "alloy", "nobody"):
            for header in ({}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "Bearer é"}):
                assert served.speak(called)[0] == 401
                assert served.ask("/v1/audio/voices", **header)[0] == 401
    finally:
        served.close()


def test_a_silent_server_holds_up_no_other(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is dead but not yet known to be: the server takes requests and says nothing."""
    for name in ("_WAIT_S", "_LIST_WAIT_S"):
        monkeypatch.setattr(server_voices, name, 0.5)
    monkeypatch.setattr(voice_router, "_JUDGE_S", 0.5)
    served.gpu.awake.clear()
    assert served.speak("Clara") == (200, "lab")
    _, models = served.ask("/v1/models")
    assert [row["id"] for row in models["data"]] == ["Anna", "Clara"]
    served.gpu.awake.set()


def set_weights(served: Served, path: str, stage: str = "gpt") -> tuple[int, Any]:
    return served.ask(f"/set_{stage}_weights?{urllib.parse.urlencode({'weights_path': path})}")


def test_weights_go_to_the_server_that_has_them(served: Served) -> None:
    assert served.ask("/tts", {"text": "a"}) == (200, "gpu")
    assert set_weights(served, "Clara.ckpt") == (200, {"message": "success"})
    assert served.lab.asked[-1] == ("/set_gpt_weights", "Clara.ckpt")
    assert served.ask("/tts", {"text": "a"}) == (200, "lab"), "the voice that was chosen speaks"
    assert set_weights(served, "Anna.ckpt", "sovits")[0] == 200
    assert served.lab.asked[-1] == ("/set_sovits_weights", "Anna.ckpt"), "the chosen one's first"
    assert served.ask("/set_gpt_weights", {"weights_path": "gpu/Anna.ckpt"})[0] == 200
    assert served.gpu.asked[-1] == ("/set_gpt_weights", "Anna.ckpt")
    assert served.speak("alloy") == (200, "gpu")


def test_weights_that_no_server_has_are_refused_and_change_nothing(served: Served) -> None:
    status, answer = set_weights(served, "none.ckpt")
    assert (status, answer["error"]["message"]) == (400, "not of gpu")
    assert served.lab.asked == [("/set_gpt_weights", "none.ckpt")], "it was asked too"
    assert served.speak("alloy") == (200, "gpu")


def test_weights_that_a_server_may_have_which_is_away_are_no_unknown_ones(served: Served) -> None:
    served.at_lab.problem = lost()
    status, answer = set_weights(served, "Clara.ckpt")
    assert (status, answer["error"]["code"]) == (503, "remote.speak.maybe_away")
    assert answer["error"]["param"] == "weights_path"
    assert set_weights(served, "Bella.ckpt")[0] == 200
    served.at_gpu.problem, served.at_lab.problem = lost(), None
    assert set_weights(served, "Clara.ckpt")[0] == 200, "the first server is not needed for it"
    assert served.speak("alloy") == (200, "lab")


def test_a_port_that_is_taken_is_said(served: Served) -> None:
    with pytest.raises(Problem) as taken:
        VoiceRouter(served.router.port)
    assert taken.value.key == "remote.connection.port_taken"
