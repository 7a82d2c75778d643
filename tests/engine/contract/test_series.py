"""Curves: gaps, restarts, bounds, persistence; smoothing, ticks and the raster."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sovdeck.engine.contract.series import Series
from sovdeck.tui.charts.raster import GRIDS, MARKERS, PlotWindow, rasterize_polyline
from sovdeck.tui.charts.smoothing import ema
from sovdeck.tui.charts.ticks import format_tick, linear_ticks, log_ticks

VALUE = st.none() | st.floats(width=32)
POINTS = st.lists(st.tuples(st.integers(-50, 50), VALUE), max_size=60)


@given(POINTS, POINTS)
def test_x_always_rises_and_old_views_never_change(
    first: list[tuple[int, float | None]], second: list[tuple[int, float | None]]
) -> None:
    one = Series(limit=32).extended(first)
    seen = str(list(one))
    two = one.extended(second)
    three = one.extended(second)
    assert str(list(one)) == seen
    assert str(list(two)) == str(list(three))
    for series in (one, two):
        xs = list(series.xs())
        assert xs == sorted(set(xs)) and len(series) <= 32
        assert not any(math.isinf(y) for y in series.ys())


def test_infinite_and_missing_values_are_gaps() -> None:
    series = Series().extended([(1, 2.0), (2, None), (3, float("inf")), (4, float("nan"))])
    assert len(series) == 4 and series.last() == 2.0
    assert [math.isnan(y) for y in series.ys()] == [False, True, True, True]


def test_a_resumed_attempt_replaces_what_it_repeats() -> None:
    series = Series().extended([(n, 10.0) for n in range(1, 51)])
    resumed = series.extended([(n, 5.0) for n in range(41, 45)])
    assert list(resumed.xs()) == list(range(1, 45))
    assert list(resumed.ys())[-5:] == [10.0, 5.0, 5.0, 5.0, 5.0]
    assert len(series) == 50


def test_a_million_points_stay_small_and_keep_their_spikes() -> None:
    series = Series().extended(
        (n, 1000.0 if n == 123_456 else math.sin(n)) for n in range(1_000_000)
    )
    assert len(series) <= series.limit
    assert max(series.ys()) == 1000.0
    assert series.xs()[0] == 0 and series.xs()[-1] == 999_999
    gaps = np.diff(np.array(series.xs()))
    assert gaps.max() < 2_000  # early and late are drawn equally fine


def test_a_window_forgets_the_oldest() -> None:
    series = Series(limit=100, full="roll").extended((n, float(n)) for n in range(1000))
    assert list(series.ys()) == [float(n) for n in range(900, 1000)]


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=700),
    st.sampled_from([0.0, 0.5, 0.9, 0.97]),
)
def test_smoothing_equals_the_point_by_point_formula(values: list[float], weight: float) -> None:
    y = np.array(values)
    expected, carry, count = [], 0.0, 0
    for value in values:
        if math.isnan(value):
            expected.append(value)
            continue
        carry, count = weight * carry + (1 - weight) * value, count + 1
        expected.append(carry / (1 - weight**count) if weight else value)
    np.testing.assert_allclose(ema(y, weight), expected, rtol=1e-6, atol=1e-4)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(1, 12))
def test_linear_ticks_are_nice_and_inside(low: float, span: float, count: int) -> None:
    high = low + span
    ticks = linear_ticks(low, high, count)
    assert len(ticks) <= count + 1
    slack = (high - low) * 1e-6 + 1e-9 * max(abs(low), abs(high))
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    assert ticks == sorted(ticks)


@given(st.floats(1e-6, 1e5), st.floats(1.05, 1e9), st.integers(1, 12))
def test_log_ticks_are_positive_and_inside(low: float, factor: float, count: int) -> None:
    ticks = log_ticks(low, low * factor, count)
    assert all(tick > 0 for tick in ticks) and ticks == sorted(ticks)
    assert all(low * 0.99 <= tick <= low * factor * 1.01 for tick in ticks)
    assert len(ticks) <= max(count + 1, 2)


def test_ticks_one_would_write_by_hand() -> None:
    assert linear_ticks(0, 100, 5) == [0, 20, 40, 60, 80, 100]
    assert log_ticks(1, 1000, 4) == [1, 10, 100, 1000]
    assert log_ticks(20, 70, 4) == [20, 50]
    labels = [format_tick(v) for v in (0, 0.05, 12.5, 1200, 40_000, 2e6, 1e-5, -3)]
    assert labels == ["0", "0.05", "12.5", "1200", "40k", "2M", "1e-05", "-3"]


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(-0.0078125)
@example(0.00012345)
def test_labels_fit_the_margin(value: float) -> None:
    assert len(format_tick(value)) <= 8


@pytest.mark.parametrize("marker", MARKERS)
def test_a_diagonal_touches_every_column_and_row(marker: str) -> None:
    grid = GRIDS[marker]  # type: ignore[index]
    drawn = rasterize_polyline(
        np.array([0.0, 1.0]), np.array([0.0, 1.0]), PlotWindow(0, 1, 0, 1), 8, 8, grid
    )
    assert (drawn > 0).any(axis=0).all() and (drawn > 0).any(axis=1).all()
    assert drawn[0, 7] and drawn[7, 0] and not drawn[0, 0] and not drawn[7, 7]
    assert drawn.max() < len(grid.glyphs)


def test_a_gap_leaves_its_columns_empty() -> None:
    y = np.array([1.0, 1.0, np.nan, np.nan, 1.0, 1.0])
    drawn = rasterize_polyline(np.arange(6.0), y, PlotWindow(0, 5, 0, 2), 6, 3, GRIDS["ascii"])
    assert list(drawn[1]) == [1, 1, 0, 0, 1, 1]


def test_a_single_spike_among_many_points_is_not_lost() -> None:
    y = np.zeros(50_000)
    y[31_000] = 9.0
    drawn = rasterize_polyline(
        np.arange(50_000.0), y, PlotWindow(0, 50_000, 0, 9), 40, 10, GRIDS["braille"]
    )
    assert drawn[0].any() and np.flatnonzero(drawn[0])[0] == 24


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=40), st.sampled_from(MARKERS))
def test_any_values_draw_without_error(values: list[float], marker: str) -> None:
    y = np.where(np.isfinite(values), values, np.nan)
    window = PlotWindow(-1.0, 50.0, -1e3, 1e3)
    drawn = rasterize_polyline(np.arange(float(len(y))), y, window, 12, 5, GRIDS[marker])  # type: ignore[index]
    assert drawn.shape == (5, 12)
