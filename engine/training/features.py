"""Reading a prepared dataset folder (`logs/NAME`, compat SPEC 1.7) into clips to train on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.contract.catalogue import Text, text
from engine.contract.problem import ExitCode, Problem
from engine.contract.updates import held_out
from engine.text import symbols

RATE = 32000
HOP = 640  # samples a spectrogram frame
_WAV_HEADER = 44
_LEAST_FRAMES = 33  # more than one training slice of 32
_MOST_SECONDS = 54.0
_MOST_TOKENS = 1350  # 54 s at 25 Hz
_MOST_PHONES = 540
_PHONES_A_SECOND = (3.0, 25.0)


@dataclass(frozen=True)
class Clip:
    """One prepared recording. `phones` are symbol numbers, `tokens` semantic codes at 25 Hz."""

    name: str
    phones: tuple[int, ...]
    tokens: tuple[int, ...]
    text: str
    wav: Path
    ssl: Path
    bert: Path | None
    samples: int

    @property
    def frames(self) -> int:
        """Spectrogram frames, 50 a second."""
        return self.samples // HOP

    @property
    def seconds(self) -> float:
        return self.samples / RATE


@dataclass(frozen=True)
class LeftOut:
    """A clip that a stage does not train on, and why."""

    name: str
    why: Text


@dataclass(frozen=True)
class Features:
    """The clips of a voice and a digest over everything they were made from."""

    folder: Path
    clips: tuple[Clip, ...]
    digest: str
    incomplete: tuple[LeftOut, ...] = ()


def read_features(folder: Path) -> Features:
    """Read logs/NAME. Problem when nothing is prepared there.

    The digest covers names, phones, tokens and wav sizes: what decides a training order.
    """
    names = folder / "2-name2text.txt"
    codes = folder / "6-name2semantic.tsv"
    if not names.is_file() or not codes.is_file():
        raise Problem("engine.training.not_prepared", ExitCode.DATA, folder=folder.name)
    tokens = dict(_token_rows(codes.read_text(encoding="utf-8").split("\n")[1:]))
    digest = hashlib.sha256()
    clips: list[Clip] = []
    incomplete: list[LeftOut] = []
    for name, phones, spoken in _text_rows(names.read_text(encoding="utf-8").split("\n")):
        wav, ssl = folder / "5-wav32k" / name, folder / "4-cnhubert" / f"{name}.pt"
        if name not in tokens or not wav.is_file() or not ssl.is_file():
            incomplete.append(LeftOut(name, text("engine.training.left_incomplete")))
            continue
        bert = folder / "3-bert" / f"{name}.pt"
        samples = (wav.stat().st_size - _WAV_HEADER) // 2
        digest.update(repr((name, phones, tokens[name], samples)).encode())
        clips.append(
            Clip(
                name,
                tuple(symbols.ids(phones)),
                tokens[name],
                spoken,
                wav,
                ssl,
                bert if bert.is_file() else None,
                samples,
            )  # fmt: skip
        )
    if not clips:
        raise Problem("engine.training.not_prepared", ExitCode.DATA, folder=folder.name)
    clips.sort(key=lambda clip: clip.name)
    return Features(folder, tuple(clips), digest.hexdigest(), tuple(incomplete))


def _text_rows(lines: Iterable[str]) -> Iterable[tuple[str, list[str], str]]:
    for line in lines:
        fields = line.split("\t")
        if len(fields) == 4:  # upstream's trainers ignore other lines
            yield fields[0], fields[1].split(), fields[3]


def _token_rows(lines: Iterable[str]) -> Iterable[tuple[str, tuple[int, ...]]]:
    for line in lines:
        name, _, codes = line.partition("\t")
        if codes.strip():
            yield name, tuple(int(code) for code in codes.split())


def select(
    clips: Sequence[Clip], fault: Callable[[Clip], Text | None]
) -> tuple[tuple[Clip, ...], tuple[LeftOut, ...]]:
    """Split clips by a rule that returns None for a good one, else why it is left out."""
    judged = [(clip, fault(clip)) for clip in clips]
    kept = tuple(clip for clip, why in judged if why is None)
    return kept, tuple(LeftOut(clip.name, why) for clip, why in judged if why is not None)


def sovits_fault(clip: Clip) -> Text | None:
    """Why SoVITS cannot train on a clip (compat SPEC 3.11, without its 38 s limit)."""
    if clip.frames < _LEAST_FRAMES:
        return text("engine.training.left_short", seconds=f"{clip.seconds:.2f}")
    if clip.seconds >= _MOST_SECONDS:
        return text("engine.training.left_long", seconds=f"{clip.seconds:.0f}")
    return None


def gpt_fault(clip: Clip) -> Text | None:
    """Why the GPT stage leaves a clip out (compat SPEC 5.6)."""
    if not clip.phones or not clip.tokens:
        return text("engine.training.left_incomplete")
    if len(clip.tokens) > _MOST_TOKENS or len(clip.phones) > _MOST_PHONES:
        return text("engine.training.left_long", seconds=f"{clip.seconds:.0f}")
    rate = len(clip.phones) / (len(clip.tokens) / 25)
    low, high = _PHONES_A_SECOND
    if not low <= rate <= high:
        return text("engine.training.left_pace", rate=f"{rate:.1f}")
    return None


def hold_out(clips: Sequence[Clip]) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Split into (training, validation): a tenth, two at least, chosen by hash of the name.

    The choice does not move when clips are added. Below ten clips each one is needed for
    training, and there is no validation.
    """
    ranked = sorted(clips, key=lambda clip: hashlib.sha256(clip.name.encode()).digest())
    held = {clip.name for clip in ranked[: held_out(len(clips))]}
    training = tuple(clip for clip in clips if clip.name not in held)
    return training, tuple(clip for clip in clips if clip.name in held)
