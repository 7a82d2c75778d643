"""The text of an item as phones and, for Chinese, the text encoder's features."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch

from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.phonemize import phonemize
from sovdeck.engine.text.phones import Phones
from sovdeck.engine.text.reader import ReadPiece, read_text, transcript_mode
from sovdeck.engine.text.segment import LanguageSegment, segment_by_language

# Chinese and Cantonese reading has no Latin letters: upstream drops them from transcripts, so
# that the sound of "iPhone" is learnt as part of its neighbours. They are read as English here,
# as the same text is when it is spoken.
_WITHOUT_LATIN = ("zh", "yue")
_LATIN = re.compile(r"[A-Za-z\uff21-\uff3a\uff41-\uff5a]{2,}")


@dataclass(frozen=True)
class ItemText:
    """Phones, and features (1024, phones) where a segment is Chinese and there is an encoder."""

    phones: Phones
    features: torch.Tensor | None


def read_item_text(
    text: str, language: str, lexicon: Lexicon, encoder: Any, *, as_upstream: bool = False
) -> ItemText:
    """Read the transcript of one item; `encoder` is a TextEncoder or None.

    It is read as a text to be spoken is, or with `as_upstream` by GPT-SoVITS's own rules.
    """
    if as_upstream:
        parts = _read_as_upstream(text, language, lexicon)
    else:
        parts = list(read_text(text, transcript_mode(language), lexicon).pieces)
    phones = [phone for part in parts for phone in part.phones.phones]
    # Upstream's word2ph counts characters of Chinese only, so mixed text has none.
    word2ph = parts[0].phones.word2ph if len(parts) == 1 else None
    together = Phones(phones, word2ph, "".join(part.phones.normalized for part in parts))
    if encoder is None or language != "zh" or not phones:
        return ItemText(together, None)
    features = []
    for part in parts:
        made = part.phones
        if part.language == "zh" and made.word2ph:
            features.append(encoder.features(made.normalized, made.word2ph).cpu())
        else:
            features.append(torch.zeros(encoder.hidden, len(made.phones)))
    return ItemText(together, torch.cat(features, dim=1))


def _read_as_upstream(text: str, language: str, lexicon: Lexicon) -> list[ReadPiece]:
    segments = [LanguageSegment(text, language)]
    if language in _WITHOUT_LATIN and _LATIN.search(text):
        segments = segment_by_language(text, language)
    return [
        ReadPiece(part.language, part.text, phonemize(part.text, part.language, lexicon))
        for part in segments
    ]
