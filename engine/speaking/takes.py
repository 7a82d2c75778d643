"""What was spoken: the samples, and enough about each piece to speak it the same way again."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.contract.problem import ExitCode, Problem
from engine.models.gpt.sampling import Sampling
from engine.runtime.durable import write_atomic
from engine.speaking.request import SpeakRequest
from engine.speaking.sound import RATE, wav_bytes

# Tokens of a take by the key of their piece: what "re-render" speaks again.
Delivery = Mapping[str, tuple[int, ...]]

_VERSION = 1


@dataclass(frozen=True)
class SpokenPiece:
    """One piece as spoken. `samples` (N,) float32 end with the pause.

    `seed` drew `tokens`; `ended` is False when the GPT ran into its limit instead of stopping;
    `reused` says that the tokens are those of the last take. `error` is the share of phones
    that recognition missed (NaN when nobody listened), the least of `attempts`.
    """

    text: str
    key: str
    seed: int
    tokens: tuple[int, ...]
    ended: bool
    reused: bool
    samples: np.ndarray
    attempts: int = 1
    error: float = math.nan

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE

    def facts(self) -> dict[str, Any]:
        """What a listener wants to know, as JSON."""
        return {
            "text": self.text, "seconds": round(self.seconds, 3), "seed": self.seed,
            "ended": self.ended, "reused": self.reused, "attempts": self.attempts,
            "error": None if math.isnan(self.error) else round(self.error, 3),
        }  # fmt: skip


@dataclass(frozen=True)
class Take:
    """One request, spoken."""

    request: SpeakRequest
    seed: int
    pieces: tuple[SpokenPiece, ...]

    @property
    def samples(self) -> np.ndarray:
        """(N,) float32 at 32 kHz."""
        return np.concatenate([piece.samples for piece in self.pieces])

    @property
    def seconds(self) -> float:
        return sum(piece.seconds for piece in self.pieces)

    @property
    def delivery(self) -> Delivery:
        return {piece.key: piece.tokens for piece in self.pieces}


def piece_key(
    text: str, occurrence: int, request: SpeakRequest, reference: str, weights: str
) -> str:
    """Names the delivery of one piece by all that decides it, never by its place in the text.

    Speed, pause, extra references and the SoVITS weight are left out: those may change when a
    take is re-rendered. `occurrence` tells equal pieces of one text apart.
    """
    prompt = [reference, request.ref_text, request.ref_lang] if request.prompted else []
    sampling: Sampling = request.sampling
    facts = [text, occurrence, request.text_lang, prompt, asdict(sampling), weights]
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()[:32]


def save_take(path: Path, take: Take) -> None:
    """Write `path` (wav) and beside it `<stem>.json`, each replaced whole."""
    write_atomic(path, wav_bytes(take.samples))
    record = {
        "version": _VERSION,
        "seed": take.seed,
        "seconds": round(take.seconds, 3),
        "request": _plain(take.request),
        "pieces": [
            {**piece.facts(), "key": piece.key, "tokens": list(piece.tokens)}
            for piece in take.pieces
        ],
    }  # fmt: skip
    content = json.dumps(record, ensure_ascii=False, indent=1).encode()
    write_atomic(path.with_suffix(".json"), content)


def read_delivery(path: Path) -> Delivery:
    """The tokens of a saved take, from its wav or json path; Problem when it is not one."""
    path = path.with_suffix(".json")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        pieces = {str(p["key"]): tuple(int(t) for t in p["tokens"]) for p in record["pieces"]}
        if record["version"] != _VERSION or any(not tokens for tokens in pieces.values()):
            raise ValueError("another version, or a piece without tokens")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Problem(
            "engine.speaking.no_take", ExitCode.DATA, file=str(path), why=str(error)
        ) from error
    return pieces


def next_take(folder: Path) -> Path:
    """`0001.wav`, `0002.wav`, ... in the folder of takes: the first number not used yet."""
    used = _numbers(folder)
    return folder / f"{(used[-1] if used else 0) + 1:04d}.wav"


def last_take(folder: Path) -> Path:
    """The newest take; Problem when there is none."""
    used = _numbers(folder)
    if not used:
        raise Problem(
            "engine.speaking.no_take", ExitCode.DATA, file=str(folder), why="no takes yet"
        )
    return folder / f"{used[-1]:04d}.wav"


def _numbers(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.wav") if path.stem.isdecimal())


def _plain(request: SpeakRequest) -> dict[str, Any]:
    plain = asdict(request)
    plain["ref_audio"] = str(request.ref_audio)
    plain["aux_refs"] = [str(path) for path in request.aux_refs]
    return plain
