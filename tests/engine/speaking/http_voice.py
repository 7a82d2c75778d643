"""A tiny voice behind its HTTP endpoints, on a real socket of the loopback address."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from sovdeck.engine.commands.serve import bind_loopback
from sovdeck.engine.runtime.selected_weights import list_voices
from sovdeck.engine.speaking.http.access import AccessPolicy
from sovdeck.engine.speaking.http.app import build_app
from sovdeck.engine.speaking.http.protocol import SpeechProtocol
from sovdeck.engine.speaking.http.speech_queue import SpeechQueue
from sovdeck.engine.speaking.service import SpeechService
from sovdeck.engine.speaking.voice_loader import VoiceLoader
from sovdeck.engine.speaking.voice_pool import VoicePool

TEXT = "はいどうも。"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    content: bytes
    headers: Any

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


@dataclass(frozen=True)
class Endpoint:
    """One that is being served."""

    address: str
    voices: VoicePool
    jobs: SpeechQueue

    def ask(
        self,
        path: str,
        body: Any = None,
        *,
        method: str | None = None,
        timeout: float = 60,
        **headers: str,
    ) -> Answer:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            self.address + path,
            data,
            {"Content-Type": "application/json", **named},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), error.headers)


@contextmanager
def serve(
    work: Path,
    policy: AccessPolicy | None = None,
    *,
    voice: str = "Test",
    budget: int | None = None,
    kept_bytes: int = 10**8,
    jobs: SpeechQueue | None = None,
) -> Iterator[Endpoint]:
    """Serve the voices of a work folder until the block ends."""

    def open_service(name: str) -> SpeechService:
        loader = VoiceLoader(work, name)
        return SpeechService(
            loader, takes_folder=loader.takes_folder / "serve", kept_bytes=kept_bytes
        )

    first = VoiceLoader(work, voice)
    voices = VoicePool(open_service, lambda: list_voices(first.layout), voice, budget)
    jobs = jobs or SpeechQueue()
    listener = bind_loopback(0)
    config = uvicorn.Config(
        build_app(voices, policy, jobs),
        http=SpeechProtocol,
        log_level="error",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}", voices, jobs)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()
