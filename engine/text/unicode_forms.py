"""One form for every way Unicode has to write the same character.

NFKC, but not for what carries meaning: fractions, powers, degrees and marks stay for the
language's own rules. Characters nobody can read aloud (controls, lone surrogates, private use,
variation selectors, emoji joiners) go.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from sovdeck.engine.text.aligned import AlignedText

# Plain texts are recognised at once: ASCII, CJK marks, kana, Han, hangul and full-width marks.
_ORDINARY = re.compile(
    "[\n\x20-\x7e\u2018\u2019\u201c\u201d\u2014\u2026\u00b7\u3001-\u3003\u3005-\u301b"
    "\u3041-\u3096\u309b-\u309e\u30a1-\u30fe\u3400-\u9fff\uac00-\ud7a3\uff01\uff05\uff08\uff09\uff0c\uff1a"
    "\uff1b\uff1f\uff5e]*"
)
# A character with the marks that belong to it, or hangul letters that make one syllable.
_CLUSTER = re.compile(
    "[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?"
    "|[\uac00-\ud7a3][\u11a8-\u11c2]?"
    "|[^\n\x20-\x7e\u3041-\u3096\u3400-\u9fff](?:[\u0300-\u036f\u3099\u309a\uff9e\uff9f\u20dd-\u20e4]"
    "|[\ufe00-\ufe0f\u200d])*"
    "|[\x20-\x7e\u3041-\u3096](?:[\u0300-\u036f\u3099\u309a\uff9e\uff9f\ufe00-\ufe0f\u20dd-\u20e4])+"
)
_GONE = ("Cc", "Cf", "Cs", "Co", "Mn", "Me", "Cn")
_BLANKS = re.compile("[\u0085\u2028\u2029\u000b\u000c\r]\n?")
# Kept: compatibility hangul letters, powers, and ordinal signs are the languages' own business.
_KEPT = re.compile("[\u3131-\u318eªº\u02b0-\u02ff\u2070-\u209c\u00b2\u00b3\u00b9ⁿ\uff65]")
_WHOLE_SYMBOLS = re.compile(
    "[\u2e80-\u2fdf\u3200-\u33ff\u2100-\u214f\u2160-\u2188\U0001f100-\U0001f1e5￡￠￦￫]"
)
_SPELLED = {
    "℃": "°C",
    "℉": "°F",
    "№": "No.",
    "℡": "TEL",
    "㏄": "cc",
    "㈱": "株式会社",
    "㈲": "有限会社",
    "‐": "-",
    "‑": "-",
    "‒": "–",
    "―": "—",
    "−": "-",
    "﹣": "-",
    "－": "-",
    "＋": "+",
    "＝": "=",
    "＜": "<",
    "＞": ">",
    "＊": "*",
    "／": "/",
    "＼": "/",
    "＆": "&",
    "＠": "@",
    "＃": "#",
    "＄": "$",
    "￥": "￥",
    "￡": "£",
    "￦": "₩",
    "．": ".",
    "＿": "_",
    "｜": "|",
    "［": "(",
    "］": ")",
    "〔": "(",
    "〕": ")",
    "｡": "。",
    "､": "、",
    "｢": "「",
    "｣": "」",
    "･": "・",
    "〜": "～",
    "∼": "~",
    "⁓": "~",
    "∶": ":",
    "﹪": "%",
    "＂": '"',
    "＇": "'",
    "ʼ": "’",
    "′": "′",
    "⁄": "/",
    "∕": "/",
    "ㆍ": "·",
    "•": "·",
    "‧": "·",
    "⋯": "…",
    "︙": "…",
    "\u00a0": " ",
    "\u3000": " ",
    "°": "°",
    "º": "°",
    "˚": "°",
    "µ": "μ",
    "≧": "≥",
    "≦": "≤",
    "⩾": "≥",
    "⩽": "≤",
    **{chr(0x2080 + n): str(n) for n in range(10)},
}
# Letters in circles and squares that have no compatibility form of their own.
_FRAMED = {chr(start + n): chr(ord("A") + n) for start in (0x1F150, 0x1F170) for n in range(26)}
# Radicals that fonts and PDF files put in a character's place (EquivalentUnifiedIdeograph.txt).
_RADICALS = dict(
    zip(
        "⺎⺒⺓⺟⺠⻁⻄⻅⻆⻉⻋⻑⻒⻓⻔⻗⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲⻳",
        "兀巳幺母民虎西见角贝车長镸长门雨青韦页风飞食马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟",
        strict=True,
    )
)
_ROMAN = {chr(0x2160 + n): str(n + 1) for n in range(12)} | {
    chr(0x2170 + n): str(n + 1) for n in range(12)
}
# Letters of hangul that stand alone: the form of the keyboard.
_LONE_JAMO = {
    **dict(
        zip(map(chr, range(0x1100, 0x1113)), "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ", strict=True)
    ),
    **{chr(0x1161 + n): chr(0x314F + n) for n in range(21)},
}
_FACE = re.compile("[(（]([^()（）\n]{1,16})[)）][ノﾉvvっoOσ♡♪☆✧۶و٩ヽヾ/\\\\]{0,3}")
_FACE_SIGN = re.compile("[｡･ω´｀`▽∀≧≦°□д￣_^๑•̀ᴗ◕‿ಠ益♡*ᵕ˘³ﾟ∇⌒ー;；=><＞＜TД╥﹏¯╯╰︿ㅅㅂ・]")
_FACE_WORD = re.compile("[A-Za-z\u3400-\u9fff\u3041-\u30fa\uac00-\ud7a3]{2}|[0-9\u4e00-\u9fff]")


def normalize_unicode(text: str) -> AlignedText:
    """Return `text` in its one form, with the sources of its characters."""
    aligned = AlignedText.of(text)
    if ("(" in text or "（" in text) and _FACE.search(text):
        aligned = aligned.sub(_FACE, _face)
    if _ORDINARY.fullmatch(aligned.text):
        return aligned
    aligned = aligned.sub(_BLANKS, lambda match: "\n")
    return aligned.map(_CLUSTER, lambda match: _one_form(match.group()))


def _face(match: re.Match[str]) -> str:
    """Return "" for a face made of signs: it has no sound."""
    inside = match[1]
    signs = len(_FACE_SIGN.findall(inside))
    if len(inside) < 2 or signs < 2 or 2 * signs < len(inside) or _FACE_WORD.search(inside):
        return match[0]
    return "" if match.start() == 0 else " "


@lru_cache(maxsize=8192)
def _one_form(cluster: str) -> str:
    """Return one character with its marks in the form that the readers know."""
    first = cluster[0]
    spelled = _SPELLED.get(first) or _ROMAN.get(first) or _RADICALS.get(first)
    if spelled is not None:
        return spelled
    if _KEPT.match(first):
        return first
    if first == "\t":
        return " "
    if first in _FRAMED:
        return _FRAMED[first]
    if first in _LONE_JAMO and len(cluster) == 1:
        return _LONE_JAMO[first]
    category = unicodedata.category(first)
    if category in _GONE:
        return _one_form(cluster[1:]) if len(cluster) > 1 else ""
    if category == "Zs":
        return " "
    bare = "".join(c for c in cluster if not "\ufe00" <= c <= "\ufe0f" and c != "\u200d")
    bare = "".join(c for c in bare if not "\u20dd" <= c <= "\u20e4")
    if category == "Nd":
        return str(unicodedata.digit(first))
    if category[0] == "L" or _WHOLE_SYMBOLS.match(first):
        form = _without_rest(unicodedata.normalize("NFKC", bare))
        form = _LONE_JAMO.get(form, form)
        # A lone vowel sign's form is the sign on a blank: the sign is kept, and named as unread.
        return form if any(unicodedata.category(c)[0] == "L" for c in form) else bare
    if category in ("No", "So") and "\u2474" <= first <= "\u24ff":
        return unicodedata.normalize("NFKC", first).strip("().")
    return unicodedata.normalize("NFC", bare)


def _without_rest(text: str) -> str:
    """Return `text` in NFKC without blanks and slashes that the form itself brought in."""
    return text.replace("\u2044", "/").strip()
