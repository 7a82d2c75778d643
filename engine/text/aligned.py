"""Text that remembers which character of the original each of its characters comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

WRITTEN = -1  # the source of a character that a rule wrote: words for a number or a sign


@dataclass(frozen=True)
class AlignedText:
    """`text`, and for each of its characters the index in the original, or WRITTEN."""

    text: str
    sources: Sequence[int]

    @classmethod
    def of(cls, text: str) -> AlignedText:
        """Each character of `text` is its own source."""
        return cls(text, range(len(text)))

    def cut(self, start: int, end: int) -> AlignedText:
        """Return the characters from `start` up to `end`."""
        return AlignedText(self.text[start:end], self.sources[start:end])

    def sub(self, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str]) -> AlignedText:
        """Write words for each match; what `replace` gives back unchanged keeps its sources."""
        return self.write(_spans(self.text, pattern, replace))

    def map(self, pattern: re.Pattern[str], spell: Callable[[re.Match[str]], str]) -> AlignedText:
        """Spell each match anew; it keeps its source, so that it can still be lost."""
        return self._replaced(_spans(self.text, pattern, spell), written=False)

    def write(self, words: Iterable[tuple[int, int, str]]) -> AlignedText:
        """Write words, each from its start up to its end; starts rise, and none overlap."""
        return self._replaced(words, written=True)

    def _replaced(self, words: Iterable[tuple[int, int, str]], written: bool) -> AlignedText:
        text, sources = self.text, self.sources
        parts: list[str] = []
        kept: list[int] = []
        done = 0
        for start, end, new in words:
            if new == text[start:end]:
                continue
            parts += (text[done:start], new)
            kept += sources[done:start]
            kept += [WRITTEN if written else sources[start]] * len(new)
            done = end
        if not parts:
            return self
        parts.append(text[done:])
        kept += sources[done:]
        return AlignedText("".join(parts), kept)


def _spans(
    text: str, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str]
) -> Iterator[tuple[int, int, str]]:
    for match in pattern.finditer(text):
        yield *match.span(), replace(match)
