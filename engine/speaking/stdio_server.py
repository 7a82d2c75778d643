"""A resident TTS process behind one pipe: JSON lines in, JSON lines out, no open port.

Each request line is an object with an `id` of the caller's choice and one of

    {"speak": {infer names without prefix}}     chunks as they come, then the take; with
                                                "sounds": true, parts of a chunk before it
    {"weights": {"gpt": NAME, "sovits": NAME}}  change the pair ("" is the newest)
    {"read": {infer names}}                     how its text is read, without speaking it
    {"list": true}                              the weights there are, and which are loaded
    {"cancel": ID}                              end the take of that request at once
    {"stop": true}                              end; the end of input does the same

and is answered by `sound`, `piece`, `done`, `cancelled`, `reading`, `weights` or `error` lines
that carry the same `id`. A request that fails costs only itself.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, to_int16
from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.speaking.listener import Listener, ListenerGone
from sovdeck.engine.speaking.service import SpeechService
from sovdeck.engine.speaking.takes import SpokenChunk

Send = Callable[[dict[str, Any]], None]
IsWanted = Callable[[Any], bool]


def serve_lines(
    service: SpeechService, lines: Iterable[str], send: Send, is_wanted: IsWanted = lambda _: True
) -> None:
    """Answer lines until they end or one asks to stop.

    is_wanted: whether the answer to the request with this id is still waited for.
    """
    send({"event": "ready", **service.list_weights()})
    for line in lines:
        if not line.strip():
            continue
        request: Any = None
        try:
            request = parse_json(line)
            if _handle_request(service, request, send, is_wanted):
                return
        except ListenerGone:
            send({"id": _request_id(request), "event": "cancelled"})
        except Problem as problem:
            send({"id": _request_id(request), **error_event(problem)})
        except ValueError as error:
            bad_line = Problem("engine.speaking.bad_line", ExitCode.CONFIG, why=str(error)[:160])
            send({"id": _request_id(request), **error_event(bad_line)})


def error_event(problem: Problem) -> dict[str, Any]:
    """The error line of a problem, but for the id."""
    return {"event": "error", "exit_code": int(problem.exit_code), **problem.as_json()}


def _handle_request(service: SpeechService, request: Any, send: Send, is_wanted: IsWanted) -> bool:
    """True when the line asks to stop."""
    if not isinstance(request, dict):
        raise ValueError("not an object")
    request_id, requested = _request_id(request), request.get("weights")
    if isinstance(request.get("speak"), dict):
        _speak_request(service, request, send, is_wanted)
    elif isinstance(request.get("read"), dict):
        send({"id": request_id, "event": "reading", **service.read(request["read"]).as_json()})
    elif isinstance(requested, dict):
        service.load(
            *(str(requested[kind]) if kind in requested else None for kind in ("gpt", "sovits"))
        )
        send({"id": request_id, "event": "weights", **service.list_weights()})
    elif request.get("list"):
        send({"id": request_id, "event": "weights", **service.list_weights()})
    elif not request.get("stop"):
        raise ValueError("none of speak, read, weights, list, cancel, stop")
    return bool(request.get("stop"))


def _speak_request(
    service: SpeechService, request: dict[str, Any], send: Send, is_wanted: IsWanted
) -> None:
    request_id, in_sounds = _request_id(request), bool(request.get("sounds"))
    chunks: list[SpokenChunk] = []

    def send_sound(samples: np.ndarray) -> None:
        if in_sounds and len(samples):
            send({"id": request_id, "event": "sound", **_pcm(samples)})

    def send_chunk(chunk: SpokenChunk) -> None:
        sound = {} if in_sounds else _pcm(chunk.samples)
        index = len(chunks)
        send({"id": request_id, "event": "piece", "index": index, **chunk.facts(), **sound})
        chunks.append(chunk)

    listener = Listener(send_sound, lambda: is_wanted(request_id))
    path, take = service.speak(request["speak"], send_chunk, listener)
    wav = path.relative_to(service.loader.work).as_posix()
    seconds = round(sum(chunk.seconds for chunk in chunks), 3)
    send(
        {
            "id": request_id,
            "event": "done",
            "wav": wav,
            "bytes": path.stat().st_size,
            "sha256": file_sha256(path),
            "seconds": seconds,
            "seed": take.seed,
            "pieces": len(chunks),
            "unread": [one.as_json() for one in take.lost],
            "notices": [notice.as_json() for notice in take.notices],
        }
    )


def _pcm(samples: np.ndarray) -> dict[str, Any]:
    pcm = base64.b64encode(to_int16(samples).tobytes()).decode("ascii")
    return {"rate": SPEECH_SAMPLE_RATE, "pcm": pcm}


def _request_id(request: Any) -> Any:
    return request.get("id") if isinstance(request, dict) else None
