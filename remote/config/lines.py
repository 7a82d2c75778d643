"""Finds the line of a key in a TOML text; tomllib gives values without their places."""

from __future__ import annotations

import re
from collections.abc import Sequence

import tomllib

_HEADER = re.compile(r"^\s*\[\[?\s*(?P<path>[^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*(?P<path>(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")  # fmt: skip  # noqa: E501


def find_line(text: str, path: Sequence[str]) -> int:
    """Line number (from 1) of the deepest part of `path` that the text spells out."""
    best_line, best_depth = 1, 0
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            table = _parts(header["path"])
            here = table
        elif key:
            here = [*table, *_parts(key["path"])]
        else:
            continue
        depth = len(here)
        if depth > best_depth and list(path[:depth]) == here:
            best_line, best_depth = number, depth
    return best_line


def _parts(dotted: str) -> list[str]:
    # A key is itself TOML: let the real parser split quotes and dots.
    try:
        node = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return [dotted]
    parts: list[str] = []
    while isinstance(node, dict):
        name, node = next(iter(node.items()))
        parts.append(name)
    return parts
