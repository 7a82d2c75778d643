"""The endpoints: OpenAI's speech and lists, GPT-SoVITS's api_v2 and the older one beside it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.speaking.http.access import AccessControl, AccessPolicy
from sovdeck.engine.speaking.http.errors import Refusal
from sovdeck.engine.speaking.http.openai_api import parse_openai
from sovdeck.engine.speaking.http.request_body import read_json_body
from sovdeck.engine.speaking.http.speech_answer import (
    CLOSED_REQUEST,
    answer_speech,
    busy,
    client_of,
)
from sovdeck.engine.speaking.http.speech_query import SpeechQuery
from sovdeck.engine.speaking.http.speech_queue import QueueFull, SpeechJob, SpeechQueue
from sovdeck.engine.speaking.http.tts_api import parse_tts, parse_v1
from sovdeck.engine.speaking.http.voice_files import find_weight, resolve_reference
from sovdeck.engine.speaking.voice_pool import VoicePool

_Parse = Callable[[Any, VoicePool], SpeechQuery]
_Endpoint = Callable[[Request], Awaitable[Response]]
_SUCCESS = {"message": "success"}
_SLASHES = re.compile("/{2,}")


def build_app(
    voices: VoicePool,
    policy: AccessPolicy | None = None,
    jobs: SpeechQueue | None = None,
) -> Starlette:
    """Build the application around the voices; `jobs` is closed with it."""
    return _Endpoints(voices, jobs or SpeechQueue()).build(policy or AccessPolicy())


class _Endpoints:
    def __init__(self, voices: VoicePool, jobs: SpeechQueue) -> None:
        self._voices = voices
        self._jobs = jobs

    def build(self, policy: AccessPolicy) -> Starlette:
        @asynccontextmanager
        async def lifespan(_: Starlette) -> Any:
            yield
            await asyncio.to_thread(self._jobs.close)

        app = Starlette(
            routes=[
                Route("/v1/audio/speech", self._speech(parse_openai), methods=["POST"]),
                Route("/v1/models", self.list_models),
                Route("/v1/models/{id:path}", self.get_model),
                Route("/v1/audio/voices", self.list_audio_voices),
                Route("/v1/audio/models", self.list_audio_models),
                Route("/speakers", self.list_speakers),
                _acting("/tts", self._speech(parse_tts)),
                _acting("/set_gpt_weights", self._set_weights("gpt")),
                _acting("/set_sovits_weights", self._set_weights("sovits")),
                _acting("/set_refer_audio", self.set_reference),
                _acting("/control", self.control),
                _acting("/", self._speech(parse_v1)),
            ],
            exception_handlers={
                Refusal: _answer_refusal,
                Problem: _answer_refusal,
                HTTPException: _answer_http_exception,
                ClientDisconnect: _answer_nobody,
                Exception: _answer_fault,
            },
            lifespan=lifespan,
        )
        app.add_middleware(AccessControl, policy=policy)
        app.add_middleware(_SingleSlashes)
        return app

    def _speech(self, parse: _Parse) -> _Endpoint:
        async def speak(request: Request) -> Response:
            query = parse(await _read_fields(request), self._voices)
            return await answer_speech(request, query, self._voices, self._jobs)

        return speak

    async def list_models(self, _: Request) -> Response:
        data = [_model(name) for name in self._voices.list_callable()]
        return JSONResponse({"object": "list", "data": data})

    async def get_model(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        if wanted not in self._voices.list_callable():
            raise Refusal(self._voices.unknown(wanted), 404, "model")
        return JSONResponse(_model(wanted))

    async def list_audio_voices(self, _: Request) -> Response:
        return JSONResponse({"voices": [_named(name) for name in self._voices.list_callable()]})

    async def list_audio_models(self, _: Request) -> Response:
        return JSONResponse({"models": [_named(name) for name in self._voices.names()]})

    async def list_speakers(self, _: Request) -> Response:
        names = self._voices.list_callable()
        return JSONResponse([{"name": one, "voice_id": one, "preview_url": ""} for one in names])

    def _set_weights(self, stage: str) -> _Endpoint:
        async def set_weights(request: Request) -> Response:
            given = _text_field(await _read_fields(request), "weights_path")
            voice, name = find_weight(self._voices, stage, given, "weights_path")

            def load() -> None:
                with self._voices.use(voice) as service:
                    service.load(**{stage: name})
                self._voices.choose_default(voice)

            await self._run(request, load)
            return JSONResponse(_SUCCESS)

        return set_weights

    async def set_reference(self, request: Request) -> Response:
        """Let the voice imitate another clip where a request names none; its words are unknown."""
        given = _text_field(await _read_fields(request), "refer_audio_path")
        voice = self._voices.default
        path = resolve_reference(self._voices.loader(voice), given, "refer_audio_path")
        self._voices.set_default_reference({"ref_audio": path})
        return JSONResponse(_SUCCESS)

    async def control(self, request: Request) -> Response:
        """Refuse: another program must not end what a person started."""
        raise Refusal(Problem("engine.http.no_control", ExitCode.REFUSED), 403, "command")

    async def _run(self, request: Request, work: Callable[[], None]) -> None:
        """Do `work` when its turn has come; raises what it raises."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def finish(error: BaseException | None) -> None:
            if error is None:
                loop.call_soon_threadsafe(done.set_result, None)
            else:
                loop.call_soon_threadsafe(done.set_exception, error)

        def steps() -> Generator[None, None, None]:
            work()
            yield

        try:
            self._jobs.add(SpeechJob(client_of(request), steps(), finish))
        except QueueFull as full:
            raise busy(full) from None
        await done


