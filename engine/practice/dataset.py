"""Synthesises the practice sentences with pyopenjtalk-plus's voice and writes a `.list`.

The voice "mei" is (c) Nagoya Institute of Technology, MMDAgent project, CC BY 3.0; the
sentences are CC0. Both are named in CREDITS.txt beside the recordings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyopenjtalk
import soundfile

SPEAKER = "mei"
CREDITS = (
    'Synthetic speech. Voice "mei": (c) 2009-2013 Nagoya Institute of Technology, Department of\n'
    "Computer Science (MMDAgent), CC BY 3.0. Sentences: CC0.\n"
)


@dataclass(frozen=True)
class PracticeSet:
    """A generated dataset: its list file, the number of clips and their total length."""

    list_file: Path
    clips: int
    seconds: float


def load_sentences() -> list[str]:
    """The twenty Japanese sentences of the practice set."""
    raw = (files("sovdeck.engine.practice") / "sentences.json").read_text(encoding="utf-8")
    return [str(sentence) for sentence in json.loads(raw)["sentences"]]


def make_practice_set(folder: Path, name: str, clips: int | None = None) -> PracticeSet:
    """Write `NAME.list` and `wavs/NAME_NN.wav` (mono int16) below `folder`.

    The same call always makes the same bytes, so that a second upload has nothing to send.
    """
    wavs = folder / "wavs"
    wavs.mkdir(parents=True, exist_ok=True)
    lines, seconds = [], 0.0
    for number, sentence in enumerate(load_sentences()[:clips], 1):
        # Its guess at 何 needs an optional package: without it, every machine makes the same bytes.
        wave, rate = pyopenjtalk.tts(sentence, predict_nani=False)
        peak = float(np.abs(wave).max()) or 1.0
        path = wavs / f"{name}_{number:02d}.wav"
        soundfile.write(path, (wave / peak * 0.6).astype(np.float32), rate, subtype="PCM_16")
        lines.append(f"{path.name}|{SPEAKER}|ja|{sentence}")
        seconds += len(wave) / rate
    (folder / "CREDITS.txt").write_text(CREDITS, encoding="utf-8")
    list_file = folder / f"{name}.list"
    list_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return PracticeSet(list_file, len(lines), seconds)
