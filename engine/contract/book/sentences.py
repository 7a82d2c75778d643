"""Paragraphs cut into sentences, as people would say them in one breath or two."""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 300  # characters; the speech model takes about twice as many
_SHORTEST = 12  # in half-width columns: what is shorter is said with its neighbour
_CLOSING = "\"'”’»」』）)\\]】》〉"
_END = re.compile(rf"(?:[。！？!?…]+|\.+)[{_CLOSING}]*")
# A full stop that ends no sentence: after an initial or one of these, or inside a word or number.
_ABBREVIATION = re.compile(
    r"\b(?:[A-Z]|(?i:mr|mrs|ms|dr|prof|st|sr|jr|no|vs|fig|vol|pp?|cf|approx|e\.g|i\.e))\.$"
)
_GOES_ON = re.compile(r"\s*[a-z]")
_WORD = re.compile(r"[^\W_]")
_CUTS = (re.compile(r"[;:；：]\s*"), re.compile(r"[,，、—]\s*"), re.compile(r"\s+"))


def cut_sentences(paragraph: str) -> list[str]:
    """Cut one paragraph; what has no word in it is left out, what is very short is joined."""
    text = " ".join(paragraph.split())
    found: list[str] = []
    waiting = ""
    for part in _split(text):
        waiting = f"{waiting}{part}"
        if _columns(waiting.strip()) >= _SHORTEST:
            found.append(waiting.strip())
            waiting = ""
    if waiting.strip():
        if found and len(found[-1]) + len(waiting) <= LONGEST:
            found[-1] += waiting.rstrip()
        else:
            found.append(waiting.strip())
    return [short for one in found if _WORD.search(one) for short in _shorten(one)]


def _split(text: str) -> Iterator[str]:
    """The sentences of a text, together all of it."""
    start = 0
    for match in _END.finditer(text):
        end = match.end()
        if _ends_sentence(text, match):
            yield text[start:end]
            start = end
    if start < len(text):
        yield text[start:]


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    end = match.end()
    if end == len(text):
        return True
    if _GOES_ON.match(text, end):  # "Who?" he said.
        return False
    if match.group().startswith("."):
        if not text[end].isspace():
            return False
        before = text[max(0, match.start() - 12) : match.start() + 1]
        return _ABBREVIATION.search(before) is None
    return True


def _shorten(sentence: str) -> Iterator[str]:
    """Cut what is longer than LONGEST at the last good place before it."""
    while len(sentence) > LONGEST:
        end = LONGEST
        for places in _CUTS:
            ends = [m.end() for m in places.finditer(sentence, LONGEST // 3, LONGEST)]
            if ends:
                end = ends[-1]
                break
        if _WORD.search(sentence[:end]):
            yield sentence[:end].strip()
        sentence = sentence[end:].strip()
    if _WORD.search(sentence):
        yield sentence


def _columns(text: str) -> int:
    """How wide it is: East Asian characters count twice."""
    return sum(2 if char >= "\u2e80" else 1 for char in text)
