"""The result of every language front end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phones:
    """Phones of one text in one language.

    `word2ph` holds, for each character of `normalized`, how many phones it became; only
    Chinese and Cantonese have it, since only they are read one character at a time.
    """

    phones: list[str]
    word2ph: list[int] | None
    normalized: str
