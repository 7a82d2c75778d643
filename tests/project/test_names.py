"""Names are the field's own: the words that once stood for them here do not come back."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("engine", "remote", "tui", "tests", "benchmarks", "docs")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]

# Each meant something to us alone; docs/architecture.md has the words that took their places.
_WORDS = """
wish wishes grant grants desk desks deck seat seats cargo crew lane lanes dice herald shelf shelves
lend lent loan room rooms ground craft ledger studio studios carrier pulse orderly acquaintance
welcome verdict homecoming homing sounding ballot watchman lifeline standin veil unlisted pour
freight patience patiently gatehouse spoil owe spill verb verbs
"""
RETIRED = frozenset(_WORDS.split())
# In grammar a verb is a verb.
ALLOWED = {"engine/text/en/homograph.py": {"verb"}}


def defined(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name that the module gives to something, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, node.lineno


def words(name: str) -> set[str]:
    """The words of a name, in snake_case or CamelCase: `MakeRoom` -> {make, room}."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_words_are_told_from_parts_of_words() -> None:
    assert words("LaneSeat") == {"lane", "seat"} and words("_make_room") == {"make", "room"}
    assert not words("background_verbose") & RETIRED


def test_no_retired_word_names_anything() -> None:
    found = []
    for path in SOURCES:
        place = path.relative_to(ROOT)
        retired = RETIRED - ALLOWED.get(place.as_posix(), set())
        found += [f"{place}: {part}" for part in place.parts if words(part) & retired]
        for name, line in defined(ast.parse(path.read_text(encoding="utf-8"))):
            if words(name) & retired:
                found.append(f"{place}:{line}: {name}")
    assert found == []


def test_public_class_names_are_unique() -> None:
    classes: dict[str, list[str]] = defaultdict(list)
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] in ("engine", "remote", "tui"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    classes[node.name].append(str(path.relative_to(ROOT)))
    assert {name: places for name, places in classes.items() if len(places) > 1} == {}
