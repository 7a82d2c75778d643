"""Text as the GPT reads it: phone ids with one BERT column each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.contract.problem import ExitCode, Problem
from engine.contract.speak_table import LANGUAGES
from engine.text.clean import clean
from engine.text.lexicon import Lexicon
from engine.text.symbols import ids

BERT_DIM = 1024
# With fewer phones than this the GPT rambles; upstream puts a full stop in front (SPEC 6.7).
_FEWEST = 6
_LATIN = re.compile(r"[A-Za-z]")


class BertFeatures(Protocol):
    """What the Chinese text encoder gives: one column of 1024 for each phone."""

    def features(self, text: str, word2ph: Sequence[int], /) -> Tensor:
        """(1024, sum(word2ph))."""
        ...


@dataclass(frozen=True)
class Phrase:
    """Phones (L,) int64, BERT features (1024, L) float32, and the text they stand for."""

    phones: Tensor
    bert: Tensor
    normalized: str

    def __add__(self, other: Phrase) -> Phrase:
        return Phrase(
            torch.cat((self.phones, other.phones)),
            torch.cat((self.bert, other.bert), dim=1),
            self.normalized + other.normalized,
        )


def read(
    text: str,
    language: str,
    encoder: BertFeatures | None = None,
    lexicon: Lexicon | None = None,
) -> Phrase:
    """Phones and features of `text`, read by one of the language modes of SPEC 6.7.

    Only Chinese has BERT features, and only when an encoder is given; all else is zeros.
    Problem when the language is none of ours, or nothing in the text can be read.
    """
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise Problem("engine.speaking.language", ExitCode.DATA, language=language, known=known)
    text = re.sub(r"  +", " ", text)
    phrase = _read_parts(text, language, encoder, lexicon)
    if len(phrase.phones) < _FEWEST:
        phrase = _read_parts("." + text, language, encoder, lexicon)
    if len(phrase.phones) == 0:
        raise Problem("engine.speaking.unreadable", ExitCode.DATA, text=text[:40])
    return phrase


def _read_parts(
    text: str, language: str, encoder: BertFeatures | None, lexicon: Lexicon | None
) -> Phrase:
    phrase = Phrase(torch.empty(0, dtype=torch.long), torch.empty(BERT_DIM, 0), "")
    for part, spoken in _parts(text, language):
        cleaned = clean(part, spoken, lexicon)
        phones = torch.tensor(ids(cleaned.phones), dtype=torch.long)
        bert = torch.zeros(BERT_DIM, len(phones))
        if spoken == "zh" and encoder is not None and cleaned.word2ph is not None:
            bert = encoder.features(cleaned.normalized, cleaned.word2ph).float().cpu()
        phrase += Phrase(phones, bert, cleaned.normalized)
    return phrase


def _parts(text: str, language: str) -> list[tuple[str, str]]:
    """(piece, language) pairs; the segmenter's dictionaries load only for mixed text."""
    if language == "en":
        return [(text, "en")]
    if not language.startswith("auto") and not _LATIN.search(text):
        return [(text, language.removeprefix("all_"))]
    from engine.text.segment import segment

    return [(piece.text, piece.language) for piece in segment(text, language)]
