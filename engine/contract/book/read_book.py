"""`read_book`: a file as a `Book`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sovdeck.engine.contract.book.chapters import Book, BookChapter, BookSentence, RawChapter
from sovdeck.engine.contract.book.decode_text import decode_plain
from sovdeck.engine.contract.book.epub import read_epub
from sovdeck.engine.contract.book.plain_text import read_chapters, read_subtitles
from sovdeck.engine.contract.book.sentences import cut_sentences
from sovdeck.engine.contract.problem import ExitCode, Problem

SUFFIXES = (".txt", ".md", ".epub", ".srt", ".vtt")
MAX_FILE_BYTES = 256 << 20  # an EPUB holds its pictures too
MAX_TEXT_FILE_BYTES = 32 << 20
MAX_CHARACTERS = 8_000_000  # two weeks of speech
# A longer chapter is parted: one file of sound for all of it would be hard to find one's way in.
MAX_CHAPTER_CHARACTERS = 60_000
_LONGEST_TITLE = 120
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def read_book(path: Path) -> Book:
    """Read a txt, md, epub, srt or vtt file; Problem when it is none, too large, or empty."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise Problem("engine.book.kind", ExitCode.CONFIG, file=path.name, known=known)
    encoding = ""
    try:
        most = MAX_FILE_BYTES if suffix == ".epub" else MAX_TEXT_FILE_BYTES
        if path.stat().st_size > most:
            raise Problem("engine.book.too_large", ExitCode.DATA, file=path.name, most=most >> 20)
        if suffix == ".epub":
            title, raw = read_epub(path)
        else:
            text, encoding = decode_plain(path.read_bytes())
            title = ""
            raw = read_subtitles(text) if suffix in (".srt", ".vtt") else read_chapters(text)
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem("engine.book.unreadable", ExitCode.DATA, file=str(path), why=why) from error
    book = Book(_clean_title(title) or path.stem, tuple(_number(raw, path.stem)), encoding)
    if not book.chapters:
        raise Problem("engine.book.no_words", ExitCode.DATA, file=path.name)
    if book.characters > MAX_CHARACTERS:
        raise Problem(
            "engine.book.too_long",
            ExitCode.DATA,
            file=path.name,
            characters=book.characters,
            most=MAX_CHARACTERS,
        )
    return book


def _number(raw: list[RawChapter], title: str) -> Iterator[BookChapter]:
    """Number what has words."""
    chapter_number, sentence_number = 0, 0
    for chapter in raw:
        for part, paragraphs in enumerate(_part(chapter.paragraphs)):
            sentences = []
            for paragraph in paragraphs:
                texts = cut_sentences(_CONTROL.sub(" ", paragraph))
                for index, text in enumerate(texts):
                    sentence_number += 1
                    sentences.append(BookSentence(sentence_number, text, index == len(texts) - 1))
            if sentences:
                chapter_number += 1
                named = _clean_title(chapter.title) or title
                yield BookChapter(
                    chapter_number,
                    named if part == 0 else f"{named} ({part + 1})",
                    tuple(sentences),
                )


def _part(paragraphs: tuple[str, ...]) -> Iterator[list[str]]:
    """Parts of a chapter at the ends of paragraphs, none longer than the limit but by one."""
    part: list[str] = []
    length = 0
    for paragraph in paragraphs:
        if part and length + len(paragraph) > MAX_CHAPTER_CHARACTERS:
            yield part
            part, length = [], 0
        part.append(paragraph)
        length += len(paragraph)
    yield part


def _clean_title(title: str) -> str:
    """One line of printable characters, not too long."""
    line = " ".join("".join(char if char.isprintable() else " " for char in title).split())
    return line if len(line) <= _LONGEST_TITLE else line[: _LONGEST_TITLE - 1] + "…"
