"""Where long text is cut before synthesis: upstream's six methods, and the chunks made of them.

`cut_text` returns exactly upstream's newline-joined string (compat SPEC 7), except that empty text,
on which two of upstream's methods raise, gives an empty string. `split_text`
makes the chunks that are spoken.
"""

from __future__ import annotations

import re

SENTENCE_ENDS = frozenset("，。？！,.?!~:：—…")
# What upstream calls punctuation when it drops a part; fullwidth marks are not in it.
_PUNCTUATION = frozenset("!?…,.- ")
# "；" (U+FF1B) is missing upstream, where ";" is listed twice.
_EVERY_MARK = frozenset(",.;?!、，。？！：…")

_MAX_CHARACTERS = 510  # BERT takes no more characters than this
_MIN_CHARACTERS = 5
_WORD = re.compile(r"[^\W_]")
# Marks between digits belong to the number, in this disguise while a text is cut.
_SHIELDED = {mark: chr(0xE100 + number) for number, mark in enumerate(".,:~，：—")}
_UNSHIELDED = {ord(sign): mark for mark, sign in _SHIELDED.items()}
_MARK_IN_NUMBER = re.compile(r"(?<=[0-9%])[.,:~，：—](?=[0-9])")
_CUTTING_PLACES = tuple(
    re.compile(places)
    for places in (r"[。？！!?…]|\.(?=\s)", "[，、；：,;:~—]", r"\s+", r"\w(?![\w{}])", ".")
)
_REPEATED_MARKS = re.compile(r"([!?…,.\-])[!?…,.\-]+")


def cut_text(text: str, method: str) -> str:
    """Cut `text` by one of `contract.speak_table.SLICE_METHODS`; KeyError for another name."""
    return _METHODS[method](text.strip("\n"))


def split_clauses(text: str) -> list[str]:
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


def split_text(text: str, method: str, language: str) -> list[str]:
    """Split `text` into chunks to be spoken one by one; none when there is no word in it.

    Short chunks join the next until they have five characters, every chunk ends in a sentence
    end, a very short first clause gets one in front (the GPT swallows it otherwise), and
    chunks longer than 510 characters are split.
    """
    mark = "." if language == "en" else "。"
    text = _shield_numbers(_REPEATED_MARKS.sub(r"\1", text.strip("\n")))
    if not _WORD.search(text):
        return []
    if text[0] not in SENTENCE_ENDS and len(split_clauses(text)[0].rstrip("。.")) < 4:
        text = mark + text
    lines = [line for line in cut_text(text, method).split("\n") if line.strip()]
    found = []
    for line in _merge_short(lines):
        if _WORD.search(line):
            whole = line if line[-1] in SENTENCE_ENDS else line + mark
            found.extend(map(_unshield_numbers, _split_long(whole)))
    return found


def split_in_two(text: str) -> tuple[str, str] | None:
    """Cut one piece at the best place near its middle: sentence, clause, blank, character.

    None when it is too short to be cut.
    """
    text = _shield_numbers(text)
    middle = len(text) // 2
    for places in _CUTTING_PLACES:
        ends = [match.end() for match in places.finditer(text) if match.end() < len(text)]
        # A cut near an end would leave the longer half as long as before.
        ends = [end for end in ends if len(text) // 8 < end < len(text) - len(text) // 8]
        if ends:
            end = min(ends, key=lambda end: abs(end - middle))
            first, second = _unshield_numbers(text[:end]), _unshield_numbers(text[end:])
            return first, second.lstrip()
    return None


def _shield_numbers(text: str) -> str:
    """Hide the marks inside numbers, times and ranges, which are no place to cut."""
    return _MARK_IN_NUMBER.sub(lambda match: _SHIELDED[match.group()], text)


def _unshield_numbers(text: str) -> str:
    return text.translate(_UNSHIELDED)


def _merge_short(lines: list[str]) -> list[str]:
    merged: list[str] = []
    pending = ""
    for line in lines:
        pending += line
        if len(pending) >= _MIN_CHARACTERS:
            merged.append(pending)
            pending = ""
    if pending and merged:
        merged[-1] += pending
    elif pending:
        merged.append(pending)
    return merged


def _split_long(chunk: str) -> list[str]:
    """Cut at sentence ends, and inside a clause only where it alone is too long."""
    if len(chunk) <= _MAX_CHARACTERS:
        return [chunk]
    parts = [
        clause[first : first + _MAX_CHARACTERS]
        for clause in split_clauses(chunk)
        for first in range(0, len(clause), _MAX_CHARACTERS)
    ]
    joined = [""]
    for part in parts:
        if len(joined[-1]) + len(part) > _MAX_CHARACTERS:
            joined.append("")
        joined[-1] += part
    return [part for part in joined if _WORD.search(part)]


def _join_parts(parts: list[str]) -> str:
    return "\n".join(part for part in parts if not set(part) <= _PUNCTUATION)


def _keep_whole(text: str) -> str:
    return "\n" if set(text) <= _PUNCTUATION else text


def _four_clauses(text: str) -> str:
    found = split_clauses(text)
    # Upstream drops the last start, so a short tail stays with the group before it.
    starts = list(range(0, len(found), 4))[:-1]
    if not starts:
        return _join_parts([text])
    ends = [*starts[1:], len(found)]
    return _join_parts(["".join(found[a:b]) for a, b in zip(starts, ends, strict=True)])


def _fifty_characters(text: str) -> str:
    found = split_clauses(text)
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
    return _join_parts(groups)


def _chinese_full_stop(text: str) -> str:
    return _join_parts(text.strip("。").split("。"))


def _english_full_stop(text: str) -> str:
    return _join_parts(re.split(r"(?<!\d)\.(?!\d)", text.strip(".")))


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
    "none": _keep_whole,
    "4clauses": _four_clauses,
    "50chars": _fifty_characters,
    "zh_period": _chinese_full_stop,
    "en_period": _english_full_stop,
    "punct": _every_mark,
}
