"""The one table of parameters: what exists, its range, its default, and what it means.

The command line, the dashboard's forms, validation, the engine's own settings and the docs
page are all made from `PARAMS`. Help is one sentence for a person who trains a first voice;
`advice` is that of the user guide, corrected where the guide and GPT-SoVITS disagree.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from sovdeck.engine.contract import speak_table, train_table
from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.param import Param, format_value
from sovdeck.engine.contract.problem import ExitCode, Problem

PARAMS: dict[str, Param] = {
    param.name: param for table in (train_table.TABLE, speak_table.TABLE) for param in table
}


ParamValue = bool | int | float | str | tuple[str, ...]

_MAX_SHOWN = 40  # characters of a refused value that the sentence repeats
_MAX_GPU_DIGITS = 3
_ALIKE = 0.75  # of names that begin with their table's: a slip of the pen, and no other word


def convert_params(given: Mapping[str, Any]) -> dict[str, ParamValue]:
    """Convert every value by the table, by full name; Problem for the first that does not fit."""
    return {name: check_value(name, value) for name, value in given.items()}


def check_value(name: str, value: Any) -> ParamValue:
    """Return `value` in the parameter's type, or raise Problem with range and nearest name.

    Accepts what a person types ("8", "on") as well as what JSON and TOML hold.
    """
    param = find_param(name)
    if isinstance(value, str):
        value = value.strip() if param.kind != "text" else value
    if param.auto and value == "auto":
        return "auto"
    converted = _CONVERTERS[param.kind](value)
    if converted is None or (param.choices and converted not in param.choices):
        raise _bad(param, value)
    if isinstance(converted, (int, float)) and not isinstance(converted, bool):
        too_low = param.low is not None and converted < param.low
        if too_low or (param.high is not None and converted > param.high):
            raise _bad(param, value)
    return converted


def find_param(name: str) -> Param:
    """The parameter `name`; Problem when there is none, with the nearest name that is like it."""
    if name in PARAMS:
        return PARAMS[name]
    for near in difflib.get_close_matches(name, PARAMS, n=1, cutoff=_ALIKE):
        raise Problem("engine.params.unknown", ExitCode.CONFIG, name=name, near=near)
    raise Problem("engine.params.unknown_name", ExitCode.CONFIG, name=name[:80])


def _bad(param: Param, value: Any) -> Problem:
    return Problem(
        "engine.params.out_of_range",
        ExitCode.CONFIG,
        name=param.name,
        value=_shorten(value),
        allowed=_describe_allowed(param),
        default=format_value(param.default) or '""',
    )


def _describe_allowed(param: Param) -> Text:
    """What a parameter takes, in words where its range does not say it."""
    allowed = param.range_text() + (" | auto" if param.auto else "")
    if param.kind == "int":
        return text("engine.params.takes_int", allowed=allowed)
    if param.kind in ("text", "path", "paths", "gpus"):
        return text(f"engine.params.takes_{param.kind}")
    return Text(allowed, allowed)


def _shorten(value: Any) -> str:
    """A refused value as a sentence repeats it; whatever it is, short and on one line."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 64:
        return "…"  # Python refuses to write very long numbers
    shown = value if isinstance(value, str) and value.isprintable() and value else repr(value)
    return shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + "…"


def _to_int(value: Any) -> int | None:
    number = _to_float(value)
    return int(number) if number is not None and number == int(number) else None


def _to_float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e15 else None  # also refuses NaN and infinity


_BOOL_WORDS = {
    "true": True,
    "on": True,
    "yes": True,
    "1": True,
    "false": False,
    "off": False,
    "no": False,
    "0": False,
}


def _to_bool(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return (
        _BOOL_WORDS.get(str(value).lower()) if isinstance(value, str) or value in (0, 1) else None
    )


def _to_string(value: Any) -> str | None:
    """Text without NUL, which no path and no argument can hold."""
    return value if isinstance(value, str) and "\0" not in value else None


def _to_strings(value: Any) -> tuple[str, ...] | None:
    given = (value,) if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)):
        return None
    return tuple(given) if all(_to_string(one) for one in given) else None


def _to_gpu_numbers(value: Any) -> str | None:
    """`0` or `0-1`: numbers joined by "-", each once, as upstream writes them."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    if isinstance(value, int) and not 0 <= value < 10**_MAX_GPU_DIGITS:
        return None
    numbers = str(value).split("-")
    valid = all(n.isascii() and n.isdigit() and len(n) <= _MAX_GPU_DIGITS for n in numbers)
    return "-".join(numbers) if valid and len({int(n) for n in numbers}) == len(numbers) else None


_CONVERTERS: dict[str, Callable[[Any], ParamValue | None]] = {
    "int": _to_int,
    "float": _to_float,
    "bool": _to_bool,
    "choice": _to_string,
    "text": _to_string,
    "path": _to_string,
    "paths": _to_strings,
    "gpus": _to_gpu_numbers,
}
