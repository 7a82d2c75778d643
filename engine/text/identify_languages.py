"""Identify Chinese, Japanese and Korean clauses without a model.

Kana and hangul decide. A clause of shared characters alone is identified by the national
character sets: a character missing in JIS X 0208 is Chinese, one that only JIS has is Japanese.
Without such a character the clauses around it decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

LanguagePart = tuple[str, str]  # text, language

# In every Chinese text, and in next to no Japanese one, though its character set has them.
_CHINESE_WORDS = frozenset("你您她很吧呢啊哪咱呀哦")

_CLAUSE = re.compile(r".*?(?:[，。？！、；：…,.?!;:\n]+[\s”’」』）)]*|\Z)", re.DOTALL)
_KANA = re.compile("[\u3041-\u30fa\u30fd-\u30ff\u31f0-\u31ff\uff66-\uff9d]")
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
# Runs of one kind inside a clause; ー and 々 go with what is before them.
_RUN = re.compile(
    "(?P<ko>[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]+)"
    "|(?P<ja>[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f]+)"
    "|(?P<han>[\u3400-\u9fff\uf900-\ufaff々〇]+)"
    "|(?P<other>.)",
    re.DOTALL,
)


def identify_languages(texts: Sequence[str | None]) -> list[list[LanguagePart] | None]:
    """Language of each part of the texts of a sentence; None (another language) stays None."""
    sentence = "".join(text for text in texts if text)
    has_kana = _KANA.search(sentence) is not None
    # Chinese characters nobody writes in Japan: the kana are then a quotation.
    chinese = any(map(_is_only_chinese, _HAN.findall(sentence)))
    fallback = "ja" if has_kana and not chinese else "zh"
    found: list[list[LanguagePart] | None] = []
    before = ""
    for text in texts:
        if text is None:
            found.append(None)
            continue
        parts: list[LanguagePart] = []
        for clause in filter(None, _CLAUSE.findall(text)):
            for part, language in _split_clause(clause):
                language = language or (before if chinese and has_kana else "") or fallback
                parts.append((part, language))
                before = language
        found.append(parts)
    return found


def is_undecided(text: str) -> bool:
    """Whether `text` has Han characters and nothing by which to tell Chinese from Japanese."""
    if _KANA.search(text) or _HANGUL.search(text):
        return False
    characters = _HAN.findall(text)
    telling = (_is_only_chinese(one) or _is_only_japanese(one) for one in characters)
    return bool(characters) and not any(telling)


def _split_clause(clause: str) -> Iterator[LanguagePart]:
    """Parts of one clause; "" where the characters alone do not decide."""
    has_kana, has_hangul = _KANA.search(clause), _HANGUL.search(clause)
    if not has_kana and not has_hangul:
        yield clause, _language_of_characters(clause)
        return
    if has_hangul and not has_kana and not _HAN.search(clause):
        yield clause, "ko"
        return
    part = language = ""
    for run in _RUN.finditer(clause):
        kind, text = run.lastgroup or "", run.group()
        if kind == "han":
            # Beside kana, characters are Japanese unless nobody there writes them.
            kind = "zh" if any(map(_is_only_chinese, text)) else ("ja" if has_kana else "zh")
        if kind == "other" or kind == language:
            part += text
            continue
        if part and language:
            yield part, language
            part = ""
        part, language = part + text, kind
    yield part, language


def _language_of_characters(clause: str) -> str:
    """Language (zh, ja or "") of a clause without kana and hangul, by its characters."""
    characters = _HAN.findall(clause)
    if any(map(_is_only_chinese, characters)):
        return "zh"
    return "ja" if any(map(_is_only_japanese, characters)) else ""


@lru_cache(maxsize=8192)
def _is_only_chinese(character: str) -> bool:
    if character in _CHINESE_WORDS:
        return True
    in_china = _can_encode("gb2312", character) or _can_encode("big5", character)
    return in_china and not _can_encode("shift_jis", character)


@lru_cache(maxsize=8192)
def _is_only_japanese(character: str) -> bool:
    in_china = _can_encode("gb2312", character) or _can_encode("big5", character)
    return _can_encode("shift_jis", character) and not in_china


def _can_encode(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
