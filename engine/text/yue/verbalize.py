"""What a Cantonese text writes in signs and figures, in characters: by the rules of Chinese."""

from __future__ import annotations

import re
from functools import lru_cache

from sovdeck.engine.text.aligned import AlignedText
from sovdeck.engine.text.han_variants import HAN, find_common_form
from sovdeck.engine.text.yue.g2p import is_readable
from sovdeck.engine.text.zh.verbalize import READ_SIGNS, verbalize_cantonese

_HAN = re.compile(f"[{HAN}]")


def verbalize(text: AlignedText) -> AlignedText:
    """Return `text` with figures and signs in characters."""
    odd = [c for c in frozenset(text.text) if not _is_read(c) and _HAN.match(c)]
    if odd:
        pattern = re.compile(f"[{re.escape(''.join(odd))}]")
        text = text.map(pattern, lambda match: find_common_form(match.group(), is_readable))
    return verbalize_cantonese(text)


def find_unread(text: str) -> list[int]:
    """Return the positions in verbalized `text` of characters Cantonese has no sound for."""
    odd = {c for c in frozenset(text) if not _is_read(c)}
    return [at for at, letter in enumerate(text) if letter in odd] if odd else []


@lru_cache(maxsize=16384)
def _is_read(letter: str) -> bool:
    return not letter.isalnum() or letter in READ_SIGNS or is_readable(letter)
