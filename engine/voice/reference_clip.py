"""The reference clip of a voice: three to ten seconds of the speaker, and the transcript."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.foreign_values import read_facts, text_facts
from sovdeck.engine.contract.problem import ExitCode, Problem

_MIN_S, _MAX_S, _IDEAL_S = 3.1, 9.9, 6.0  # seconds; upstream refuses outside 3-10
_PAUSE_S = 0.3


class ReferenceCandidate(Protocol):
    """The fields of a prepared item that the choice needs."""

    @property
    def name(self) -> str:
        """Base name of the recording."""
        ...

    @property
    def language(self) -> str:
        """Language of the transcript: zh, ja, en, ko or yue."""
        ...

    @property
    def text(self) -> str:
        """The transcript."""
        ...

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        ...


@dataclass(frozen=True)
class VoiceReference:
    """A reference clip; `wav` is the file name beside `reference.json`, `clips` its sources."""

    wav: str
    text: str
    language: str
    clips: tuple[str, ...]


def write_reference(features: Path, items: Sequence[ReferenceCandidate]) -> VoiceReference:
    """Choose a reference among prepared clips and write it to logs/NAME/reference/.

    The clip nearest to six seconds; where all are short, neighbours of one language joined
    with pauses. Problem when that does not come to three seconds.
    """
    chosen = _choose(items)
    pause = np.zeros(int(_PAUSE_S * SPEECH_SAMPLE_RATE), dtype=np.int16)
    parts: list[np.ndarray] = []
    for item in chosen:
        samples, _ = soundfile.read(features / "5-wav32k" / item.name, dtype="int16")
        parts += [samples, pause]
    folder = features / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    reference = VoiceReference(
        "reference.wav",
        " ".join(item.text for item in chosen),
        chosen[0].language,
        tuple(item.name for item in chosen),
    )
    soundfile.write(
        folder / reference.wav, np.concatenate(parts[:-1]), SPEECH_SAMPLE_RATE, subtype="PCM_16"
    )
    write_atomic(folder / "reference.txt", (reference.text + "\n").encode())
    facts = json.dumps(asdict(reference), ensure_ascii=False, indent=1)
    write_atomic(folder / "reference.json", facts.encode())
    return reference


def read_reference(features: Path) -> VoiceReference:
    """Read what `write_reference` wrote; Problem when the voice was never prepared."""
    path = features / "reference" / "reference.json"
    try:
        facts = read_facts(path)
    except FileNotFoundError:
        raise Problem("engine.training.not_prepared", ExitCode.DATA, folder=features.name) from None
    wav, text, language = text_facts(path, facts, "wav", "text", "language")
    clips = facts.get("clips")
    return VoiceReference(wav, text, language, tuple(clips) if isinstance(clips, list) else ())


def _choose(items: Sequence[ReferenceCandidate]) -> list[ReferenceCandidate]:
    single = [item for item in items if _MIN_S <= item.seconds <= _MAX_S]
    if single:
        return [min(single, key=lambda item: (abs(item.seconds - _IDEAL_S), item.name))]
    joined: list[ReferenceCandidate] = []
    seconds = 0.0
    for item in sorted(items, key=lambda item: item.name):
        same = not joined or item.language == joined[0].language
        if same and seconds + item.seconds + _PAUSE_S <= _MAX_S:
            joined.append(item)
            seconds += item.seconds + _PAUSE_S
        if seconds - _PAUSE_S >= _MIN_S:
            return joined
    raise Problem("engine.run.no_reference", ExitCode.DATA, longest=f"{_longest(items):.1f}")


def _longest(items: Sequence[ReferenceCandidate]) -> float:
    return max((item.seconds for item in items), default=0.0)
