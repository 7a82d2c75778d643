"""Make a `.list` of what people really have: clips with text files, or bare long recordings.

A recording with a text of the same name (`a.wav` and `a.txt` or `a.lab`) is one item. One
without is cut at its pauses, and transcribed where there is a recogniser. What the user has
changed in the list stays: corrected texts, and clips that were taken out. Only sound that is
new is heard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.audio import slice as slicing
from engine.audio.load import SOUND_ENDINGS, load
from engine.audio.resample import resample
from engine.contract.problem import ExitCode, Problem
from engine.prepare.folder import replace_lines, replace_wav
from engine.prepare.transcribe import RECOGNISER_HZ, Recogniser, Remembered, Transcript
from engine.text.identify import identify

CLIP_HZ = 32000
_TEXT_ENDINGS = (".txt", ".lab")
_WHOLE_S = 12.0  # a recording up to this long stays in one piece

_Rows = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Gathered:
    """The list that was written; `untold` clips still have no text, `problems` were skipped."""

    list_file: Path
    clips: int
    untold: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Clip:
    path: Path
    text: str
    language: str


def gather(
    source: Path,
    list_file: Path,
    *,
    speaker: str,
    language: str | None = None,
    recogniser: Recogniser | None = None,
) -> Gathered:
    """Write `list_file` for the recordings below `source`; clips go to `wavs` beside it.

    `language` None finds it from each text. Problem when the folder holds no recording.
    """
    recordings = sorted(
        path
        for path in source.rglob("*")
        if path.suffix.lower() in SOUND_ENDINGS and not _is_ours(path, list_file)
    )
    if not recordings:
        raise Problem("engine.gather.nothing", ExitCode.DATA, folder=str(source))
    clips_folder = list_file.parent / "wavs"
    clips_folder.mkdir(parents=True, exist_ok=True)
    listed = _rows_of(list_file)
    offered_file = list_file.with_suffix(".offered.txt")
    offered = set(_lines_of(offered_file))
    # Once offered and no longer in the list: the user took it out.
    removed = offered - set(listed) if list_file.is_file() else set()
    list_time = list_file.stat().st_mtime if list_file.is_file() else 0.0
    memory = Remembered(list_file.with_suffix(".heard.jsonl"))
    problems: list[Problem] = []
    rows: list[_Clip] = []
    for recording in recordings:
        try:
            rows.extend(
                _clips(
                    recording,
                    source,
                    clips_folder,
                    listed,
                    language,
                    recogniser,
                    memory,
                    list_time,
                )  # fmt: skip
            )
        except Problem as problem:
            problems.append(problem)
    rows = [row for row in rows if row.path.name not in removed]
    replace_lines(
        list_file,
        (f"{_relative(r.path, list_file)}|{speaker}|{r.language}|{r.text}" for r in rows),
    )
    replace_lines(offered_file, sorted(offered | {row.path.name for row in rows}))
    untold = sum(not row.text for row in rows)
    return Gathered(list_file, len(rows), untold, tuple(problems))


def _clips(
    recording: Path, source: Path, folder: Path, listed: _Rows, language: str | None,
    recogniser: Recogniser | None, memory: Remembered, list_time: float,
) -> Iterator[_Clip]:  # fmt: skip
    """Rows of one recording; the list wins over a text file that is older than the list."""
    beside = _text_file(recording)
    if beside is not None:
        text = _read_text(beside)
        spoken = language or language_of(text)
        if recording.name in listed and list_time >= beside.stat().st_mtime:
            spoken, text = listed[recording.name]
        yield _Clip(recording, text, spoken)
        return
    for path, sound in _cut(recording, source, folder):
        spoken, text = listed.get(path.name, (language or "zh", ""))
        if not text and recogniser is not None:
            heard = _heard(path, sound, language, recogniser, memory)
            text, spoken = heard.text.replace("|", " "), heard.language
        yield _Clip(path, text, spoken)


def _cut(recording: Path, source: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    """Clips of a bare recording with a digest of each one's samples; standing ones stay."""
    wav, rate = load(recording)
    wav = resample(wav, rate, CLIP_HZ)
    # Recordings of one name in different folders must not share clips.
    stem = "_".join(recording.relative_to(source).with_suffix("").parts)
    whole = len(wav) <= _WHOLE_S * CLIP_HZ
    spans = [(0, len(wav))] if whole else slicing.cut(wav, CLIP_HZ)
    for number, (start, end) in enumerate(spans, 1):
        samples = (np.clip(wav[start:end], -1, 1) * 32767).astype(np.int16)
        sound = hashlib.sha256(samples.tobytes()).hexdigest()
        # The name holds the sound: another cut is another clip, with no stale text.
        path = folder / f"{stem}_{number:04d}_{sound[:6]}.wav"
        if not path.exists():
            replace_wav(path, samples)
        yield path, sound


def _heard(
    path: Path, sound: str, language: str | None, recogniser: Recogniser, memory: Remembered
) -> Transcript:
    wav, rate = load(path)
    return memory.hear(sound, resample(wav, rate, RECOGNISER_HZ), language, recogniser)


def language_of(text: str) -> str:
    """The language most letters of a text are in, by their script."""
    letters = sum(letter.isascii() and letter.isalpha() for letter in text)
    others = sum(not letter.isascii() and letter.isalpha() for letter in text)
    if letters > 2 * others:
        return "en"
    parts = identify([text])[0] or [("", "zh")]
    lengths: dict[str, int] = {}
    for part, language in parts:
        lengths[language] = lengths.get(language, 0) + len(part)
    return max(lengths, key=lambda language: lengths[language])


def _text_file(recording: Path) -> Path | None:
    paths = (recording.with_suffix(ending) for ending in _TEXT_ENDINGS)
    return next((path for path in paths if path.is_file()), None)


def _read_text(path: Path) -> str:
    try:
        written = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        why = f"not UTF-8 at byte {error.start}"
        raise Problem(
            "engine.gather.text_unreadable", ExitCode.DATA, file=str(path), why=why
        ) from error
    return " ".join(written.replace("|", " ").split())


def _lines_of(path: Path) -> list[str]:
    if not path.is_file():
        return []
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _rows_of(list_file: Path) -> _Rows:
    """Language and text of an earlier list by clip name."""
    rows = {}
    for line in _lines_of(list_file):
        fields = line.split("|")
        if len(fields) == 4:
            rows[fields[0].rsplit("/", 1)[-1]] = (fields[2].strip(), fields[3].strip())
    return rows


def _is_ours(path: Path, list_file: Path) -> bool:
    """Clips we cut earlier lie in `wavs` beside the list and carry the mark of their sound."""
    folder = list_file.parent / "wavs"
    tail = path.stem.rsplit("_", 2)
    marked = len(tail) == 3 and tail[1].isdigit() and len(tail[2]) == 6
    return path.parent == folder and marked


def _relative(path: Path, list_file: Path) -> str:
    try:
        return path.relative_to(list_file.parent).as_posix()
    except ValueError:
        return path.as_posix()
