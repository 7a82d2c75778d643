"""What was spoken: the samples, and enough about each chunk to speak it the same way again."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, encode_wav
from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.foreign_values import parse_json, parse_whole_number
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.models.gpt.sampling import Sampling
from sovdeck.engine.speaking.asr_check import SpeechCheck
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.text.reader import LostCharacter

# Tokens of a take by the key of their chunk: what "re-render" speaks again.
ChunkTokens = Mapping[str, tuple[int, ...]]

_VERSION = 1


@dataclass(frozen=True)
class SpokenChunk:
    """One chunk as spoken. `samples` (N,) float32 end with the pause.

    `seed` drew `tokens`; `ended` is False when the GPT ran into its limit instead of stopping;
    `reused` says that the tokens are those of the last take. `check` is what recognition made
    of the best of `attempts`, None without recognition.
    """

    text: str
    key: str
    seed: int
    tokens: tuple[int, ...]
    ended: bool
    reused: bool
    samples: np.ndarray
    attempts: int = 1
    check: SpeechCheck | None = None

    @property
    def error(self) -> float:
        """Share of phones that recognition missed; NaN without recognition."""
        return math.nan if self.check is None else self.check.heard.error

    @property
    def is_doubtful(self) -> bool:
        """Whether recognition found a word that is lost or too much."""
        return self.check is not None and self.check.heard.is_doubtful

    @property
    def seconds(self) -> float:
        """Length with the pause."""
        return len(self.samples) / SPEECH_SAMPLE_RATE

    def facts(self) -> dict[str, Any]:
        """Everything but samples, tokens and key, as JSON."""
        return {
            "text": self.text,
            "seconds": round(self.seconds, 3),
            "seed": self.seed,
            "ended": self.ended,
            "reused": self.reused,
            "attempts": self.attempts,
            "error": None if self.check is None else round(self.error, 3),
            "doubtful": self.is_doubtful,
            "heard": None if self.check is None else self.check.transcript,
        }


@dataclass(frozen=True)
class Take:
    """One request, spoken. `lost` are the characters of its text that have no sound.

    `notices` say what else a person should know although the take was made.
    """

    request: SpeakRequest
    seed: int
    chunks: tuple[SpokenChunk, ...]
    lost: tuple[LostCharacter, ...] = ()
    notices: tuple[Problem, ...] = ()

    @property
    def samples(self) -> np.ndarray:
        """(N,) float32 at 32 kHz."""
        return np.concatenate([chunk.samples for chunk in self.chunks])

    @property
    def seconds(self) -> float:
        """Length of all chunks."""
        return sum(chunk.seconds for chunk in self.chunks)

    @property
    def chunk_tokens(self) -> ChunkTokens:
        """The tokens of each chunk by its key."""
        return {chunk.key: chunk.tokens for chunk in self.chunks}


def chunk_key(
    text: str, occurrence: int, request: SpeakRequest, reference: str, token_source: str
) -> str:
    """Digest of all that decides the tokens of one chunk, never of its place in the text.

    Speed, tone, pause, extra references and the SoVITS weight are left out: those may change when a
    take is re-rendered. `occurrence` tells equal chunks of one text apart.
    """
    prompt = [reference, request.ref_text, request.ref_lang] if request.prompted else []
    sampling: Sampling = request.sampling
    facts = [text, occurrence, request.text_lang, prompt, asdict(sampling), token_source]
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()[:32]


def save_take(path: Path, take: Take) -> None:
    """Write `path` (wav) and beside it `<stem>.json`, each replaced whole."""
    write_atomic(path, encode_wav(take.samples))
    record = {
        "version": _VERSION,
        "seed": take.seed,
        "seconds": round(take.seconds, 3),
        "request": _request_json(take.request),
        "unread": [one.as_json() for one in take.lost],
        "pieces": [
            {**chunk.facts(), "key": chunk.key, "tokens": list(chunk.tokens)}
            for chunk in take.chunks
        ],
    }
    content = json.dumps(record, ensure_ascii=False, indent=1).encode()
    write_atomic(path.with_suffix(".json"), content)


def read_chunk_tokens(path: Path) -> ChunkTokens:
    """Read the tokens of a saved take, from its wav or json path; Problem when it is not one."""
    path = path.with_suffix(".json")
    try:
        record = parse_json(path.read_text(encoding="utf-8"))
        chunk_tokens = {str(p["key"]): tuple(int(t) for t in p["tokens"]) for p in record["pieces"]}
        if record["version"] != _VERSION or any(not tokens for tokens in chunk_tokens.values()):
            raise ValueError("another version, or a chunk without tokens")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Problem(
            "engine.speaking.no_take", ExitCode.DATA, file=str(path), why=str(error)
        ) from error
    return chunk_tokens


def next_take(folder: Path) -> Path:
    """`0001.wav`, `0002.wav`, ... in the folder of takes: the first number not used yet."""
    used = _take_numbers(folder)
    return folder / f"{(used[-1] if used else 0) + 1:04d}.wav"


def prune_takes(folder: Path, most_bytes: int) -> None:
    """Delete the oldest takes in the folder until what is left has at most so many bytes."""
    used = 0
    for number in reversed(_take_numbers(folder)):
        files = [folder / f"{number:04d}{suffix}" for suffix in (".wav", ".json")]
        used += sum(path.stat().st_size for path in files if path.is_file())
        if used > most_bytes:
            for path in files:
                path.unlink(missing_ok=True)


def last_take(folder: Path) -> Path:
    """The newest take; Problem when there is none."""
    used = _take_numbers(folder)
    if not used:
        raise Problem(
            "engine.speaking.no_take", ExitCode.DATA, file=str(folder), why="no takes yet"
        )
    return folder / f"{used[-1]:04d}.wav"


def _take_numbers(folder: Path) -> list[int]:
    numbers = (parse_whole_number(path.stem) for path in folder.glob("*.wav"))
    return sorted(number for number in numbers if number is not None)


def _request_json(request: SpeakRequest) -> dict[str, Any]:
    fields = asdict(request)
    fields["ref_audio"] = str(request.ref_audio)
    fields["aux_refs"] = [str(path) for path in request.aux_refs]
    return fields
