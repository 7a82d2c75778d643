"""The bytes of a text from outside as characters."""

from __future__ import annotations

import codecs
import re

from sovdeck.engine.contract.dataset.encoding import ENCODINGS, guess_encoding

_DECLARED = re.compile(rb"""^[^>]{0,200}\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode_plain(data: bytes) -> tuple[str, str]:
    """The text of a file, and the encoding that was guessed for it, "" for UTF-8."""
    guessed = guess_encoding(data)
    codec = ENCODINGS[guessed] if guessed else "utf-8"
    text = data.decode(codec, "replace").removeprefix("\ufeff")
    return text.replace("\r\r\n", "\n"), guessed or ""  # a line's end that was written twice over


def decode_markup(data: bytes) -> str:
    """The text of an XML or HTML file, by its mark or its declaration, else UTF-8."""
    if data.startswith(_UTF16):
        return data.decode("utf-16", "replace")
    declared = _DECLARED.match(data)
    name = declared[1].decode("ascii") if declared else "utf-8"
    try:
        return data.decode(name, "replace").removeprefix("\ufeff")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace").removeprefix("\ufeff")
