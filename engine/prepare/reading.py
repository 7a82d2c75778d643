"""The text of an item as phones and, for Chinese, the text encoder's features."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch

from engine.text.clean import clean
from engine.text.lexicon import Lexicon
from engine.text.phones import Phones
from engine.text.segment import Piece, segment

# Chinese and Cantonese reading has no Latin letters: upstream drops them from transcripts, so
# that the sound of "iPhone" is learnt as part of its neighbours. They are read as English here,
# as the same text is when it is spoken.
_WITHOUT_LATIN = ("zh", "yue")
_LATIN = re.compile(r"[A-Za-z\uff21-\uff3a\uff41-\uff5a]{2,}")


@dataclass(frozen=True)
class ItemText:
    """Phones, and features (1024, phones) where a piece is Chinese and there is an encoder."""

    phones: Phones
    features: torch.Tensor | None


def read_text(text: str, language: str, lexicon: Lexicon, encoder: Any) -> ItemText:
    """Read the transcript of one item; `encoder` is a TextEncoder or None."""
    pieces = [Piece(text, language)]
    if language in _WITHOUT_LATIN and _LATIN.search(text):
        pieces = segment(text, language)
    read = [clean(piece.text, piece.language, lexicon) for piece in pieces]
    phones = [phone for part in read for phone in part.phones]
    # Upstream's word2ph counts characters of Chinese only, so mixed text has none.
    word2ph = read[0].word2ph if len(read) == 1 else None
    together = Phones(phones, word2ph, "".join(part.normalized for part in read))
    if encoder is None or language != "zh" or not phones:
        return ItemText(together, None)
    parts = []
    for piece, part in zip(pieces, read, strict=True):
        if piece.language == "zh" and part.word2ph:
            parts.append(encoder.features(part.normalized, part.word2ph).cpu())
        else:
            parts.append(torch.zeros(encoder.hidden, len(part.phones)))
    return ItemText(together, torch.cat(parts, dim=1))
