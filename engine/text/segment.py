"""Cut a text of several languages into pieces of one language each (compat SPEC 6.7).

Scripts decide first: Latin letters, kana and hangul say what they are. Characters shared by
Chinese and Japanese are told apart by who can write them and by the clauses around them.
Nothing is lost: the pieces joined are the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.contract.problem import ExitCode, Problem
from engine.text.identify import identify

MODES = (
    "all_zh", "all_ja", "all_ko", "all_yue", "en", "zh", "ja", "ko", "yue", "auto", "auto_yue",
)  # fmt: skip


class Piece(NamedTuple):
    """A stretch of text to be read as one language: zh, ja, en, ko or yue."""

    text: str
    language: str


# Letters with and without marks; × and ÷ lie among them but are no letters.
_LATIN = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\uff21-\uff3a\uff41-\uff5a"
# A measure right behind its number is read as the number is: 65kg is no English word.
_UNITS = "(?:[kcm]m[²³23]?|m[²³23]?|[km]g|ml|km/h)"
# A reading in braces belongs to the word before it, whatever letters it is written in.
_TOKEN = re.compile(
    r"(?P<glue>\{[^{}]*\})"
    rf"|(?P<latin>[{_LATIN}](?:[{_LATIN}'’.\-]*[{_LATIN}])?)"
    r"|(?P<digits>[0-9\uff10-\uff19](?:[0-9\uff10-\uff19.,:/]*[0-9\uff10-\uff19])?"
    rf"(?:{_UNITS}(?![{_LATIN}]))?)"
    r"|(?P<script>[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\u3400-\u9fff\uf900-\ufaff々〇"
    r"\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]+)"
    r"|(?P<space>\s+)"
    r"|(?P<mark>.)",
    re.DOTALL,
)


def segment(text: str, mode: str) -> list[Piece]:
    """Pieces of `text` in a mode of MODES; Problem for any other mode.

    `all_X` reads everything but Latin words as X; `X` gives numbers beside Latin words to
    English too; `auto` finds each clause's language, `auto_yue` reads its Chinese as Cantonese.
    """
    if mode not in MODES:
        raise Problem("engine.text.mode", ExitCode.CONFIG, mode=mode, modes=", ".join(MODES))
    if not text:
        return []
    if mode == "en":
        return [Piece(text, "en")]
    if mode.startswith("all_"):
        default = mode.removeprefix("all_")
        return _joined(_pieces(text, digits=default), lambda language: language or default)
    pieces = _joined(_pieces(text, digits=None))
    if mode in ("auto", "auto_yue"):
        found = identify([piece.text if not piece.language else None for piece in pieces])
        spread: list[Piece] = []
        for piece, parts in zip(pieces, found, strict=True):
            spread.extend([piece] if parts is None else (Piece(*part) for part in parts))
        chinese = "yue" if mode == "auto_yue" else "zh"
        return _joined(spread, lambda language: chinese if language == "zh" else language)
    return _joined(pieces, lambda language: language or mode)


def _pieces(text: str, digits: str | None) -> list[Piece]:
    """Pieces marked en, "" (any other script), or the language that numbers are read in."""
    tokens = [(match.lastgroup or "", match.group()) for match in _TOKEN.finditer(text)]
    languages: list[str | None] = []
    for kind, _ in tokens:
        languages.append({"latin": "en", "script": "", "digits": digits}.get(kind))
    if digits is None:
        _give_digits(tokens, languages)
    pieces: list[Piece] = []
    before = ""  # marks and blanks in front of everything go to the first piece
    for (_, part), language in zip(tokens, languages, strict=True):
        if language is not None:
            pieces.append(Piece(before + part, "" if language == digits else language))
            before = ""
        elif pieces:
            pieces[-1] = Piece(pieces[-1].text + part, pieces[-1].language)
        else:
            before += part
    return [*pieces, Piece(before, "")] if before else pieces


def _give_digits(tokens: Sequence[tuple[str, str]], languages: list[str | None]) -> None:
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
    """Language of the nearest word that way, whether a mark stands before it, its length."""
    marked = False
    for position in positions:
        kind, part = tokens[position]
        language = languages[position]
        if language is not None:
            return language, marked, len(part)
        marked = marked or kind == "mark"
    return None


def _joined(
    pieces: Sequence[Piece], rename: Callable[[str], str] = lambda language: language
) -> list[Piece]:
    joined: list[Piece] = []
    for piece in pieces:
        language = rename(piece.language)
        if joined and joined[-1].language == language:
            joined[-1] = Piece(joined[-1].text + piece.text, language)
        else:
            joined.append(Piece(piece.text, language))
    return joined
