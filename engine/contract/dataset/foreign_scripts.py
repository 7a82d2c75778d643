"""Letters that no reader of a language has a sound for, found by their script alone.

This needs no dictionary, so a laptop can say it at once; a server that reads the text itself
also finds rare characters (see `sovdeck.engine.text.reader`).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_HAN = "\u2e80-\u2fdf\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af々〇"
_LATIN = "A-Za-z\u00aa\u00ba\u00c0-\u02af\u1e00-\u1eff\ufb00-\ufb06\uff21-\uff3a\uff41-\uff5a"
_OTHERS = "\u0370-\u03ff\u2070-\u209c\u2100-\u218b\u2460-\u24ff\u3200-\u33ff\U0001d400-\U0001d7ff"
_KANA = "\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f\u3099\u309a"
_HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3\uffa0-\uffdc"
_SCRIPTS = {"zh": _HAN, "yue": _HAN, "ja": _HAN + _KANA, "ko": _HANGUL, "en": ""}
_FOREIGN = {
    language: re.compile(f"[^\\W\\d_{scripts}{_LATIN}{_OTHERS}]")
    for language, scripts in _SCRIPTS.items()
}
_FOREIGN["auto"] = _FOREIGN["auto_yue"] = re.compile(
    f"[^\\W\\d_{_HAN}{_KANA}{_HANGUL}{_LATIN}{_OTHERS}]"
)
_BRACES = re.compile(r"\{[^{}]*\}")
_LETTERS = ("Lu", "Ll", "Lt", "Lo")


@lru_cache(maxsize=1 << 16)  # a list is judged again at each corrected word
def find_foreign_letters(text: str, mode: str) -> tuple[tuple[str, int], ...]:
    """Return letters of `text` and their indices that cannot be read in a language mode."""
    pattern = _FOREIGN.get(mode.removeprefix("all_"))
    if pattern is None or text.isascii():
        return ()
    given = [match.span() for match in _BRACES.finditer(text)]
    return tuple(
        (match.group(), match.start())
        for match in pattern.finditer(text)
        if _is_letter(match.group())
        and not any(start < match.start() < end for start, end in given)
    )


@lru_cache(maxsize=4096)
def _is_letter(letter: str) -> bool:
    return unicodedata.category(letter) in _LETTERS
