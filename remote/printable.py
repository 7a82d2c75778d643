"""Foreign text made harmless for a terminal: nothing in it moves the cursor or reverses a line."""

from __future__ import annotations

import re

# Whole escape sequences: CSI, OSC and the other strings (ended by BEL or ST), then two-byte ones.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# C0 but tab and newline, DEL, C1; bidirectional marks; line and paragraph separators.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def strip_escapes(text: str) -> str:
    """Remove whole escape sequences: what a program coloured reads as it was meant."""
    return _ESCAPES.sub("", text)


def strip_controls(text: str) -> str:
    """Remove every character that a terminal obeys instead of showing; tab and newline stay.

    What a sequence held stays too, as text: nobody can hide the rest of a line by an open one. A
    lone surrogate, which no terminal can be sent, becomes U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return text
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", _CONTROLS.sub("", text))
