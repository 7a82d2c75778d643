"""Text as the GPT reads it: phone ids with one BERT column each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.speak_table import LANGUAGE_MODES
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.reader import ReadPiece, read_text, unreadable_problem
from sovdeck.engine.text.symbols import phone_ids

BERT_DIM = 1024
# With fewer phones than this the GPT rambles; upstream puts a full stop in front (SPEC 6.7).
_MIN_PHONES = 6


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


def read_phrase(
    text: str,
    language: str,
    encoder: BertFeatures | None = None,
    lexicon: Lexicon | None = None,
) -> Phrase:
    """Read `text` as phones and features, by one of the language modes of SPEC 6.7.

    Only Chinese has BERT features, and only when an encoder is given; all else is zeros.
    Problem when the language is none of ours, or nothing in the text can be read.
    """
    if language not in LANGUAGE_MODES:
        raise language_problem(language)
    reading = read_text(text, language, lexicon)
    if reading.is_silent:
        raise unreadable_problem(text, language)
    if len(reading.phones) < _MIN_PHONES:
        # A full-width mark in front of a number makes no decimal of it.
        reading = read_text(("." if language in ("en", "ko") else "。") + text, language, lexicon)
    phrase = Phrase(torch.empty(0, dtype=torch.long), torch.empty(BERT_DIM, 0), "")
    for piece in reading.pieces:
        phrase += _encode_piece(piece, encoder)
    return phrase


def language_problem(language: str) -> Problem:
    """Return what says that `language` is none of the modes."""
    known = ", ".join(LANGUAGE_MODES)
    return Problem("engine.speaking.language", ExitCode.DATA, language=language, known=known)


def _encode_piece(piece: ReadPiece, encoder: BertFeatures | None) -> Phrase:
    made = piece.phones
    phones = torch.tensor(phone_ids(made.phones), dtype=torch.long)
    bert = torch.zeros(BERT_DIM, len(phones))
    if piece.language == "zh" and encoder is not None and made.word2ph is not None:
        bert = encoder.features(made.normalized, made.word2ph).float().cpu()
    return Phrase(phones, bert, made.normalized)
