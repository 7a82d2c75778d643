"""The language a text seems to be written in, by its letters: to say what else to choose."""

from __future__ import annotations

import re
from collections import Counter

# Code and the language's own name, which a reader of any language can do something with.
_SCRIPTS = (
    ("ja (日本語)", re.compile("[\u3041-\u30ff\uff66-\uff9d]")),
    ("ko (한국어)", re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")),
    ("zh (中文)", re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")),
    ("en (English)", re.compile("[A-Za-z\u00c0-\u024f]")),
    ("ru (русский)", re.compile("[\u0400-\u052f]")),
    ("ar (العربية)", re.compile("[\u0600-\u06ff\u0750-\u077f]")),
    ("th (ไทย)", re.compile("[\u0e00-\u0e7f]")),
    ("el (ελληνικά)", re.compile("[\u0370-\u03ff]")),
    ("he (עברית)", re.compile("[\u0590-\u05ff]")),
    ("hi (हिन्दी)", re.compile("[\u0900-\u097f]")),
)


def guess_language(text: str) -> str:
    """Return code and name of the language most of the letters belong to; "?" for none."""
    counts = Counter({name: len(pattern.findall(text)) for name, pattern in _SCRIPTS})
    # Kana stand beside kanji, which alone would be Chinese.
    if counts["ja (日本語)"]:
        counts["ja (日本語)"] += counts["zh (中文)"]
    name, count = counts.most_common(1)[0]
    return name if count else "?"
