"""Finds the line of a key in a TOML text; tomllib gives values without their lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

import tomllib

_HEADER = re.compile(r"^\s*\[\[?\s*(?P<path>[^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(
    r"^\s*(?P<path>(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*="
)  # noqa: E501


def find_line(text: str, path: Sequence[str]) -> int:
    """Return the line number (from 1) of the deepest part of `path` that the text spells out."""
    best_line, best_depth = 1, 0
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            table = _split_key(header["path"])
            path_here = table
        elif key:
            path_here = [*table, *_split_key(key["path"])]
        else:
            continue
        depth = len(path_here)
        if depth > best_depth and list(path[:depth]) == path_here:
            best_line, best_depth = number, depth
    return best_line


def _split_key(dotted: str) -> list[str]:
    # A key is itself TOML: let the real parser split quotes and dots.
    try:
        node = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return [dotted]
    keys: list[str] = []
    while isinstance(node, dict):
        name, node = next(iter(node.items()))
        keys.append(name)
    return keys
