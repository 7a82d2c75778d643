"""One entry for every language: text to phones, word2ph and normalised text (SPEC 6.2)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from engine.contract.problem import ExitCode, Problem
from engine.text.lexicon import Lexicon
from engine.text.phones import Phones

# Raised whenever any text may read differently than before: prepared texts are then redone.
REVISION = 2

_READERS = {
    "en": "engine.text.en.reading",
    "ja": "engine.text.ja.reading",
    "ko": "engine.text.ko.reading",
    "yue": "engine.text.yue.reading",
    "zh": "engine.text.zh.reading",
}
LANGUAGES = tuple(_READERS)
_NO_WORDS = Lexicon()


def clean(text: str, language: str, lexicon: Lexicon | None = None) -> Phones:
    """Phones of `text`, read as one language of LANGUAGES.

    `lexicon` holds the user's own readings and the model for Chinese polyphones, where there is
    one; inline readings win over it, and the user's win over everything else. Problem when
    the language is none of ours.
    """
    if language not in LANGUAGES:
        raise Problem("engine.text.language", ExitCode.DATA, language=language)
    # Each language brings its own dictionaries: only those of the language at hand are loaded.
    read: Callable[..., Phones] = import_module(_READERS[language]).read
    lexicon = lexicon or _NO_WORDS
    spans = lexicon.spans(text, language)
    return read(spans, lexicon.polyphones) if language == "zh" else read(spans)
