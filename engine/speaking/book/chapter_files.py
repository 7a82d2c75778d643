"""The files of a chapter: its sound, and its subtitles in both formats."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, make_silence
from sovdeck.engine.contract.atomic_io import atomic_replacement, file_sha256, write_atomic
from sovdeck.engine.contract.book.chapters import Book, BookChapter
from sovdeck.engine.contract.foreign_values import parse_json_object
from sovdeck.engine.speaking.book.sentence_store import SentenceStore, SpokenSentence
from sovdeck.engine.speaking.book.sound_file import (
    BookFormat,
    ChapterMark,
    SoundTags,
    write_sound_file,
)
from sovdeck.engine.speaking.book.subtitles import Subtitle, split_words, to_srt, to_vtt

PARAGRAPH_PAUSE_S = 0.5  # more than between two sentences
_MADE_BY = 2  # counts the ways in which files were made: another one makes them anew
_WAV_HEADER_BYTES = 44


@dataclass(frozen=True)
class SpokenChapter:
    """A chapter whose sentences are all there, with how each of them was spoken."""

    chapter: BookChapter
    spoken: tuple[SpokenSentence, ...]
    pause_s: float  # silence that each sentence ends with

    def pieces(self) -> Iterator[tuple[SpokenSentence, int, int]]:
        """Each sentence with its first sample in the chapter, and how many samples it takes."""
        start = 0
        for sentence, spoken in zip(self.chapter.sentences, self.spoken, strict=True):
            length = (spoken.bytes - _WAV_HEADER_BYTES) // 2
            length += _paragraph_pause() if sentence.ends_paragraph else 0
            yield spoken, start, length
            start += length

    @property
    def length(self) -> int:
        """Samples at 32 kHz."""
        return sum(length for _, _, length in self.pieces())

    def subtitles(self, offset: int = 0) -> list[Subtitle]:
        """A subtitle for each sentence that has a sound; `offset` samples come before."""
        return [
            Subtitle(
                (offset + start) / SPEECH_SAMPLE_RATE,
                (offset + start) / SPEECH_SAMPLE_RATE + max(spoken.seconds - self.pause_s, 0.1),
                spoken.text,
                tuple(
                    replace(
                        word,
                        start=word.start + (offset + start) / SPEECH_SAMPLE_RATE,
                        end=word.end + (offset + start) / SPEECH_SAMPLE_RATE,
                    )
                    for word in spoken.words
                ),
            )
            for spoken, start, _ in self.pieces()
            if "unspoken" not in spoken.doubts
        ]

    def sounds(self, store: SentenceStore) -> Iterator[np.ndarray]:
        """The samples (N,) of each sentence, and of the pause after a paragraph."""
        for sentence in self.chapter.sentences:
            yield store.read(sentence.number)
            if sentence.ends_paragraph:
                yield make_silence(PARAGRAPH_PAUSE_S)


def _paragraph_pause() -> int:
    return len(make_silence(PARAGRAPH_PAUSE_S))


class ChapterFiles:
    """Writes the files of chapters into one folder, and again only what has changed."""

    def __init__(self, folder: Path, book: Book, kind: BookFormat, store: SentenceStore) -> None:
        self._folder = folder
        self._book = book
        self._kind = kind
        self._store = store

    def write_chapter(self, spoken: SpokenChapter) -> dict[str, Any]:
        """Write `001.mp3`, `001.srt` and `001.vtt`; the row that names them.

        Where times of words are known, also `001.words.srt`.
        """
        number, title = spoken.chapter.number, spoken.chapter.title
        tags = SoundTags(title, self._book.title, number, len(self._book.chapters))
        return self._write(f"{number:03d}", [spoken], tags)

    def write_whole(self, spoken: Sequence[SpokenChapter]) -> dict[str, Any]:
        """Write `book.mp3` and its subtitles, with a mark for each chapter."""
        return self._write("book", spoken, SoundTags(self._book.title, self._book.title, 1, 1))

    def _write(self, stem: str, parts: Sequence[SpokenChapter], tags: SoundTags) -> dict[str, Any]:
        names = [f"{stem}.{self._kind}", f"{stem}.srt", f"{stem}.vtt"]
        if any(spoken.words for part in parts for spoken in part.spoken):
            names.append(f"{stem}.words.srt")
        note = self._folder / f"{stem}.{self._kind}.json"
        key = self._key(parts, tags)
        row = self._find(note, key, names)
        if row is not None:
            return row
        marks, subtitles, offset = [], [], 0
        for part in parts:
            marks.append(ChapterMark(offset, part.chapter.title))
            subtitles += part.subtitles(offset)
            offset += part.length
        note.unlink(missing_ok=True)
        sounds = (samples for part in parts for samples in part.sounds(self._store))
        with atomic_replacement(self._folder / names[0]) as beside:
            write_sound_file(beside, self._kind, sounds, marks, tags, offset)
        write_atomic(self._folder / names[1], to_srt(subtitles).encode("utf-8", "replace"))
        write_atomic(self._folder / names[2], to_vtt(subtitles).encode("utf-8", "replace"))
        if len(names) > 3:
            by_word = to_srt(split_words(subtitles))
            write_atomic(self._folder / names[3], by_word.encode("utf-8", "replace"))
        row = {
            "number": tags.number if stem != "book" else 0,
            "title": tags.title,
            "seconds": round(offset / SPEECH_SAMPLE_RATE, 3),
            "files": [self._file_row(name) for name in names],
        }
        write_atomic(note, json.dumps({"key": key, "row": row}, ensure_ascii=False).encode())
        return row

    def _key(self, parts: Sequence[SpokenChapter], tags: SoundTags) -> str:
        """Digest of all that decides the files."""
        facts = [
            [
                part.chapter.title,
                part.pause_s,
                [[one.sha256, [asdict(word) for word in one.words]] for one in part.spoken],
            ]
            for part in parts
        ]
        whole = [_MADE_BY, self._kind, tags.title, tags.album, tags.number, tags.count, facts]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()

    def _find(self, note: Path, key: str, names: Sequence[str]) -> dict[str, Any] | None:
        """The row of files that were written before with this key and are there unharmed."""
        try:
            written = parse_json_object(note.read_bytes())
            row = written["row"]
            there = [self._file_row(name) for name in names]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return row if written.get("key") == key and row.get("files") == there else None

    def _file_row(self, name: str) -> dict[str, Any]:
        path = self._folder / name
        return {"name": name, "bytes": path.stat().st_size, "sha256": file_sha256(path)}
