"""A resident speaker behind one pipe: JSON lines in, JSON lines out, no open port.

Each request line is an object with an `id` of the caller's choice and one of

    {"speak": {infer names without prefix}}   pieces as they come, then the take
    {"weights": {"gpt": NAME, "sovits": NAME}}  change the pair ("" means newest)
    {"list": true}                            the weights there are, and which are loaded
    {"stop": true}                            end; the end of input does the same

and is answered by `piece`, `done`, `weights` or `error` lines that carry the same `id`. A
request that fails costs only itself.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from engine.contract.problem import ExitCode, Problem
from engine.speaking.marks import Recogniser
from engine.speaking.pipeline import Speaker
from engine.speaking.request import SpeakRequest
from engine.speaking.sound import RATE, to_int16
from engine.speaking.studio import Studio
from engine.speaking.takes import SpokenPiece, last_take, next_take, read_delivery, save_take

Send = Callable[[dict[str, Any]], None]


class Service:
    """One voice, one loaded pair. Lines are answered in the order they come."""

    def __init__(
        self, studio: Studio, device: str = "cpu", recogniser: Recogniser | None = None
    ) -> None:
        self.studio = studio
        self.device = device
        self.recogniser = recogniser
        self.speaker: Speaker | None = None
        self.pair: tuple[Path, Path] | None = None

    def load(self, gpt: str = "", sovits: str = "") -> None:
        """Load a pair; the one before stays when this one cannot be loaded."""
        pair = (self.studio.gpt_path(gpt), self.studio.sovits_path(sovits))
        if pair == self.pair:
            return
        last = self.speaker.last if self.speaker is not None else {}
        self.speaker = self.studio.open(*pair, self.device)
        self.speaker.last = last
        self.speaker.recogniser = self.recogniser
        self.pair = pair

    def run(self, lines: Iterable[str], send: Send) -> None:
        """Answer lines until they end or one asks to stop."""
        send({"event": "ready", **self._weights()})
        for line in lines:
            if not line.strip():
                continue
            request: Any = None
            try:
                request = json.loads(line)
                if self._answer(request, send):
                    return
            except Problem as problem:
                send({"id": _id(request), "event": "error", **problem.as_json()})
            except (ValueError, RecursionError) as error:
                bad = Problem("engine.speaking.bad_line", ExitCode.CONFIG, why=str(error)[:160])
                send({"id": _id(request), "event": "error", **bad.as_json()})

    def speak(self, given: dict[str, Any], on_piece: Callable[[SpokenPiece], None]) -> Path:
        """Speak one request of `infer` names; returns the wav of the take it saved."""
        given = dict(given)
        self.load(str(given.pop("gpt_weight", "")), str(given.pop("sovits_weight", "")))
        assert self.speaker is not None
        request = SpeakRequest.from_params({**self._default_reference(given), **given})
        if request.rerender_last and not self.speaker.last:
            self.speaker.last = read_delivery(last_take(self.studio.takes))
        take = self.speaker.speak(request, on_piece)
        path = next_take(self.studio.takes)
        save_take(path, take)
        return path

    def _default_reference(self, given: dict[str, Any]) -> dict[str, Any]:
        # The words belong to the clip: with a clip of the caller's own, ours do not fit.
        return {} if given.get("ref_audio") else self.studio.reference()

    def _answer(self, request: Any, send: Send) -> bool:
        if not isinstance(request, dict):
            raise ValueError("not an object")
        name = _id(request)
        if isinstance(request.get("speak"), dict):
            self._speak(name, request["speak"], send)
        elif isinstance(request.get("weights"), dict):
            wanted = request["weights"]
            self.load(str(wanted.get("gpt", "")), str(wanted.get("sovits", "")))
            send({"id": name, "event": "weights", **self._weights()})
        elif request.get("list"):
            send({"id": name, "event": "weights", **self._weights()})
        elif not request.get("stop"):
            raise ValueError("none of speak, weights, list, stop")
        return bool(request.get("stop"))

    def _speak(self, name: Any, given: dict[str, Any], send: Send) -> None:
        spoken: list[SpokenPiece] = []

        def on_piece(piece: SpokenPiece) -> None:
            spoken.append(piece)
            pcm = base64.b64encode(to_int16(piece.samples).tobytes()).decode("ascii")
            send({"id": name, "event": "piece", "index": len(spoken) - 1, **piece.facts(),
                  "rate": RATE, "pcm": pcm})  # fmt: skip

        path = self.speak(given, on_piece)
        wav = path.relative_to(self.studio.work).as_posix()
        record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        send({"id": name, "event": "done", "wav": wav, "seconds": record["seconds"],
              "seed": record["seed"], "pieces": len(spoken)})  # fmt: skip

    def _weights(self) -> dict[str, Any]:
        loaded = None
        if self.pair is not None:
            loaded = {"gpt": self.pair[0].name, "sovits": self.pair[1].name}
        return {
            "voice": self.studio.voice,
            "gpt": [weight.as_json() for weight in self.studio.gpt_weights()],
            "sovits": [weight.as_json() for weight in self.studio.sovits_weights()],
            "loaded": loaded,
        }


def _id(request: Any) -> Any:
    return request.get("id") if isinstance(request, dict) else None
