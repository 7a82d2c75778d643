"""The little of PEP 440 that our own requirement lines use: ==X.Y.*, comparisons, commas."""

from __future__ import annotations

import re

_LINE = re.compile(r"([A-Za-z0-9._-]+)\s*(.*)\Z")
_CLAUSE = re.compile(r"(==|>=|<=|<|>|!=)\s*([0-9][0-9A-Za-z.]*)(\.\*)?\Z")


def name_of(line: str) -> str:
    """The distribution a requirement line asks for."""
    found = _LINE.match(line)
    return found[1] if found else line


def satisfies(version: str, line: str) -> bool:
    """Whether an installed version fits a requirement line. Unknown syntax never fits."""
    found = _LINE.match(line)
    clauses = found[2] if found else ""
    have = _numbers(version)
    for clause in filter(None, (part.strip() for part in clauses.split(","))):
        parts = _CLAUSE.match(clause)
        if parts is None:
            return False
        operator, wanted, any_end = parts[1], _numbers(parts[2]), bool(parts[3])
        if any_end:
            same = have[: len(wanted)] == wanted
            if same != (operator == "=="):
                return False
            continue
        left, right = _level(have, wanted)
        holds = {
            "==": left == right, ">=": left >= right, "<=": left <= right,
            "<": left < right, ">": left > right, "!=": left != right,
        }[operator]  # fmt: skip
        if not holds:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    # "2.11.0+cu128" and "0.4.1.post10": the local part does not order, the post number does.
    public = version.partition("+")[0].replace("post", "")
    numbers = []
    for part in public.split("."):
        digits = re.match(r"\d+", part)
        if digits is None:
            break
        numbers.append(int(digits[0]))
    return tuple(numbers)


def _level(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    length = max(len(a), len(b))
    return a + (0,) * (length - len(a)), b + (0,) * (length - len(b))
