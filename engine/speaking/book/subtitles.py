"""Subtitles: a text for each stretch of sound, as SRT and as WebVTT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sovdeck.engine.speaking.word_times import WordTime


@dataclass(frozen=True)
class Subtitle:
    """One sentence and when it is said, in seconds from the beginning of its file.

    `words`: the same of its words, where that is known; together they are the text.
    """

    start: float
    end: float
    text: str
    words: tuple[WordTime, ...] = ()


def to_srt(subtitles: Iterable[Subtitle]) -> str:
    """SubRip: numbered blocks, with a comma before the milliseconds."""
    return "".join(
        f"{number}\n{_time(one.start, ',')} --> {_time(one.end, ',')}\n{_one_line(one.text)}\n\n"
        for number, one in enumerate(subtitles, 1)
    )


def to_vtt(subtitles: Sequence[Subtitle]) -> str:
    """WebVTT, whose text is markup. Words with times have them inside their sentence.

    A note says how many sentences have them, and where the times come from.
    """
    timed = sum(bool(one.words) for one in subtitles)
    note = (
        f"NOTE Times of words: by speech recognition, in {timed} of {len(subtitles)} sentences\n\n"
        if timed
        else ""
    )
    blocks = "".join(
        f"{_time(one.start, '.')} --> {_time(one.end, '.')}\n{_vtt_text(one)}\n\n"
        for one in subtitles
    )
    return f"WEBVTT\n\n{note}{blocks}"


def split_words(subtitles: Iterable[Subtitle]) -> Iterator[Subtitle]:
    """One subtitle a word; a sentence whose words have no times stays whole."""
    for one in subtitles:
        if one.words:
            yield from (Subtitle(word.start, word.end, word.text) for word in one.words)
        else:
            yield one


def _vtt_text(one: Subtitle) -> str:
    """The sentence, with the time before each of its words but the first, as WebVTT wants it."""
    text, parts, at = _one_line(one.text), [], 0
    for number, word in enumerate(one.words):
        found = text.find(word.text, at)
        if found < 0:  # a mark that `_one_line` changed
            return _escape(text)
        parts.append(_escape(text[at:found]))
        # Times inside must lie within the sentence's own and grow.
        if number and one.start < word.start < one.end:
            parts.append(f"<{_time(word.start, '.')}>")
        parts.append(_escape(word.text))
        at = found + len(word.text)
    return "".join(parts) + _escape(text[at:])


def _time(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}{mark}{milliseconds % 1000:03d}"


def _one_line(text: str) -> str:
    return " ".join(text.replace("-->", "→").split())


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
