"""What a book is here: chapters of sentences, each with its number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class RawChapter:
    """A chapter as its file has it: a title, "" for none, and paragraphs of plain text."""

    title: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class BookSentence:
    """One sentence. `number` counts through the whole book, from 1."""

    number: int
    text: str
    ends_paragraph: bool


@dataclass(frozen=True)
class BookChapter:
    """One chapter. `number` counts from 1; there is at least one sentence."""

    number: int
    title: str
    sentences: tuple[BookSentence, ...]


@dataclass(frozen=True)
class Book:
    """A whole text. `encoding` is how its bytes were read, "" for UTF-8."""

    title: str
    chapters: tuple[BookChapter, ...]
    encoding: str = ""

    @property
    def sentences(self) -> Iterator[BookSentence]:
        """All sentences in order."""
        return (sentence for chapter in self.chapters for sentence in chapter.sentences)

    @property
    def sentence_count(self) -> int:
        """How many sentences there are."""
        return sum(len(chapter.sentences) for chapter in self.chapters)

    @property
    def characters(self) -> int:
        """How many characters the sentences have."""
        return sum(len(sentence.text) for sentence in self.sentences)
