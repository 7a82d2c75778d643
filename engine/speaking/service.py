"""One voice that stays loaded: what the pipe and the HTTP endpoints both answer from."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.speaking.marks import Recogniser
from engine.speaking.pipeline import Speaker
from engine.speaking.request import SpeakRequest
from engine.speaking.studio import Studio
from engine.speaking.takes import SpokenPiece, last_take, next_take, read_delivery, save_take


class Service:
    """One voice, one loaded pair, and its history of takes.

    Callers of several threads wait for each other: there is one pair of models.
    """

    def __init__(
        self,
        studio: Studio,
        device: str = "cpu",
        recogniser: Recogniser | None = None,
        precision: str = "fp32",
    ) -> None:
        self.studio = studio
        self.device = device
        self.recogniser = recogniser
        self.precision = precision
        self.speaker: Speaker | None = None
        self.pair: tuple[Path, Path] | None = None
        self._one_at_a_time = threading.RLock()

    def load(self, gpt: str | None = None, sovits: str | None = None) -> Speaker:
        """Load a pair by listed name or path; "" is the newest, None keeps what is loaded.

        When the new pair cannot be loaded, the one before stays.
        """
        with self._one_at_a_time:
            now = self.pair or (None, None)
            pair = (
                now[0] if gpt is None and now[0] else self.studio.gpt_path(gpt or ""),
                now[1] if sovits is None and now[1] else self.studio.sovits_path(sovits or ""),
            )
            if self.speaker is None or pair != self.pair:
                speaker = self.studio.open(*pair, self.device, self.precision)
                speaker.last = self.speaker.last if self.speaker is not None else {}
                speaker.recogniser = self.recogniser
                self.speaker, self.pair = speaker, pair
            return self.speaker

    def speak(
        self, given: dict[str, Any], on_piece: Callable[[SpokenPiece], None]
    ) -> tuple[Path, int]:
        """Speak one request of `infer` names; returns the saved wav and the seed."""
        with self._one_at_a_time:
            given = dict(given)
            speaker = self.load(given.pop("gpt_weight", None), given.pop("sovits_weight", None))
            # The words belong to the clip: with a clip of the caller's own, ours do not fit.
            own = {} if given.get("ref_audio") else self.studio.reference()
            request = SpeakRequest.from_params({**own, **given})
            speaker.lexicon = self.studio.lexicon()  # words may have been added since
            if request.rerender_last and not speaker.last:
                speaker.last = read_delivery(last_take(self.studio.takes))
            take = speaker.speak(request, on_piece)
            path = next_take(self.studio.takes)
            save_take(path, take)
            return path, take.seed

    def weights(self) -> dict[str, Any]:
        """The weights there are now, and which pair is loaded."""
        loaded = None
        if self.pair is not None:
            loaded = {"gpt": self.pair[0].name, "sovits": self.pair[1].name}
        return {
            "voice": self.studio.voice,
            "gpt": [weight.as_json() for weight in self.studio.gpt_weights()],
            "sovits": [weight.as_json() for weight in self.studio.sovits_weights()],
            "loaded": loaded,
        }
