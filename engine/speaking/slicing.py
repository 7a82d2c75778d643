"""Where long text is cut before synthesis: upstream's six methods, and the pieces made of them.

`cut` returns exactly upstream's newline-joined string (compat SPEC 7), except that empty text,
on which two of upstream's methods raise, gives an empty string. `pieces` is what is spoken.
"""

from __future__ import annotations

import re

SENTENCE_ENDS = frozenset("，。？！,.?!~:：—…")
# What upstream calls punctuation when it drops a piece; fullwidth marks are not in it.
_BARE = frozenset("!?…,.- ")
# "；" (U+FF1B) is missing upstream, where ";" is listed twice.
_EVERY_MARK = frozenset(",.;?!、，。？！：…")

_LONGEST = 510  # BERT takes no more characters than this
_SHORTEST = 5
_WORD = re.compile(r"[^\W_]")
_REPEATED_MARKS = re.compile(r"([!?…,.\-])[!?…,.\-]+")


def cut(text: str, method: str) -> str:
    """Cut `text` by one of `engine.contract.speak_table.SLICES`; KeyError for another name."""
    return _METHODS[method](text.strip("\n"))


def clauses(text: str) -> list[str]:
    """Split after every sentence end; an end mark is added where the text has none."""
    text = text.replace("……", "。").replace("——", "，")
    if not text:
        return []
    if text[-1] not in SENTENCE_ENDS:
        text += "。"
    found, start = [], 0
    for position, mark in enumerate(text):
        if mark in SENTENCE_ENDS:
            found.append(text[start : position + 1])
            start = position + 1
    return found


def pieces(text: str, method: str, language: str) -> list[str]:
    """The pieces of `text` to be spoken one by one; empty when there is no word in it.

    Short pieces join the next until they have five characters, every piece ends in a sentence
    end, a very short first clause gets one in front (the GPT swallows it otherwise), and
    pieces longer than 510 characters are split.
    """
    mark = "." if language == "en" else "。"
    text = _REPEATED_MARKS.sub(r"\1", text.strip("\n"))
    if not _WORD.search(text):
        return []
    if text[0] not in SENTENCE_ENDS and len(clauses(text)[0].rstrip("。.")) < 4:
        text = mark + text
    lines = [line for line in cut(text, method).split("\n") if line.strip()]
    found = []
    for line in _merge_short(lines):
        if _WORD.search(line):
            whole = line if line[-1] in SENTENCE_ENDS else line + mark
            found.extend(_split_long(whole))
    return found


def _merge_short(lines: list[str]) -> list[str]:
    merged: list[str] = []
    pending = ""
    for line in lines:
        pending += line
        if len(pending) >= _SHORTEST:
            merged.append(pending)
            pending = ""
    if pending and merged:
        merged[-1] += pending
    elif pending:
        merged.append(pending)
    return merged


def _split_long(piece: str) -> list[str]:
    """Cut at sentence ends, and inside a clause only where it alone is too long."""
    if len(piece) <= _LONGEST:
        return [piece]
    parts = [
        clause[first : first + _LONGEST]
        for clause in clauses(piece)
        for first in range(0, len(clause), _LONGEST)
    ]
    joined = [""]
    for part in parts:
        if len(joined[-1]) + len(part) > _LONGEST:
            joined.append("")
        joined[-1] += part
    return [part for part in joined if _WORD.search(part)]


def _join(parts: list[str]) -> str:
    return "\n".join(part for part in parts if not set(part) <= _BARE)


def _whole(text: str) -> str:
    return "\n" if set(text) <= _BARE else text


def _four_clauses(text: str) -> str:
    found = clauses(text)
    # Upstream drops the last start, so a short tail stays with the group before it.
    starts = list(range(0, len(found), 4))[:-1]
    if not starts:
        return _join([text])
    ends = [*starts[1:], len(found)]
    return _join(["".join(found[a:b]) for a, b in zip(starts, ends, strict=True)])


def _fifty_characters(text: str) -> str:
    found = clauses(text)
    if len(found) < 2:
        return text
    groups = [""]
    for clause in found:
        if len(groups[-1]) > 50:
            groups.append("")
        groups[-1] += clause
    if len(groups) > 1 and len(groups[-1]) < 50:
        last = groups.pop()
        groups[-1] += last
    return _join(groups)


def _chinese_full_stop(text: str) -> str:
    return _join(text.strip("。").split("。"))


def _english_full_stop(text: str) -> str:
    return _join(re.split(r"(?<!\d)\.(?!\d)", text.strip(".")))


def _every_mark(text: str) -> str:
    found, start = [], 0
    for position, mark in enumerate(text):
        between_digits = (
            mark == "."
            and 0 < position < len(text) - 1
            and text[position - 1].isdigit()
            and text[position + 1].isdigit()
        )
        if mark in _EVERY_MARK and not between_digits:
            found.append(text[start : position + 1])
            start = position + 1
    found.append(text[start:])
    return "\n".join(part for part in found if not set(part) <= _EVERY_MARK)


_METHODS = {
    "none": _whole,
    "4clauses": _four_clauses,
    "50chars": _fifty_characters,
    "zh_period": _chinese_full_stop,
    "en_period": _english_full_stop,
    "punct": _every_mark,
}
