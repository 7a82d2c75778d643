"""Several servers behind one address: each request reaches the server of its voice."""

from __future__ import annotations

import http.client
import http.server
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.secret import Secret
from sovdeck.remote.speech.server_voices import VoiceServer
from sovdeck.remote.speech.voice_router import VoiceRouter

TOKEN = "a-long-secret-of-letters-42"


class Engine:
    """Answers as the engine's endpoints do, and records what it was asked."""

    def __init__(self, name: str, *voices: str, token: str = "") -> None:
        self.asked: list[tuple[str, Any]] = []
        self.gone = threading.Event()
        engine = self

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

            def do_GET(self) -> None:
                if self.is_refused():
                    return
                bases = [one for one in voices if ":" not in one]
                lists: dict[str, Any] = {
                    "/v1/models": {"data": [{"id": one, "object": "model"} for one in voices]},
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
        self.server.shutdown()
        self.server.server_close()


class Served:
    """Two servers, both with an Anna, behind one address."""

    models: ClassVar[list[str]] = ["gpu/Anna", "gpu/Anna:happy", "Bella", "lab/Anna", "Clara"]

    def __init__(self, token: str = "") -> None:
        self.gpu = Engine("gpu", "Anna", "Anna:happy", "Bella", token=token)
        self.lab = Engine("lab", "Anna", "Clara", token=token)
        self.router = VoiceRouter(0)
        self.router.start(
            [VoiceServer("gpu", self.gpu.port), VoiceServer("lab", self.lab.port)],
            Secret(token) if token else None,
        )

    def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        address = f"http://127.0.0.1:{self.router.port}{path}"
        try:
            request = urllib.request.Request(address, data, headers)
            with urllib.request.urlopen(request, timeout=30) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
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


def test_a_server_that_is_away_is_said_and_the_others_answer(served: Served) -> None:
    assert served.speak("Clara") == (200, "lab")
    served.lab.close()
    status, answer = served.speak("Clara")
    assert (status, answer["error"]["code"]) == (503, "remote.speak.server_away")
    assert served.speak("Bella") == (200, "gpu")
    served.lab = Engine("lab")


def test_a_port_that_is_taken_is_said(served: Served) -> None:
    with pytest.raises(Problem) as taken:
        VoiceRouter(served.router.port)
    assert taken.value.key == "remote.connection.port_taken"
