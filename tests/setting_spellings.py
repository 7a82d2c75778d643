"""Every spelling of a parameter's values, good and bad, for the tests that walk the table."""

from __future__ import annotations

from typing import Any

from sovdeck.engine.contract.param import Param

_BOOLS = ((True, ("on", "yes", "true", "1", 1)), (False, ("off", "no", "false", "0", 0)))


def good_spellings(param: Param) -> list[tuple[Any, list[Any]]]:
    """(converted, what means it): native first, then as text; at least one is not the default."""
    if param.kind == "bool":
        return [(value, [value, *others]) for value, others in _BOOLS]
    if param.kind == "gpus":
        return [("1", [1, "1"]), ("0-1", ["0-1"]), ("0", [0, "0"])]
    if param.kind == "paths":
        return [(("a.wav", "b.wav"), [["a.wav", "b.wav"]]), (("a.wav",), ["a.wav", ["a.wav"]])]
    if param.kind in ("text", "path"):
        return [("こんにちは.wav", ["こんにちは.wav"])]
    if param.kind == "choice":
        return [(choice, [choice, f" {choice} "]) for choice in param.choices[:3]]
    low = param.low if param.low is not None else 0
    high = param.high if param.high is not None else low + 7
    numbers = [int(low), int(high)] if param.kind == "int" else [low, high]
    found: list[tuple[Any, list[Any]]] = [(n, [n, float(n), str(n), f" {n} "]) for n in numbers]
    return [*found, ("auto", ["auto"])] if param.auto else found


def bad_spellings(param: Param) -> list[Any]:
    """What no source may hand on."""
    if param.kind in ("text", "path"):
        return [3, ["a"], None, {"a": 1}, "a\0b"]
    bad: list[Any] = [10**400, float("nan"), float("inf"), "nan", "", "maybe", None, {"a": 1}]
    if param.kind == "paths":
        return [one for one in bad if not isinstance(one, str) or not one] + [["a", 3], [""]]
    bad += [["a"], [], "9" * 400]
    if param.kind in ("int", "float"):
        bad += [True, "1,5"]
        bad += [] if param.low is None else [param.low - 1]
        bad += [] if param.high is None else [param.high + 1]
        bad += [2.5] if param.kind == "int" else []
    if param.kind == "gpus":
        bad += [-1, True, "0-0", "0,1", "0-00", 1.5]
    if param.kind == "bool":
        bad += [2, 0.5, "onn"]
    return bad


def as_text(value: Any) -> str | None:
    """A spelling as a person would type it; None for what cannot be typed."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "on" if value else "off"
    writable = isinstance(value, float) or (isinstance(value, int) and value < 10**50)
    return str(value) if writable else None
