"""Make a `.list` of what people really have: clips with text files, or bare long recordings.

A recording with a text of the same name (`a.wav` and `a.txt` or `a.lab`) is one item. One
without is cut at its pauses, and transcribed where there is a speech recogniser. What the user
has changed in the list stays: corrected texts, and clips that were taken out. Only new sound is
transcribed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sovdeck.engine.audio import slice as slicing
from sovdeck.engine.audio.load import load_mono
from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE
from sovdeck.engine.audio.resample import resample
from sovdeck.engine.contract.dataset.recordings import (
    TEXT_SUFFIXES,
    find_recordings,
    is_cut_clip,
)
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.prepare.dataset_folder import replace_lines, replace_wav
from sovdeck.engine.prepare.transcribe import (
    TRANSCRIBER_SAMPLE_RATE,
    Transcriber,
    Transcript,
    TranscriptCache,
)
from sovdeck.engine.text.identify_languages import identify_languages

# What a file on Windows, a field of a list or a table may not hold.
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\x85\u2028\u2029]')
_MAX_STEM = 60  # characters of a recording's path in the names of its clips
_MAX_UNCUT_S = 12.0  # a recording up to this long is not cut

_ListedTexts = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class GatherResult:
    """The list that was written.

    `untranscribed` clips still have no text; recordings with one of the `problems` were skipped.
    """

    list_file: Path
    paths: tuple[Path, ...]
    untranscribed: int
    problems: tuple[Problem, ...]

    @property
    def clips(self) -> int:
        """How many lines the list has."""
        return len(self.paths)


# Recordings done, recordings in all, clips so far, the newest clip's text.
ReportProgress = Callable[[int, int, int, str], None]


@dataclass(frozen=True)
class _ListRow:
    path: Path
    text: str
    language: str


def gather(
    source: Path,
    list_file: Path,
    *,
    speaker: str,
    language: str | None = None,
    transcriber: Transcriber | None = None,
    report: ReportProgress | None = None,
) -> GatherResult:
    """Write `list_file` for the recordings below `source`; clips go to `wavs` beside it.

    `language` None detects it from each text. Problem when the folder holds no recording.
    """
    recordings = [
        path for path in find_recordings(source) if not is_cut_clip(path, list_file.parent / "wavs")
    ]
    if not recordings:
        raise Problem("engine.gather.nothing", ExitCode.DATA, folder=str(source))
    clips_folder = list_file.parent / "wavs"
    clips_folder.mkdir(parents=True, exist_ok=True)
    listed = _read_listed_texts(list_file)
    offered_file = list_file.with_suffix(".offered.txt")
    offered = set(_read_lines(offered_file))
    # Once offered and no longer in the list: the user took it out.
    deleted = offered - set(listed) if list_file.is_file() else set()
    list_time = list_file.stat().st_mtime if list_file.is_file() else 0.0
    transcripts = TranscriptCache(list_file.with_suffix(".heard.jsonl"))
    problems: list[Problem] = []
    rows: list[_ListRow] = []
    for number, recording in enumerate(recordings):
        found = _recording_rows(
            recording,
            source,
            clips_folder,
            listed,
            language,
            transcriber,
            transcripts,
            list_time,
        )
        try:
            for row in found:
                rows.append(row)
                if report is not None:
                    report(number, len(recordings), len(rows), row.text)
        except Problem as problem:
            problems.append(problem)
    rows = [row for row in rows if row.path.name not in deleted]
    replace_lines(
        list_file,
        (f"{_relative(r.path, list_file)}|{speaker}|{r.language}|{r.text}" for r in rows),
    )
    replace_lines(offered_file, sorted(offered | {row.path.name for row in rows}))
    untranscribed = sum(not row.text for row in rows)
    paths = tuple(row.path for row in rows)
    return GatherResult(list_file, paths, untranscribed, tuple(problems))


def _recording_rows(
    recording: Path,
    source: Path,
    folder: Path,
    listed: _ListedTexts,
    language: str | None,
    transcriber: Transcriber | None,
    transcripts: TranscriptCache,
    list_time: float,
) -> Iterator[_ListRow]:
    """Rows of one recording; the list wins over a text file that is older than the list."""
    text_file = _find_text_file(recording)
    if text_file is not None:
        text = _read_text(text_file)
        clip_language = language or detect_language(text)
        if recording.name in listed and list_time >= text_file.stat().st_mtime:
            clip_language, text = listed[recording.name]
        yield _ListRow(recording, text, clip_language)
        return
    for path, samples_digest in _cut_recording(recording, source, folder):
        clip_language, text = listed.get(path.name, (language or "zh", ""))
        if not text and transcriber is not None:
            transcript = _transcribe(path, samples_digest, language, transcriber, transcripts)
            text, clip_language = transcript.text.replace("|", " "), transcript.language
        yield _ListRow(path, text, clip_language)


def _cut_recording(recording: Path, source: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    """Clips of a bare recording with a digest of each one's samples; existing ones stay."""
    wav, rate = load_mono(recording)
    wav = resample(wav, rate, SPEECH_SAMPLE_RATE)
    # Recordings of one name in different folders must not share clips.
    parts = recording.relative_to(source).with_suffix("").parts
    stem = _UNSAFE.sub("_", "_".join(parts))[:_MAX_STEM].rstrip(" .")
    uncut = len(wav) <= _MAX_UNCUT_S * SPEECH_SAMPLE_RATE
    spans = [(0, len(wav))] if uncut else slicing.slice_recording(wav, SPEECH_SAMPLE_RATE)
    for number, (start, end) in enumerate(spans, 1):
        samples = (np.clip(wav[start:end], -1, 1) * 32767).astype(np.int16)
        samples_digest = hashlib.sha256(samples.tobytes()).hexdigest()
        # The name holds the digest: another cut is another clip, with no stale text.
        path = folder / f"{stem}_{number:04d}_{samples_digest[:6]}.wav"
        if not path.exists():
            replace_wav(path, samples)
        yield path, samples_digest


def _transcribe(
    path: Path,
    samples_digest: str,
    language: str | None,
    transcriber: Transcriber,
    transcripts: TranscriptCache,
) -> Transcript:
    wav, rate = load_mono(path)
    return transcripts.transcribe(
        samples_digest, resample(wav, rate, TRANSCRIBER_SAMPLE_RATE), language, transcriber
    )


def detect_language(text: str) -> str:
    """The language most letters of a text are in, by their script."""
    letters = sum(letter.isascii() and letter.isalpha() for letter in text)
    others = sum(not letter.isascii() and letter.isalpha() for letter in text)
    if letters > 2 * others:
        return "en"
    parts = identify_languages([text])[0] or [("", "zh")]
    lengths: dict[str, int] = {}
    for part, language in parts:
        lengths[language] = lengths.get(language, 0) + len(part)
    return max(lengths, key=lambda language: lengths[language])


def _find_text_file(recording: Path) -> Path | None:
    paths = (recording.with_suffix(ending) for ending in TEXT_SUFFIXES)
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


def _read_lines(path: Path) -> list[str]:
    if not path.is_file():
        return []
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _read_listed_texts(list_file: Path) -> _ListedTexts:
    """Language and text of an earlier list by clip name."""
    rows = {}
    for line in _read_lines(list_file):
        fields = line.split("|")
        if len(fields) == 4:
            rows[fields[0].rsplit("/", 1)[-1]] = (fields[2].strip(), fields[3].strip())
    return rows


def _relative(path: Path, list_file: Path) -> str:
    try:
        return path.relative_to(list_file.parent).as_posix()
    except ValueError:
        return path.as_posix()
