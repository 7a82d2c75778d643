"""Rare and old forms of Han characters, and the common form each stands for.

The tables are those of packages: CJKVI's variants and the list of old forms that
pyopenjtalk-plus ships, and OpenCC's simplified, traditional and Japanese forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from sovdeck.engine.text.package_data import package_file

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_PAIR = re.compile(r'^    "(.)": "(.)",', re.MULTILINE)
_STEPS = 3
_VARIANT_TABLES = 2


def find_common_form(character: str, readable: Callable[[str], bool]) -> str:
    """Return the nearest form of `character` that is `readable`, else itself."""
    tried = {character}
    forms = [character]
    for step in range(_STEPS):
        following = []
        for form in forms:
            for other in _forms(form, only_regional=step > 0):
                if readable(other):
                    return other
                if other not in tried:
                    tried.add(other)
                    following.append(other)
        forms = following
    return character


def modern_form(character: str) -> str:
    """Return the form of today's Japan for one of before 1946."""
    return _tables()[0].get(character, character)


@cache
def old_forms() -> re.Pattern[str]:
    """Return what finds the characters that `modern_form` changes."""
    return re.compile(f"[{''.join(old for old, new in _tables()[0].items() if old != new)}]")


def _forms(character: str, only_regional: bool) -> Iterator[str]:
    # The variants of a variant are soon another word; a country's forms of one are not.
    for table in _tables()[_VARIANT_TABLES if only_regional else 0 :]:
        other = table.get(character)
        if other is not None and other != character:
            yield other


@cache
def _tables() -> tuple[Mapping[str, str], ...]:
    """Return the tables in the order they are asked."""
    opencc = ("JPVariants", "TSCharacters", "STCharacters")
    return (
        _python_table("pyopenjtalk/_itaiji_map.py"),
        _python_table("pyopenjtalk/_cjkvi_variants_map.py"),
        *(_opencc_table(f"opencc/dictionary/{name}.txt") for name in opencc),
    )


def _python_table(file: str) -> Mapping[str, str]:
    """Read the pairs of a table that is written as Python, without running it."""
    source = package_file("pyopenjtalk-plus", file).read_text(encoding="utf-8")
    return dict(_PAIR.findall(source))


def _opencc_table(file: str) -> Mapping[str, str]:
    source = package_file("opencc-python-reimplemented", file).read_text(encoding="utf-8")
    rows = (line.split() for line in source.splitlines())
    return {row[0]: row[1] for row in rows if len(row) > 1 and len(row[0]) == 1}
