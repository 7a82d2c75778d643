"""Grapheme-to-phoneme conversion of every language: phones, word2ph, normalised text (SPEC 6.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.lexicon_span import LexiconSpan
from sovdeck.engine.text.phones import Phones

# Raised whenever any text may get other phones than before: prepared texts are then redone.
REVISION = 4

_LANGUAGE_MODULES = {
    "en": "sovdeck.engine.text.en.g2p",
    "ja": "sovdeck.engine.text.ja.g2p",
    "ko": "sovdeck.engine.text.ko.g2p",
    "yue": "sovdeck.engine.text.yue.g2p",
    "zh": "sovdeck.engine.text.zh.g2p",
}
TEXT_LANGUAGES = tuple(_LANGUAGE_MODULES)
_EMPTY_LEXICON = Lexicon()


def phonemize(text: str, language: str, lexicon: Lexicon | None = None) -> Phones:
    """Phones of `text`, read as one of TEXT_LANGUAGES; Problem for another language.

    `lexicon` holds the user's own readings and the optional model for Chinese polyphones. Inline
    readings take precedence over it, and the user's over everything else.
    """
    if language not in TEXT_LANGUAGES:
        raise Problem("engine.text.language", ExitCode.DATA, language=language)
    lexicon = lexicon or _EMPTY_LEXICON
    return phonemize_spans(lexicon.split_spans(text, language), language, lexicon)


def phonemize_spans(spans: Sequence[LexiconSpan], language: str, lexicon: Lexicon) -> Phones:
    """Phones of a text that is already cut at the readings the user gave."""
    # Each language loads its own dictionaries: only the one that is needed is imported.
    to_phones: Callable[..., Phones] = import_module(_LANGUAGE_MODULES[language]).to_phones
    return to_phones(spans, lexicon.polyphones) if language == "zh" else to_phones(spans)
