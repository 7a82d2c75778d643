"""Values from outside (a server, a file, the web): read as what they should be, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.problem import ExitCode, Problem

_LONGEST_NUMBER = 19  # digits; more are no size, time or count of anything
_LONGEST_INTEGER = 300  # digits of JSON; a longer one is beyond what arithmetic with floats takes
# Milliseconds since 1970: the year 3000, the last whose days every system can name.
LATEST_MS = 32_503_680_000_000


def parse_json(text: str | bytes) -> Any:
    """Return the value of `text`; ValueError for what is no JSON.

    Nesting too deep for the reader is one too, which the standard library raises as
    RecursionError, and bytes that are no UTF-8. An integer that no float can hold is infinite, as
    1e999 is.
    """
    try:
        return json.loads(text, parse_int=_parse_integer)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _parse_integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


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


def read_facts(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; Problem when it holds something else or cannot be read.

    FileNotFoundError without the file.
    """
    try:
        return parse_json_object(path.read_bytes())
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise damaged_facts(path, why) from error


def text_facts(path: Path, facts: dict[str, Any], *names: str) -> tuple[str, ...]:
    """Return these texts of the facts in the file at `path`; Problem where one is missing."""
    texts = tuple(to_text(facts.get(name)) for name in names)
    for name, found in zip(names, texts, strict=True):
        if not found:
            raise damaged_facts(path, f"{name} = {facts.get(name)!r}")
    return texts


def damaged_facts(path: Path, why: str) -> Problem:
    """What to say of a file of ours whose facts are not what we write."""
    facts = {"file": str(path), "why": why[:200]}
    return Problem("engine.layout.damaged_facts", ExitCode.DATA, **facts)


def read_optional_facts(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file beside what it is about; {} when there is none to read."""
    try:
        return read_facts(path)
    except (FileNotFoundError, Problem):
        return {}


def to_text(value: Any) -> str:
    """Return a JSON string; "" for another type and for one that is no text (half a character)."""
    if not isinstance(value, str):
        return ""
    return "" if any("\ud800" <= char <= "\udfff" for char in value) else value


def is_file(path: Path) -> bool:
    """Whether there is such a file; False also for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False
