"""The one table of parameters: what exists, its range, its default, and what it means.

The command line, the dashboard's forms, validation, the engine's own settings and the docs
page are all made from `PARAMS`. Help is one sentence for a person who trains a first voice;
`advice` is what the user guide says, corrected where the guide and GPT-SoVITS disagree.
"""

from __future__ import annotations

import difflib
from typing import Any

from engine.contract import speak_table, train_table, transfer_table
from engine.contract.param import Param
from engine.contract.problem import ExitCode, Problem

PARAMS: dict[str, Param] = {
    param.name: param
    for table in (train_table.TABLE, speak_table.TABLE, transfer_table.TABLE)
    for param in table
}


def check(name: str, value: Any) -> Any:
    """Return `value` in the parameter's type, or raise Problem with range and nearest name.

    Accepts what a person types ("8", "on") as well as what JSON and TOML hold.
    """
    param = find(name)
    if param.auto and value == "auto":
        return "auto"
    converted = _CONVERT[param.kind](value)
    if converted is None or (param.choices and converted not in param.choices):
        raise _bad(param, value)
    if isinstance(converted, (int, float)) and not isinstance(converted, bool):
        too_low = param.low is not None and converted < param.low
        if too_low or (param.high is not None and converted > param.high):
            raise _bad(param, value)
    return converted


def find(name: str) -> Param:
    if name in PARAMS:
        return PARAMS[name]
    near = difflib.get_close_matches(name, PARAMS, n=1, cutoff=0.0)[0]
    raise Problem("engine.params.unknown", ExitCode.CONFIG, name=name, near=near)


def _bad(param: Param, value: Any) -> Problem:
    allowed = param.range_text() or param.kind
    if param.auto:
        allowed += " | auto"
    return Problem(
        "engine.params.out_of_range", ExitCode.CONFIG,
        name=param.name, value=value, allowed=allowed, default=param.default,
    )  # fmt: skip


def _whole(value: Any) -> int | None:
    number = _real(value)
    return int(number) if number is not None and number == int(number) else None


def _real(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e15 else None  # also refuses NaN and infinity


_TRUTH = {"true": True, "on": True, "yes": True, "1": True,
          "false": False, "off": False, "no": False, "0": False}  # fmt: skip


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else _TRUTH.get(str(value).strip().lower())


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _strings(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return (value,)
    is_list = isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)
    return tuple(value) if is_list else None


def _gpus(value: Any) -> str | None:
    """`0` or `0-1`: numbers joined by "-", each once, as upstream writes them."""
    numbers = str(value).split("-")
    sound = all(n.isascii() and n.isdigit() for n in numbers) and len(set(numbers)) == len(numbers)
    return "-".join(numbers) if sound else None


_CONVERT = {
    "int": _whole, "float": _real, "bool": _truth, "choice": _string, "text": _string,
    "path": _string, "paths": _strings, "gpus": _gpus,
}  # fmt: skip
