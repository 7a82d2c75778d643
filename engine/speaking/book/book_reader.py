"""Speaks a book sentence by sentence, keeps each, and makes the files of its chapters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sovdeck.engine.audio.pcm import SPEECH_SAMPLE_RATE, make_silence
from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.book.chapters import Book, BookChapter, BookSentence
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.speaking.asr_check import recogniser_language
from sovdeck.engine.speaking.book.chapter_files import ChapterFiles, SpokenChapter
from sovdeck.engine.speaking.book.reading_record import INDEX
from sovdeck.engine.speaking.book.sentence_store import SentenceStore, SpokenSentence
from sovdeck.engine.speaking.book.sound_file import BookFormat
from sovdeck.engine.speaking.pipeline import SpeechPipeline, chunk_seed
from sovdeck.engine.speaking.request import SpeakRequest
from sovdeck.engine.speaking.takes import Take
from sovdeck.engine.speaking.word_times import WordRecogniser, WordTime, align_words

_SENTENCES = "sentences"
# Of one sentence: the others can be spoken all the same.
_OF_THE_TEXT = ("engine.text.unreadable", "engine.speaking.no_words", "engine.speaking.too_long")
_DOUBT_ORDER = ("unspoken", "lost", "added", "different", "unclear", "cut", "unread")


class BookReader:
    """Reads one book aloud into one folder.

    `request` is what each sentence is spoken with; its seed is the book's. `voice_key` is the
    digest of weights, clips and readings. `open_pipeline` is called when there is something to
    speak; where its pipeline has a recogniser and the request verifies, sentences are checked.
    """

    def __init__(
        self,
        book: Book,
        folder: Path,
        request: SpeakRequest,
        voice_key: str,
        open_pipeline: Callable[[], SpeechPipeline],
        *,
        kind: BookFormat = "wav",
        checks: bool = False,
    ) -> None:
        self._book = book
        self._folder = folder
        self._request = request
        self._voice_key = voice_key
        self._open_pipeline = open_pipeline
        self._pipeline: SpeechPipeline | None = None
        self._checks = checks
        self._store = SentenceStore(folder / _SENTENCES)
        self._files = ChapterFiles(folder, book, kind, self._store)

    def read(
        self,
        redo: frozenset[int] = frozenset(),
        whole: bool = False,
        keep: frozenset[int] = frozenset(),
    ) -> Generator[dict[str, Any], None, None]:
        """Yield a row for each sentence and chapter as it is there, and one at the end.

        redo: numbers of sentences to be spoken once more, another way; Problem for one that the
        book has not. whole: also make one file of all chapters. keep: numbers of sentences that a
        person has heard and found good, so that they are doubtful no longer.
        """
        unknown = sorted((redo | keep) - {sentence.number for sentence in self._book.sentences})
        if unknown:
            raise Problem(
                "engine.book.no_sentence",
                ExitCode.CONFIG,
                number=unknown[0],
                most=self._book.sentence_count,
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        chapters: list[SpokenChapter] = []
        rows: list[dict[str, Any]] = []
        fresh_count = 0
        for chapter in self._book.chapters:
            spoken = []
            for sentence in chapter.sentences:
                one, is_fresh = self._speak_or_find(sentence, sentence.number in redo)
                fresh_count += is_fresh
                if sentence.number in keep:
                    one = self._store.keep(one)
                spoken.append(one)
                yield self._sentence_row(chapter, one, is_fresh)
            chapters.append(SpokenChapter(chapter, tuple(spoken), self._request.pause_s))
            rows.append(self._files.write_chapter(chapters[-1]))
            self._write_index(chapters, rows)
            yield {"event": "chapter", "of": len(self._book.chapters), **rows[-1]}
        if whole:
            rows.append(self._files.write_whole(chapters))
            yield {"event": "chapter", "of": len(self._book.chapters), **rows[-1]}
        yield {"event": "read", "fresh": fresh_count, **self._write_index(chapters, rows)}

    def _speak_or_find(self, sentence: BookSentence, redo: bool) -> tuple[SpokenSentence, bool]:
        """The sentence, and whether it was spoken now."""
        key = self._key(sentence)
        found = self._store.find(sentence.number)
        known = found is not None and found.key == key
        if found is not None and known and not redo and (found.checked or not self._checks):
            return found, False
        count = found.redo + redo if found is not None and known else 0
        return self._speak(sentence, key, count), True

    def _speak(self, sentence: BookSentence, key: str, redo: int) -> SpokenSentence:
        if self._pipeline is None:
            self._pipeline = self._open_pipeline()
        request = replace(
            self._request,
            text=sentence.text,
            slice="none",
            seed=chunk_seed(self._request.seed, sentence.number, redo),
            verify=self._checks,
        )
        try:
            take = self._pipeline.speak(request)
        except Problem as problem:
            if problem.key not in _OF_THE_TEXT:
                raise
            silence = make_silence(self._request.pause_s)
            return self._save(sentence, key, redo, silence, checked=True, doubts=("unspoken",))
        facts = _check_facts(take, self._checks)
        facts["words"] = self._word_times(self._pipeline, sentence, take)
        return self._save(sentence, key, redo, take.samples, **facts)

    def _word_times(
        self, pipeline: SpeechPipeline, sentence: BookSentence, take: Take
    ) -> tuple[WordTime, ...]:
        """When each word is said; () where nobody listens, or what was heard is another text."""
        recogniser = pipeline.recogniser if self._checks else None
        if not isinstance(recogniser, WordRecogniser):
            return ()
        seconds = len(take.samples) / SPEECH_SAMPLE_RATE - self._request.pause_s
        language = recogniser_language(self._request.text_lang)
        heard = recogniser.transcribe_words(take.samples, language)
        return align_words(sentence.text, heard, max(seconds, 0.1))

    def _save(
        self, sentence: BookSentence, key: str, redo: int, samples: np.ndarray, **facts: Any
    ) -> SpokenSentence:
        return self._store.save(
            samples,
            number=sentence.number,
            key=key,
            text=sentence.text,
            seconds=round(len(samples) / 32_000, 3),
            redo=redo,
            **facts,
        )

    def _key(self, sentence: BookSentence) -> str:
        request = replace(self._request, text=sentence.text, verify=True, max_rerolls=0)
        facts = json.dumps([self._voice_key, str(request)], ensure_ascii=False)
        return hashlib.sha256(facts.encode("utf-8", "replace")).hexdigest()[:32]

    def _sentence_row(
        self, chapter: BookChapter, spoken: SpokenSentence, is_fresh: bool
    ) -> dict[str, Any]:
        return {
            "event": "sentence",
            "number": spoken.number,
            "of": self._book.sentence_count,
            "chapter": chapter.number,
            "seconds": spoken.seconds,
            "fresh": is_fresh,
            "attempts": spoken.attempts,
            "doubts": list(spoken.doubts),
            "text": spoken.text,
        }

    def _write_index(
        self, chapters: Sequence[SpokenChapter], rows: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """Write what is there as one table; the facts of the last row of a reading."""
        doubtful = [row for part in chapters for row in _doubtful_rows(part)]
        checked = all(one.checked for part in chapters for one in part.spoken)
        facts = {
            "title": self._book.title,
            "chapters": list(rows),
            "checked": checked,
            "doubtful": doubtful,
        }
        data = json.dumps(facts, ensure_ascii=False, indent=1).encode("utf-8", "replace")
        write_atomic(self._folder / INDEX, data)
        return {
            "chapters": len(chapters),
            "sentences": sum(len(part.spoken) for part in chapters),
            "doubtful": len(doubtful),
            "checked": checked,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }


def _doubtful_rows(part: SpokenChapter) -> Iterator[dict[str, Any]]:
    """What a person should listen to, with its place in the chapter's file."""
    for spoken, start, _ in part.pieces():
        if spoken.doubts and not spoken.kept:
            yield {
                "sentence": spoken.number,
                "chapter": part.chapter.number,
                "start": round(start / 32_000, 3),
                "seconds": spoken.seconds,
                "doubts": list(spoken.doubts),
                "text": spoken.text,
                "heard": spoken.heard,
                "error": spoken.error,
                "attempts": spoken.attempts,
                "redo": spoken.redo,
                "wav": f"{_SENTENCES}/{spoken.number:06d}.wav",
                "bytes": spoken.bytes,
                "sha256": spoken.sha256,
            }


def _check_facts(take: Take, checked: bool) -> dict[str, Any]:
    """What the record of a sentence says of its take."""
    checks = [chunk.check for chunk in take.chunks if chunk.check is not None]
    faults = [fault for check in checks for fault in check.heard.faults]
    doubts = {fault.kind for fault in faults}
    doubts |= {"unclear" for check in checks if check.heard.is_doubtful and not check.heard.faults}
    doubts |= {"cut" for chunk in take.chunks if not chunk.ended}
    doubts |= {"unread" for _ in take.lost}
    return {
        "attempts": max(chunk.attempts for chunk in take.chunks),
        "checked": checked,
        "error": round(max(check.heard.error for check in checks), 3) if checks else None,
        "heard": " ".join(check.transcript for check in checks),
        "doubts": tuple(doubt for doubt in _DOUBT_ORDER if doubt in doubts),
        "faults": tuple(
            {"kind": fault.kind, "expected": fault.expected, "heard": fault.heard}
            for fault in faults
        ),
    }
