"""One voice that stays loaded, behind both the stdio server and the HTTP endpoints."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import torch

from sovdeck.engine.contract.layout import weight_name
from sovdeck.engine.contract.settings import SpeakSettings, convert_speak_params
from sovdeck.engine.speaking.listener import Listener
from sovdeck.engine.speaking.metrics import Recogniser
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.takes import (
    SpokenChunk,
    Take,
    last_take,
    next_take,
    prune_takes,
    read_chunk_tokens,
    save_take,
)
from sovdeck.engine.speaking.voice_loader import VoiceLoader
from sovdeck.engine.text.reader import LostCharacter, Reading, find_lost_or_refuse, read_text


class SpeechService:
    """One voice, one loaded pair, and its history of takes; used by one thread.

    `takes_folder` is where takes are kept (default: the voice's own); with `kept_bytes` the
    oldest ones go when they are more.
    """

    def __init__(
        self,
        loader: VoiceLoader,
        device: str = "cpu",
        recogniser: Recogniser | None = None,
        precision: str = "fp32",
        *,
        takes_folder: Path | None = None,
        kept_bytes: int | None = None,
    ) -> None:
        self.loader = loader
        self._takes_folder = takes_folder or loader.takes_folder
        self._kept_bytes = kept_bytes
        self.device = device
        self.recogniser = recogniser
        self.precision = precision
        self.pipeline: SpeechPipeline | None = None
        self.pair: tuple[Path, Path] | None = None

    def load(self, gpt: str | None = None, sovits: str | None = None) -> SpeechPipeline:
        """Load a pair by listed name or path; "" is the newest, None keeps what is loaded.

        When the new pair cannot be loaded, the one before stays.
        """
        loaded = self.pair or (None, None)
        pair = (
            loaded[0] if gpt is None and loaded[0] else self.loader.gpt_path(gpt or ""),
            loaded[1] if sovits is None and loaded[1] else self.loader.sovits_path(sovits or ""),
        )
        if self.pipeline is None or pair != self.pair:
            pipeline = self.loader.open_pipeline(*pair, self.device, self.precision)
            pipeline.last_tokens = self.pipeline.last_tokens if self.pipeline is not None else {}
            pipeline.recogniser = self.recogniser
            self.pipeline, self.pair = pipeline, pair
        return self.pipeline

    def weight_bytes(self) -> int:
        """About how much memory the pair takes: files hold two bytes a number, float32 four."""
        pair = self.pair or (self.loader.gpt_path(), self.loader.sovits_path())
        return 2 * sum(path.stat().st_size for path in pair)

    def unload(self) -> None:
        """Give the memory of the models back; the next take loads the same pair again."""
        self.pipeline = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def speak(
        self,
        params: Mapping[str, Any],
        on_chunk: Callable[[SpokenChunk], None],
        listener: Listener = Listener(),  # noqa: B008  frozen
    ) -> tuple[Path, Take]:
        """Speak one request of `infer` names; return the saved wav and the take."""
        chunks = self.speak_by_chunk(params, listener)
        while True:
            try:
                chunk = next(chunks)
            except StopIteration as end:
                saved: tuple[Path, Take] = end.value
                return saved
            on_chunk(chunk)

    def speak_by_chunk(
        self, params: Mapping[str, Any], listener: Listener
    ) -> Generator[SpokenChunk, None, tuple[Path, Take]]:
        """Speak as `speak` does, a chunk each time one is asked for.

        A take that fails, or whose listener leaves, leaves nothing behind.
        """
        given = self.loader.with_named_reference(convert_speak_params(params))
        # The words belong to the clip: with a clip of the caller's own, ours do not fit.
        prepared = {} if given.get("ref_audio") else self.loader.prepared_reference()
        settings = SpeakSettings.from_params({**prepared, **given})
        pipeline = self.load(
            settings.gpt_weight if "gpt_weight" in given else None,
            settings.sovits_weight if "sovits_weight" in given else None,
        )
        request = SpeakRequest.from_settings(settings)
        pipeline.lexicon = self.loader.lexicon()  # words may have been added since
        if request.rerender_last and not pipeline.last_tokens:
            pipeline.last_tokens = read_chunk_tokens(last_take(self._takes_folder))
        take = yield from pipeline.speak_by_chunk(request, pipeline.choose_seed(request), listener)
        path = next_take(self._takes_folder)
        save_take(path, take)
        if self._kept_bytes is not None:
            prune_takes(self._takes_folder, self._kept_bytes)
        return path, take

    def read(self, params: Mapping[str, Any]) -> Reading:
        """Read the text of a request as it would be spoken, without speaking it."""
        settings = SpeakSettings.from_params(params)
        return read_text(settings.text, settings.text_lang, self.loader.lexicon())

    def find_lost(self, params: Mapping[str, Any]) -> tuple[LostCharacter, ...]:
        """Return the characters of a request's text without a sound; Problem when all are."""
        settings = SpeakSettings.from_params(params)
        return find_lost_or_refuse(settings.text, settings.text_lang, self.loader.lexicon())

    def list_weights(self) -> dict[str, Any]:
        """List the weights there are now, and which pair is loaded."""
        loaded = None
        if self.pair is not None:
            loaded = {"gpt": weight_name(self.pair[0]), "sovits": weight_name(self.pair[1])}
        return {
            "voice": self.loader.voice,
            "gpt": [weight.as_json() for weight in self.loader.gpt_weights()],
            "sovits": [weight.as_json() for weight in self.loader.sovits_weights()],
            "loaded": loaded,
        }
