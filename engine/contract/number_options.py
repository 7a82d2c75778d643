"""Numbers of the command line: converted once, and within the range that an option takes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

PORT_RANGE = (0, 65_535)  # 0: any free one


def whole(low: int, high: int) -> Callable[[str], int]:
    """The argparse type of a whole number from `low` to `high`."""

    def parse(typed: str) -> int:
        number = int(typed)  # ValueError: argparse says what was typed
        if not low <= number <= high:
            raise _out_of_range(typed, low, high)
        return number

    return parse


def amount(low: float, high: float) -> Callable[[str], float]:
    """The argparse type of a number from `low` to `high`; neither NaN nor infinity is one."""

    def parse(typed: str) -> float:
        number = float(typed)
        if not math.isfinite(number) or not low <= number <= high:
            raise _out_of_range(typed, low, high)
        return number

    return parse


def _out_of_range(typed: str, low: float, high: float) -> argparse.ArgumentTypeError:
    # The laptop's command line says it in the person's language (`usage_errors`).
    return argparse.ArgumentTypeError(f"{typed[:40]} is not from {low:.12g} to {high:.12g}")
