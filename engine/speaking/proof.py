"""The sentence a run speaks with its own fresh files, to prove that they are a voice."""

from __future__ import annotations

from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from engine.runtime.durable import write_atomic
from engine.speaking.phrases import BertFeatures
from engine.speaking.pipeline import ContentFeatures, Speaker
from engine.speaking.request import SpeakRequest
from engine.speaking.sound import wav_bytes
from engine.speaking.weights import load_gpt, load_sovits
from engine.text.lexicon import Lexicon


def speak_proof(
    gpt_file: Path,
    sovits_file: Path,
    content_encoder: ContentFeatures,
    reference_wav: Path,
    reference_text: str,
    text: str,
    language: str,
    out_path: Path,
    *,
    reference_language: str | None = None,
    max_tokens: int | None = None,
    text_encoder: BertFeatures | None = None,
    lexicon: Lexicon | None = None,
    device: str = "cpu",
    seed: int = 1234,
) -> float:
    """Load both files as anybody would, speak `text` into `out_path`, return its seconds.

    `reference_language` is `language` where not given; `max_tokens` (25 a second) bounds each
    piece. Problem when a file does not load or a piece is nothing but silence.
    """
    speaker = Speaker(
        load_gpt(gpt_file).to(device), load_sovits(sovits_file).to(device),
        content_encoder, text_encoder, lexicon=lexicon or Lexicon(),
    )  # fmt: skip
    take = speaker.speak(
        SpeakRequest(
            text=text,
            text_lang=language,
            ref_audio=reference_wav,
            ref_text=reference_text,
            ref_lang=reference_language or language,
            seed=seed,
            max_tokens=max_tokens,
            any_length=True,
        )
    )
    spoken = sum(float(abs(piece.samples).max()) > 0 for piece in take.pieces)
    if spoken < len(take.pieces):
        raise Problem("engine.speaking.mute", ExitCode.DATA, file=str(sovits_file))
    write_atomic(out_path, wav_bytes(take.samples))
    return take.seconds
