"""Endpoints that existing clients know: OpenAI's `/v1/audio/speech`, GPT-SoVITS's `/tts`.

They answer on the loopback address only; the laptop reaches them through an SSH forward.
"""

from __future__ import annotations

import io
import queue
import struct
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from engine.contract.problem import ExitCode, Problem
from engine.contract.speak_table import SLICES
from engine.speaking.service import Service
from engine.speaking.sound import RATE, to_int16, wav_bytes
from engine.speaking.takes import SpokenPiece

_TYPES = {
    "wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "opus": "audio/ogg",
    "ogg": "audio/ogg", "pcm": "audio/pcm", "raw": "audio/raw",
}  # fmt: skip
_RAW = ("pcm", "raw")
# api_v2's names of our fields; what is not here it may send, and is ignored as upstream does.
_TTS_FIELDS = {
    "text": "text", "text_lang": "text_lang", "ref_audio_path": "ref_audio",
    "aux_ref_audio_paths": "aux_refs", "prompt_text": "ref_text", "prompt_lang": "ref_lang",
    "top_k": "top_k", "top_p": "top_p", "temperature": "temperature", "seed": "seed",
    "speed_factor": "speed", "fragment_interval": "pause_s",
    "repetition_penalty": "repetition_penalty",
}  # fmt: skip
_CUTS = {f"cut{number}": name for number, name in enumerate(SLICES)}


def build(service: Service) -> FastAPI:
    """The application around one service."""
    app = FastAPI(title="sovdeck speech", docs_url=None, redoc_url=None, openapi_url=None)
    # A page in the user's browser may not reach a forwarded port under another name.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])

    @app.exception_handler(Problem)
    def problem(_: Request, error: Problem) -> JSONResponse:
        message = error.sentence("en")
        kind = {"message": message, "type": "invalid_request_error", "code": error.key}
        body = {"error": kind, "message": message, "exception": error.as_json()}
        return JSONResponse(body, status_code=400)

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        voice = {"id": service.studio.voice, "object": "model", "owned_by": "sovdeck"}
        return {"object": "list", "data": [voice]}

    @app.post("/v1/audio/speech")
    def speech(body: dict[str, Any]) -> Response:
        given = {"text": body.get("input", "")}
        given |= {name: body[name] for name in ("speed",) if name in body}
        # Fields of ours may come along: text_lang, seed, top_k, ref_audio ...
        given |= dict(body.get("infer") or {})
        given.setdefault("text_lang", "auto")
        kind = str(body.get("response_format", "mp3"))
        return _answer(service, given, kind, body.get("stream_format") == "audio")

    @app.post("/tts")
    def tts(body: dict[str, Any]) -> Response:
        return _tts(service, body)

    @app.get("/tts")
    def tts_by_query(request: Request) -> Response:
        query: dict[str, Any] = dict(request.query_params)
        if "aux_ref_audio_paths" in query:
            query["aux_ref_audio_paths"] = request.query_params.getlist("aux_ref_audio_paths")
        return _tts(service, query)

    @app.get("/set_gpt_weights")
    def set_gpt(weights_path: str) -> dict[str, str]:
        service.load(gpt=weights_path)
        return {"message": "success"}

    @app.get("/set_sovits_weights")
    def set_sovits(weights_path: str) -> dict[str, str]:
        service.load(sovits=weights_path)
        return {"message": "success"}

    return app


def _tts(service: Service, body: dict[str, Any]) -> Response:
    given = {ours: body[theirs] for theirs, ours in _TTS_FIELDS.items() if body.get(theirs)}
    given["slice"] = _CUTS.get(str(body.get("text_split_method", "cut5")), "")
    for name in ("text_lang", "ref_lang"):
        if name in given:
            given[name] = str(given[name]).lower()
    streaming = str(body.get("streaming_mode", "")).lower() not in ("", "false", "0")
    return _answer(service, given, str(body.get("media_type", "wav")), streaming)


def _answer(service: Service, given: dict[str, Any], kind: str, streaming: bool) -> Response:
    if kind not in _TYPES:
        known = ", ".join(_TYPES)
        raise Problem("engine.speaking.sound_type", ExitCode.CONFIG, kind=kind, known=known)
    headers = {"X-Sample-Rate": str(RATE)}
    if not streaming:
        heard: list[SpokenPiece] = []
        _, seed = service.speak(given, heard.append)
        headers["X-Seed"] = str(seed)
        samples = np.concatenate([piece.samples for piece in heard])
        return Response(_encode(samples, kind), media_type=_TYPES[kind], headers=headers)
    if kind not in (*_RAW, "wav"):
        raise Problem("engine.speaking.no_stream", ExitCode.CONFIG, kind=kind)
    pieces = _pieces(service, given)
    first = next(pieces)  # a request that cannot be spoken still gets its error status
    return StreamingResponse(_stream(first, pieces, kind), media_type=_TYPES[kind],
                             headers=headers)  # fmt: skip


def _pieces(service: Service, given: dict[str, Any]) -> Iterator[SpokenPiece]:
    """Pieces as another thread speaks them; its failure is raised here.

    A listener that goes away does not stop the take: it is finished and kept.
    """
    found: queue.Queue[SpokenPiece | BaseException | None] = queue.Queue()

    def speak() -> None:
        try:
            service.speak(given, found.put)
        except BaseException as error:  # noqa: BLE001  carried to the thread that asked
            found.put(error)
        else:
            found.put(None)

    threading.Thread(target=speak, daemon=True).start()
    while (piece := found.get()) is not None:
        if isinstance(piece, BaseException):
            raise piece
        yield piece


def _stream(first: SpokenPiece, rest: Iterator[SpokenPiece], kind: str) -> Iterator[bytes]:
    if kind == "wav":
        yield _open_header()
    yield to_int16(first.samples).tobytes()
    for piece in rest:
        yield to_int16(piece.samples).tobytes()


def _open_header() -> bytes:
    """A wav header whose length is not known yet: players read on to the end."""
    header = bytearray(wav_bytes(np.zeros(0, dtype=np.float32)))
    struct.pack_into("<I", header, 4, 0xFFFFFFFF)
    struct.pack_into("<I", header, 40, 0xFFFFFFFF)
    return bytes(header)


def _encode(samples: np.ndarray, kind: str) -> bytes:
    if kind == "wav":
        return wav_bytes(samples)
    if kind in _RAW:
        return to_int16(samples).tobytes()
    buffer = io.BytesIO()
    if kind in ("opus", "ogg"):
        # Opus knows no 32 kHz; Vorbis in the same container plays everywhere Opus does here.
        soundfile.write(buffer, samples, RATE, format="OGG", subtype="VORBIS")
    else:
        soundfile.write(buffer, samples, RATE, format=kind.upper())
    return buffer.getvalue()
