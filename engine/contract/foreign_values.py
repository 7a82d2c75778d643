"""Values from outside (a server, a file, the web): read as what they should be, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_LONGEST_NUMBER = 19  # digits; more are no size, time or count of anything


def parse_json(text: str | bytes) -> Any:
    """Return the value of `text`; ValueError for what is no JSON.

    Nesting too deep for the reader is one too, which the standard library raises as
    RecursionError; so are numbers of thousands of digits and bytes that are no UTF-8.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def parse_json_object(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object that `text` is; ValueError for anything else."""
    found = parse_json(text)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def parse_whole_number(text: str | None) -> int | None:
    """Return the number that a few ASCII digits are; None for anything else."""
    digits = text is not None and text.isascii() and text.isdigit()
    return int(text) if text and digits and len(text) <= _LONGEST_NUMBER else None


def to_number(value: Any) -> float | None:
    """Return a JSON number as a float; None for another type, NaN, infinity and beyond 1e300."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < 1e300 else None  # also NaN and infinity


def is_file(path: Path) -> bool:
    """Whether there is such a file; False also for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False
