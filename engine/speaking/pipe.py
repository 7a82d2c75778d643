"""A resident speaker behind one pipe: JSON lines in, JSON lines out, no open port.

Each request line is an object with an `id` of the caller's choice and one of

    {"speak": {infer names without prefix}}     pieces as they come, then the take
    {"weights": {"gpt": NAME, "sovits": NAME}}  change the pair ("" is the newest)
    {"list": true}                              the weights there are, and which are loaded
    {"cancel": ID}                              end the take of that request at its next piece
    {"stop": true}                              end; the end of input does the same

and is answered by `piece`, `done`, `cancelled`, `weights` or `error` lines that carry the same
`id`. A request that fails costs only itself.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any

from engine.contract.problem import ExitCode, Problem
from engine.runtime.durable import sha256
from engine.speaking.service import Service
from engine.speaking.sound import RATE, to_int16
from engine.speaking.takes import SpokenPiece

Send = Callable[[dict[str, Any]], None]
Wants = Callable[[Any], bool]


class _GivenUpError(Exception):
    """Nobody waits for this take any more."""


def answer_lines(
    service: Service, lines: Iterable[str], send: Send, wants: Wants = lambda _: True
) -> None:
    """Answer lines until they end or one asks to stop.

    wants: whether the answer to the request with this id is still waited for.
    """
    send({"event": "ready", **service.weights()})
    for line in lines:
        if not line.strip():
            continue
        request: Any = None
        try:
            request = json.loads(line)
            if _answer(service, request, send, wants):
                return
        except _GivenUpError:
            send({"id": _id(request), "event": "cancelled"})
        except Problem as problem:
            send({"id": _id(request), **told(problem)})
        except (ValueError, RecursionError) as error:
            bad = Problem("engine.speaking.bad_line", ExitCode.CONFIG, why=str(error)[:160])
            send({"id": _id(request), **told(bad)})


def told(problem: Problem) -> dict[str, Any]:
    """The error line of a problem, but for the id."""
    return {"event": "error", "exit_code": int(problem.exit_code), **problem.as_json()}


def _answer(service: Service, request: Any, send: Send, wants: Wants) -> bool:
    """True when the line asks to stop."""
    if not isinstance(request, dict):
        raise ValueError("not an object")
    name, wanted = _id(request), request.get("weights")
    if isinstance(request.get("speak"), dict):
        _speak(service, name, request["speak"], send, wants)
    elif isinstance(wanted, dict):
        service.load(*(str(wanted[n]) if n in wanted else None for n in ("gpt", "sovits")))
        send({"id": name, "event": "weights", **service.weights()})
    elif request.get("list"):
        send({"id": name, "event": "weights", **service.weights()})
    elif not request.get("stop"):
        raise ValueError("none of speak, weights, list, cancel, stop")
    return bool(request.get("stop"))


def _speak(service: Service, name: Any, given: dict[str, Any], send: Send, wants: Wants) -> None:
    spoken: list[SpokenPiece] = []

    def on_piece(piece: SpokenPiece) -> None:
        if not wants(name):
            raise _GivenUpError
        pcm = base64.b64encode(to_int16(piece.samples).tobytes()).decode("ascii")
        send({"id": name, "event": "piece", "index": len(spoken), **piece.facts(),
              "rate": RATE, "pcm": pcm})  # fmt: skip
        spoken.append(piece)

    path, seed = service.speak(given, on_piece)
    wav = path.relative_to(service.studio.work).as_posix()
    seconds = round(sum(piece.seconds for piece in spoken), 3)
    send({"id": name, "event": "done", "wav": wav, "bytes": path.stat().st_size,
          "sha256": sha256(path), "seconds": seconds, "seed": seed,
          "pieces": len(spoken)})  # fmt: skip


def _id(request: Any) -> Any:
    return request.get("id") if isinstance(request, dict) else None
