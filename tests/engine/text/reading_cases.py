"""Cases of right readings: the phones of a text must equal those of its plain writing.

A line is `mode<TAB>text<TAB>reads as<TAB>source kind`. Instead of a plain writing it may say
`!kept` (no letter vanishes without being named) or `!silent` (no sound at all).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from sovdeck.engine.text.reader import SILENT, is_counted, read_text

CASES = Path(__file__).parent / "cases"
SHARED = Path(__file__).resolve().parents[2] / "data" / "text_cases.tsv"
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\n")


class Case(NamedTuple):
    """One line of a file of cases."""

    mode: str
    text: str
    reads_as: str
    kind: str


def load(path: Path) -> list[Case]:
    """Read a file of cases; `\\x00`, `\\ud83d` and `\\n` stand for those characters."""
    cases = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        mode, text, reads_as, kind, *_ = [*line.split("\t"), "", ""]
        text = _ESCAPE.sub(lambda m: chr(int(m[1] or m[2] or "a", 16)), text)
        cases.append(Case(mode, text, reads_as, kind))
    return cases


def sounds(text: str, mode: str) -> list[str]:
    """Phones of `text` without pauses and, since they move with it, accent marks."""
    return [phone for phone in read_text(text, mode).phones if phone not in SILENT]


def fault(case: Case) -> str:
    """What is wrong with the reading of a case; "" where it is right."""
    got = sounds(case.text, case.mode)
    reading = read_text(case.text, case.mode)
    if case.reads_as == "!silent":
        return f"speaks {' '.join(got)}" if got or not reading.is_silent else ""
    if case.reads_as == "!kept":
        letters = sum(map(is_counted, case.text))
        if reading.read + len(reading.lost) != letters:
            return f"{letters} letters, {reading.read} read, {len(reading.lost)} lost"
        return "" if got or reading.lost else "says nothing"
    wanted = sounds(case.reads_as, case.mode)
    if got == wanted:
        return ""
    return f"{case.reads_as!r}: wanted {' '.join(wanted)}, got {' '.join(got)}"
