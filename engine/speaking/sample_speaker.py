"""Speaks samples and the proof sentence during a run, with the files that the run exported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from sovdeck.engine.audio.pcm import encode_wav
from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.prepare.frozen_encoders import FrozenEncoders
from sovdeck.engine.runtime.oom import is_out_of_memory
from sovdeck.engine.speaking.pipeline import SpeechPipeline
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.weights import open_gpt, open_sovits
from sovdeck.engine.text.lexicon import Lexicon

_SEED = 1234


@dataclass(frozen=True)
class SampleReference:
    """The clip that is imitated, and what it says."""

    wav: Path
    text: str
    language: str


class SampleSpeaker:
    """Loads exported files as anybody would, each once, when they are first spoken with.

    On the device that trains; where its memory does not suffice, on the CPU from then on.
    """

    def __init__(
        self,
        encoders: Callable[[torch.device], FrozenEncoders],
        lexicon: Callable[[], Lexicon],
        device: torch.device,
    ) -> None:
        self._open_encoders = encoders
        self._open_lexicon = lexicon
        self._device = device
        self._pipeline: SpeechPipeline | None = None
        self._gpt = self._sovits = ""  # what the pipeline was loaded from

    def speak(
        self,
        gpt: Path,
        sovits: Path,
        reference: SampleReference,
        text: str,
        language: str,
        out: Path,
        *,
        max_tokens: int | None = None,
    ) -> float:
        """Speak `text` into `out`; return its seconds.

        `max_tokens` (25 a second) bounds each chunk. Problem when a file does not load or a chunk
        is nothing but silence.
        """
        request = SpeakRequest(
            text=text,
            text_lang=language,
            ref_audio=reference.wav,
            ref_text=reference.text,
            ref_lang=reference.language,
            seed=_SEED,
            max_tokens=max_tokens,
            any_length=True,
        )
        take = None
        try:
            take = self._open(gpt, sovits).speak(request)
        except RuntimeError as error:
            if self._device.type == "cpu" or not is_out_of_memory(error):
                raise
        if take is None:  # out here, where the frames of the failure hold no memory any more
            self._pipeline, self._device = None, torch.device("cpu")
            torch.cuda.empty_cache()
            take = self._open(gpt, sovits).speak(request)
        audible = sum(float(abs(chunk.samples).max()) > 0 for chunk in take.chunks)
        if audible < len(take.chunks):
            raise Problem("engine.speaking.mute", ExitCode.DATA, file=str(sovits))
        write_atomic(out, encode_wav(take.samples))
        return take.seconds

    def _open(self, gpt: Path, sovits: Path) -> SpeechPipeline:
        """The pipeline for these files as they are now; only what changed is loaded."""
        gpt_id, sovits_id = _file_id(gpt), _file_id(sovits)
        if self._pipeline is None or sovits_id != self._sovits:
            self._pipeline = None  # its memory first
            encoders = self._open_encoders(self._device)
            decoder, low_precision = open_sovits(sovits, self._device)
            self._pipeline = SpeechPipeline(
                open_gpt(gpt, self._device),
                decoder,
                encoders.content,
                encoders.text,
                lexicon=self._open_lexicon(),
                low_precision=low_precision,
                speaker_encoder=None if encoders.speaker is None else encoders.speaker.get(),
            )
        elif gpt_id != self._gpt:
            self._pipeline.replace_gpt(open_gpt(gpt, self._device))
        self._gpt, self._sovits = gpt_id, sovits_id
        return self._pipeline


def _file_id(path: Path) -> str:
    """Changes when the file does: a run that was started over exports under the same name."""
    facts = path.stat()
    return f"{path}\0{facts.st_size}\0{facts.st_mtime_ns}\0{facts.st_ino}"
