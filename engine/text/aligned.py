"""Text that remembers which character of the original each of its characters comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
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
        return self._replaced(pattern, replace, written=True)

    def map(self, pattern: re.Pattern[str], spell: Callable[[re.Match[str]], str]) -> AlignedText:
        """Spell each match anew; it keeps its source, so that it can still be lost."""
        return self._replaced(pattern, spell, written=False)

    def _replaced(
        self, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], written: bool
    ) -> AlignedText:
        text, sources = self.text, self.sources
        parts: list[str] = []
        kept: list[int] = []
        end = 0
        for match in pattern.finditer(text):
            new = replace(match)
            if new == match.group():
                continue
            start = match.start()
            parts += (text[end:start], new)
            kept += sources[end:start]
            kept += [WRITTEN if written else sources[start]] * len(new)
            end = match.end()
        if not parts:
            return self
        parts.append(text[end:])
        kept += sources[end:]
        return AlignedText("".join(parts), kept)
