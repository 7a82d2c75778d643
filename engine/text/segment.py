"""Split a text of several languages into segments of one language each (compat SPEC 6.7).

Scripts decide first: Latin letters, kana and hangul are unambiguous. Characters shared by Chinese
and Japanese are assigned by the national character sets and by the clauses around them. The
segments joined are the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.speak_table import LANGUAGE_MODES
from sovdeck.engine.text.identify_languages import identify_languages


class LanguageSegment(NamedTuple):
    """A part of a text in one language: zh, ja, en, ko or yue."""

    text: str
    language: str


# Letters with and without marks; × and ÷ lie among them but are no letters.
_LATIN = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\uff21-\uff3a\uff41-\uff5a"
# A measure right behind its number is read as the number is: 65kg is no English word.
UNITS = (
    "(?:km/h|m/s|[kcmdnμ]?m[²³23]?|[kmμ]?g|KG|[mdc]?[lL]|cc|°[CF]|[kMG]?Hz|[KkMGT]B|[kMG]bps"
    "|t|kWh|[kM]?W|mAh|mA|k?V|d[Bb]|k?cal|k?Pa|px|rpm|fps|ms|min|mph|oz|lb)"
)
# A reading in braces belongs to the word before it, whatever letters it is written in.
_TOKEN = re.compile(
    r"(?P<glue>\{[^{}]*\})"
    rf"|(?P<latin>[{_LATIN}](?:[{_LATIN}'’.\-]*[{_LATIN}])?)"
    r"|(?P<digits>[0-9\uff10-\uff19](?:[0-9\uff10-\uff19.,:/]*[0-9\uff10-\uff19])?"
    rf"(?:{UNITS}(?![{_LATIN}]))?)"
    r"|(?P<script>[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\u3400-\u9fff\uf900-\ufaff々〇"
    r"\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]+)"
    r"|(?P<space>\s+)"
    r"|(?P<mark>.)",
    re.DOTALL,
)


def segment_by_language(text: str, mode: str) -> list[LanguageSegment]:
    """Segments of `text` in one of LANGUAGE_MODES; Problem for any other mode.

    `all_X` reads everything but Latin words as X; `X` gives numbers beside Latin words to
    English too; `auto` finds each clause's language, `auto_yue` reads its Chinese as Cantonese.
    """
    if mode not in LANGUAGE_MODES:
        raise Problem(
            "engine.text.mode", ExitCode.CONFIG, mode=mode, modes=", ".join(LANGUAGE_MODES)
        )
    if not text:
        return []
    if mode == "en":
        return [LanguageSegment(text, "en")]
    if mode.startswith("all_"):
        default = mode.removeprefix("all_")
        return _merge_neighbours(
            _split_scripts(text, digits=default), lambda language: language or default
        )
    segments = _merge_neighbours(_split_scripts(text, digits=None))
    if mode in ("auto", "auto_yue"):
        found = identify_languages(
            [segment.text if not segment.language else None for segment in segments]
        )
        spread: list[LanguageSegment] = []
        for segment, parts in zip(segments, found, strict=True):
            spread.extend(
                [segment] if parts is None else (LanguageSegment(*part) for part in parts)
            )
        chinese = "yue" if mode == "auto_yue" else "zh"
        return _merge_neighbours(spread, lambda language: chinese if language == "zh" else language)
    return _merge_neighbours(segments, lambda language: language or mode)


def _split_scripts(text: str, digits: str | None) -> list[LanguageSegment]:
    """Segments of language en, "" (any other script), or the one numbers are read in."""
    tokens = [(match.lastgroup or "", match.group()) for match in _TOKEN.finditer(text)]
    languages: list[str | None] = []
    for kind, _ in tokens:
        languages.append({"latin": "en", "script": "", "digits": digits}.get(kind))
    if digits is None:
        _assign_digits(tokens, languages)
    segments: list[LanguageSegment] = []
    before = ""  # leading marks and blanks go to the first segment
    for (_, part), language in zip(tokens, languages, strict=True):
        if language is not None:
            segments.append(LanguageSegment(before + part, "" if language == digits else language))
            before = ""
        elif segments:
            segments[-1] = LanguageSegment(segments[-1].text + part, segments[-1].language)
        else:
            before += part
    return [*segments, LanguageSegment(before, "")] if before else segments


def _assign_digits(tokens: Sequence[tuple[str, str]], languages: list[str | None]) -> None:
    """Numbers take the language around them; between two, the side no mark cuts them from."""
    for position, (kind, _) in enumerate(tokens):
        if kind != "digits":
            continue
        left = _neighbour(tokens, languages, range(position - 1, -1, -1))
        right = _neighbour(tokens, languages, range(position + 1, len(tokens)))
        if left is None or right is None:
            found = left or right
            languages[position] = found[0] if found else ""
        elif left[0] == right[0]:
            languages[position] = left[0]
        elif left[1] != right[1]:
            languages[position] = right[0] if left[1] else left[0]
        else:
            languages[position] = (left if left[2] >= right[2] else right)[0]


def _neighbour(
    tokens: Sequence[tuple[str, str]], languages: Sequence[str | None], positions: range
) -> tuple[str, bool, int] | None:
    """Language of the nearest word at `positions`, whether a mark is before it, its length."""
    marked = False
    for position in positions:
        kind, part = tokens[position]
        language = languages[position]
        if language is not None:
            return language, marked, len(part)
        marked = marked or kind == "mark"
    return None


def _merge_neighbours(
    segments: Sequence[LanguageSegment], rename: Callable[[str], str] = lambda language: language
) -> list[LanguageSegment]:
    joined: list[LanguageSegment] = []
    for segment in segments:
        language = rename(segment.language)
        if joined and joined[-1].language == language:
            joined[-1] = LanguageSegment(joined[-1].text + segment.text, language)
        else:
            joined.append(LanguageSegment(segment.text, language))
    return joined
