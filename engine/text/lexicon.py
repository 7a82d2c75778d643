"""The user's own readings, which take precedence over those of a language front end.

Written the same way in `words.txt` (one a line, `#` begins a comment) and inside a text:

    汉字{han4 zi4}        pinyin with tone digits, 5 for the neutral tone
    今日{きょう}           kana
    sovdeck{S AA1 V D EH2 K}   ARPAbet
    값{갑}                hangul as spoken
    佢{keoi5}             jyutping

A reading applies in the language it is written for; in any other it is ignored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.text.lexicon_span import LexiconSpan

if TYPE_CHECKING:
    from sovdeck.engine.text.zh.polyphones import PolyphoneModel

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々〇"
_READING_PATTERNS = {
    "zh": re.compile(r"[a-zü:]{1,7}[1-5](?: [a-zü:]{1,7}[1-5])*"),
    "yue": re.compile(r"[a-z]{1,7}[1-6](?: [a-z]{1,7}[1-6])*"),
    "ja": re.compile(r"[\u3040-\u30ff]+"),
    "ko": re.compile(r"[\uac00-\ud7a3 ]+"),
    "en": re.compile(r"[A-Z]{1,2}[0-2]?(?: [A-Z]{1,2}[0-2]?)*"),
}
# What an inline reading belongs to: one word of Latin letters, else signs of one kind.
_WORD_PATTERNS = {
    "zh": re.compile(rf"[{_HAN}]+\Z"),
    "yue": re.compile(rf"[{_HAN}]+\Z"),
    "ja": re.compile(rf"(?:[{_HAN}]+|[A-Za-z0-9]+|[\u30a0-\u30ff]+|[\u3040-\u309f]+)\Z"),
    "ko": re.compile(r"(?:[\uac00-\ud7a3]+|[A-Za-z]+)\Z"),
    "en": re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*\Z"),
}
_BRACES = re.compile(r"\{([^{}]*)\}")
_ENTRY = re.compile(r"([^{}]+)\{([^{}]+)\}\Z")


@dataclass(frozen=True)
class Lexicon:
    """Words and their readings, as in `words.txt`; `polyphones` predicts Chinese readings."""

    readings: Mapping[str, str] = field(default_factory=dict)
    polyphones: PolyphoneModel | None = None

    @classmethod
    def load(cls, path: Path, polyphones: PolyphoneModel | None = None) -> Lexicon:
        """Read `words.txt`; Problem with file and line for a line that is no entry."""
        readings: dict[str, str] = {}
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise Problem(
                "engine.text.words_unreadable", ExitCode.DATA, file=str(path), why=str(error)
            ) from error
        for number, line in enumerate(lines, 1):
            line = line.split("#", 1)[0].strip()
            if not line:
                continue
            match = _ENTRY.match(line)
            reading = match.group(2).strip() if match else ""
            if match is None or not any(r.fullmatch(reading) for r in _READING_PATTERNS.values()):
                raise Problem(
                    "engine.text.words_line",
                    ExitCode.DATA,
                    file=path.name,
                    line=number,
                    text=line[:60],
                )
            readings[match.group(1).strip()] = reading
        return cls(readings, polyphones)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all readings and the model: part of a prepared text's cache key."""
        model = "" if self.polyphones is None else self.polyphones.digest
        lines = "\n".join(f"{word}\t{self.readings[word]}" for word in sorted(self.readings))
        return hashlib.sha256((lines + model).encode()).hexdigest()

    def split_spans(self, text: str, language: str) -> list[LexiconSpan]:
        """Split `text` at inline readings and at known words; longer words first."""
        spans: list[LexiconSpan] = []
        for span in _split_inline_readings(text, language):
            spans.extend([span] if span.reading else self._split_known_words(span, language))
        return spans

    def _split_known_words(self, span: LexiconSpan, language: str) -> list[LexiconSpan]:
        text, offset = span.text, span.start
        fitting = {w: r for w, r in self.readings.items() if is_reading(r, language)}
        if not fitting:
            return [span] if text else []
        longest_first = sorted(fitting, key=len, reverse=True)
        pattern = re.compile("|".join(map(_word_pattern, longest_first)), re.IGNORECASE)
        folded = {word.lower(): reading for word, reading in fitting.items()}
        spans, end = [], 0
        for match in pattern.finditer(text):
            if match.start() > end:
                spans.append(LexiconSpan(text[end : match.start()], start=offset + end))
            reading = folded[match.group().lower()]
            spans.append(LexiconSpan(match.group(), reading, offset + match.start()))
            end = match.end()
        return [*spans, LexiconSpan(text[end:], start=offset + end)] if end < len(text) else spans


def strip_readings(text: str) -> str:
    """`text` without its inline readings in braces."""
    return _BRACES.sub("", text)


def is_reading(reading: str, language: str) -> bool:
    """Whether `reading` is written as readings of `language` are."""
    return _READING_PATTERNS[language].fullmatch(reading) is not None


def _word_pattern(word: str) -> str:
    # "cat" must not be found in "category"; scripts without blanks have no such border.
    escaped = re.escape(word)
    return rf"(?<![A-Za-z]){escaped}(?![A-Za-z])" if word.isascii() else escaped


def _split_inline_readings(text: str, language: str) -> list[LexiconSpan]:
    spans: list[LexiconSpan] = []
    end = brace = 0
    for match in _BRACES.finditer(text):
        reading = match.group(1).strip()
        # No word reaches over a brace: a text full of them is not searched from its beginning.
        word = _WORD_PATTERNS[language].search(text, brace, match.start())
        brace = match.end()
        if word is None or not is_reading(reading, language):
            continue
        start = word.start()
        if language in ("zh", "yue"):  # one syllable a character
            syllables = reading.count(" ") + 1
            if syllables > len(word.group()):
                continue
            start = word.end() - syllables
        if start > end:
            spans.append(LexiconSpan(text[end:start], start=end))
        spans.append(LexiconSpan(text[start : match.start()], reading, start))
        end = match.end()
    return [*spans, LexiconSpan(text[end:], start=end)] if end < len(text) else spans
