"""Sizes, durations, rates and money are written one way, on the command line and on screens."""

from __future__ import annotations

import pytest

from sovdeck.engine.contract.format import (
    UNKNOWN,
    format_bytes,
    format_duration,
    format_gib,
    format_money,
    format_percent,
    format_short_duration,
    format_step_rate,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, UNKNOWN),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (412_000_000, "412 MB"),
        (99_960_000, "100 MB"),
        (999_600_000, "1.0 GB"),
        (1.24e9, "1.2 GB"),
        (3e15, "3000 TB"),
    ],
)
def test_bytes_are_decimal_with_three_digits_at_most(value: float | None, shown: str) -> None:
    assert format_bytes(value) == shown


def test_durations_are_clocks_and_short_ones_seconds() -> None:
    shown = [format_duration(value) for value in (None, 12, 303, 3753, -1)]
    assert shown == [UNKNOWN, "0:12", "5:03", "1:02:33", "0:00"]
    assert [format_short_duration(value) for value in (7.4, 59.6, None)] == ["7 s", "1:00", UNKNOWN]


def test_rates_money_memory_and_shares() -> None:
    assert [format_step_rate(rate) for rate in (2.5, 0.5, 0, None)] == [
        "2.5/s",
        "2.0 s/it",
        UNKNOWN,
        UNKNOWN,
    ]
    assert format_money(3, "CNY") == "3.00 CNY" and format_money(None, "CNY") == UNKNOWN
    assert format_gib(12 * 2**30) == "12.0" and format_percent(0.256) == "26 %"
