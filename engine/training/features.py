"""Reading a prepared dataset folder (`logs/NAME`, compat SPEC 1.7) into clips to train on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.updates import held_out_clips
from sovdeck.engine.text import symbols

HOP_LENGTH = 640  # samples a spectrogram frame
_WAV_HEADER = 44
_MIN_FRAMES = 33  # more than one training slice of 32
_MAX_SECONDS = 54.0
_MAX_TOKENS = 1350  # 54 s at 25 Hz
_MAX_PHONES = 540
_PHONES_PER_SECOND = (3.0, 25.0)


@dataclass(frozen=True)
class TrainingClip:
    """One prepared recording. `phones` are symbol numbers, `tokens` semantic codes at 25 Hz."""

    name: str
    phones: tuple[int, ...]
    tokens: tuple[int, ...]
    text: str
    wav: Path
    ssl: Path
    bert: Path | None
    samples: int
    speaker: Path | None = None  # the vector of v2Pro

    @property
    def frames(self) -> int:
        """Spectrogram frames, 50 a second."""
        return self.samples // HOP_LENGTH

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return self.samples / SPEECH_SAMPLE_RATE


@dataclass(frozen=True)
class ExcludedClip:
    """A clip that a stage does not train on, and why."""

    name: str
    reason: Text


@dataclass(frozen=True)
class Features:
    """The clips of a voice and a digest over everything they were made from."""

    folder: Path
    clips: tuple[TrainingClip, ...]
    digest: str
    incomplete: tuple[ExcludedClip, ...] = ()


def read_features(folder: Path, *, speakers: bool = False) -> Features:
    """Read logs/NAME, prepared here or by GPT-SoVITS itself.

    `speakers` asks for the vectors of v2Pro as well. The digest covers names, phones, tokens and
    wav sizes: what decides a training order. Problem naming what is not there.
    """
    text_table = folder / "2-name2text.txt"
    token_table = folder / "6-name2semantic.tsv"
    lacking = [table.name for table in (text_table, token_table) if not table.is_file()]
    if len(lacking) == 2:
        raise Problem("engine.training.not_prepared", ExitCode.DATA, folder=folder.name)
    if lacking:
        raise _lacks(folder, lacking)
    tokens = dict(_token_rows(token_table.read_text(encoding="utf-8").split("\n")[1:]))
    digest = hashlib.sha256()
    clips: list[TrainingClip] = []
    incomplete: list[ExcludedClip] = []
    for name, phones, transcript in _text_rows(text_table.read_text(encoding="utf-8").split("\n")):
        wav, ssl = folder / "5-wav32k" / name, folder / "4-cnhubert" / f"{name}.pt"
        speaker = folder / "7-sv_cn" / f"{name}.pt"
        parts = {"4-cnhubert": ssl.is_file(), "5-wav32k": wav.is_file()}
        parts |= {token_table.name: name in tokens}
        if speakers:
            parts |= {"7-sv_cn": speaker.is_file()}
        absent = [part for part, there in parts.items() if not there]
        if absent:
            reason = text("engine.training.left_lacks", parts=", ".join(absent))
            incomplete.append(ExcludedClip(name, reason))
            lacking += [part for part in absent if part not in lacking]
            continue
        bert = folder / "3-bert" / f"{name}.pt"
        samples = (wav.stat().st_size - _WAV_HEADER) // 2
        digest.update(repr((name, phones, tokens[name], samples)).encode())
        clips.append(
            TrainingClip(
                name,
                tuple(symbols.phone_ids(phones)),
                tokens[name],
                transcript,
                wav,
                ssl,
                bert if bert.is_file() else None,
                samples,
                speaker if speakers else None,
            )
        )
    if not clips:
        raise _lacks(folder, lacking or [text_table.name])
    clips.sort(key=lambda clip: clip.name)
    return Features(folder, tuple(clips), digest.hexdigest(), tuple(incomplete))


def _lacks(folder: Path, parts: Sequence[str]) -> Problem:
    return Problem(
        "engine.training.folder_lacks",
        ExitCode.DATA,
        folder=folder.name,
        parts=", ".join(sorted(parts)),
    )


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


def select_clips(
    clips: Sequence[TrainingClip], exclusion: Callable[[TrainingClip], Text | None]
) -> tuple[tuple[TrainingClip, ...], tuple[ExcludedClip, ...]]:
    """Split clips by a rule that returns None for a good one, else why it is left out."""
    checked = [(clip, exclusion(clip)) for clip in clips]
    kept = tuple(clip for clip, reason in checked if reason is None)
    return kept, tuple(
        ExcludedClip(clip.name, reason) for clip, reason in checked if reason is not None
    )


def sovits_exclusion(clip: TrainingClip) -> Text | None:
    """Why SoVITS cannot train on a clip; None when it can.

    Compat SPEC 3.11, without its limit of 38 s.
    """
    if clip.frames < _MIN_FRAMES:
        return text("engine.training.left_short", seconds=f"{clip.seconds:.2f}")
    if clip.seconds >= _MAX_SECONDS:
        return text("engine.training.left_long", seconds=f"{clip.seconds:.0f}")
    return None


def gpt_exclusion(clip: TrainingClip) -> Text | None:
    """Why the GPT stage leaves a clip out (compat SPEC 5.6); None when it does not."""
    if not clip.phones or not clip.tokens:
        return text("engine.training.left_incomplete")
    if len(clip.tokens) > _MAX_TOKENS or len(clip.phones) > _MAX_PHONES:
        return text("engine.training.left_long", seconds=f"{clip.seconds:.0f}")
    rate = len(clip.phones) / (len(clip.tokens) / 25)
    low, high = _PHONES_PER_SECOND
    if not low <= rate <= high:
        return text("engine.training.left_pace", rate=f"{rate:.1f}")
    return None


def hold_out(
    clips: Sequence[TrainingClip],
) -> tuple[tuple[TrainingClip, ...], tuple[TrainingClip, ...]]:
    """Split into (training, validation): `held_out_clips` of them, chosen by hash of the name.

    The choice does not move when clips are added, but for one more now and then.
    """
    ranked = sorted(clips, key=lambda clip: hashlib.sha256(clip.name.encode()).digest())
    held_names = {clip.name for clip in ranked[: held_out_clips(len(clips))]}
    training = tuple(clip for clip in clips if clip.name not in held_names)
    return training, tuple(clip for clip in clips if clip.name in held_names)