class _SingleSlashes:
    """ASGI middleware: an address that ends in a slash, joined with `/tts`, is no other path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": _SLASHES.sub("/", scope["path"])}
        await self._app(scope, receive, send)


def _acting(path: str, endpoint: _Endpoint) -> Route:
    """A path where GET does something, as api_v2 has it: HEAD asks for no such thing."""
    route = Route(path, endpoint, methods=["GET", "POST"])
    assert route.methods is not None
    route.methods.discard("HEAD")
    return route


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "sovdeck"}


def _named(name: str) -> dict[str, str]:
    return {"id": name, "name": name}


async def _read_fields(request: Request) -> dict[str, Any]:
    """Return the fields of a JSON body, or of the query of a GET."""
    if request.method == "POST":
        return await read_json_body(request)
    query: dict[str, Any] = dict(request.query_params)
    for name in ("aux_ref_audio_paths", "inp_refs"):
        if name in query:
            query[name] = [one for one in request.query_params.getlist(name) if one]
    return query


def _text_field(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(Problem("engine.http.not_text", ExitCode.CONFIG, name=name), field=name)
    return value


async def _answer_refusal(_: Request, error: Exception) -> Response:
    refusal = Refusal(error) if isinstance(error, Problem) else error
    assert isinstance(refusal, Refusal)
    return refusal.response()


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer in our shape what the router refuses: no such path, another method."""
    assert isinstance(error, HTTPException)
    entry = "no_path" if error.status_code == 404 else "no_method"
    facts = {"path": request.url.path[:80], "method": request.method}
    problem = Problem(f"engine.http.{entry}", ExitCode.CONFIG, **facts)
    return Refusal(problem, error.status_code, headers=error.headers).response()


async def _answer_nobody(_: Request, __: Exception) -> Response:
    """A client that left in the middle of its body: no fault, and nobody reads this."""
    return Response(status_code=CLOSED_REQUEST)


async def _answer_fault(_: Request, error: Exception) -> Response:
    # The web server writes the traceback to its error output.
    problem = Problem("engine.http.fault", ExitCode.INTERNAL, why=type(error).__name__)
    return Refusal(problem).response()
