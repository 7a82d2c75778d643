"""The clip a voice is spoken with: three to ten seconds of the speaker, and its exact words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile

from engine.contract.problem import ExitCode, Problem
from engine.runtime.durable import write_atomic

RATE = 32000
_SHORTEST, _LONGEST, _IDEAL = 3.1, 9.9, 6.0  # seconds; upstream refuses outside 3-10
_GAP = 0.3


class Spoken(Protocol):
    """What is asked of a prepared item."""

    @property
    def name(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def seconds(self) -> float: ...


@dataclass(frozen=True)
class Reference:
    """`wav` is a file name beside the description."""

    wav: str
    text: str
    language: str
    clips: tuple[str, ...]


def write_reference(features: Path, items: Sequence[Spoken]) -> Reference:
    """Choose from prepared clips and write logs/NAME/reference/.

    The clip nearest to six seconds; where all are short, neighbours of one language joined
    with pauses. Problem when that does not come to three seconds.
    """
    chosen = _choose(items)
    pause = np.zeros(int(_GAP * RATE), dtype=np.int16)
    parts: list[np.ndarray] = []
    for item in chosen:
        samples, _ = soundfile.read(features / "5-wav32k" / item.name, dtype="int16")
        parts += [samples, pause]
    folder = features / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    reference = Reference(
        "reference.wav", " ".join(item.text for item in chosen), chosen[0].language,
        tuple(item.name for item in chosen),
    )  # fmt: skip
    soundfile.write(folder / reference.wav, np.concatenate(parts[:-1]), RATE, subtype="PCM_16")
    write_atomic(folder / "reference.txt", (reference.text + "\n").encode())
    facts = json.dumps(asdict(reference), ensure_ascii=False, indent=1)
    write_atomic(folder / "reference.json", facts.encode())
    return reference


def read_reference(features: Path) -> Reference:
    """What `write_reference` chose. Problem when the voice was never prepared."""
    path = features / "reference" / "reference.json"
    if not path.is_file():
        raise Problem("engine.training.not_prepared", ExitCode.DATA, folder=features.name)
    facts = json.loads(path.read_text(encoding="utf-8"))
    return Reference(facts["wav"], facts["text"], facts["language"], tuple(facts["clips"]))


def _choose(items: Sequence[Spoken]) -> list[Spoken]:
    whole = [item for item in items if _SHORTEST <= item.seconds <= _LONGEST]
    if whole:
        return [min(whole, key=lambda item: (abs(item.seconds - _IDEAL), item.name))]
    joined: list[Spoken] = []
    seconds = 0.0
    for item in sorted(items, key=lambda item: item.name):
        same = not joined or item.language == joined[0].language
        if same and seconds + item.seconds + _GAP <= _LONGEST:
            joined.append(item)
            seconds += item.seconds + _GAP
        if seconds - _GAP >= _SHORTEST:
            return joined
    raise Problem("engine.run.no_reference", ExitCode.DATA, longest=f"{_longest(items):.1f}")


def _longest(items: Sequence[Spoken]) -> float:
    return max((item.seconds for item in items), default=0.0)
