"""The reading of a homograph, from its neighbours alone.

Upstream uses a part-of-speech tagger whose data must be downloaded; these few rules cover the
frequent cases without one.
"""

from __future__ import annotations

_WORDS_BEFORE_INFINITIVE = frozenset(
    "to i you we they who will would can could shall should may might must do does did don't "
    "doesn't didn't won't wouldn't can't couldn't let's please not i'll you'll we'll "
    "they'll i'd you'd we'd they'd".split()
)
_WORDS_AFTER_INFINITIVE = frozenset(
    "the a an this that these those my your his her its our their it me him them us".split()
)
_HAVING = frozenset("have has had having i've we've you've they've".split())
_BEING = frozenset("is are was were be been being am i'm it's he's she's get gets got".split())
_PAST_SUBJECT = frozenset("he she it already never ever just".split())
_DEGREE = frozenset("very more most so too quite really rather less".split())


def is_part_of_speech(part: str, word: str, before: str, after: str) -> bool:
    """Whether `word` between two lower-case neighbours ("" at a border) is of `part`."""
    if part == "VBD":  # only "read"
        return before in _HAVING or before in _BEING or before in _PAST_SUBJECT
    if part == "VBN":  # only "used": "used to" is the other reading
        return after != "to" or before in _BEING
    if part == "ADJ":  # only "complex"
        return before in _DEGREE or before in _BEING or after.isalpha()
    if part == "N":  # "content", "closer": the other reading is the adjective
        return not (before in _DEGREE or before in _BEING or word == "closer")
    if before in _WORDS_BEFORE_INFINITIVE:
        return True
    return not before and after in _WORDS_AFTER_INFINITIVE
