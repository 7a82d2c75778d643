"""Widgets by themselves: the chart's view and readout, states, gauges, form rows, key names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Static

from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.series import Series
from sovdeck.tui.charts.line_chart import Curve, LineChart
from sovdeck.tui.services.fakes.sample_data import sample
from sovdeck.tui.shell.theme import DEFAULT_VARIABLES, NIGHT
from sovdeck.tui.state.server_models import GpuReading, Telemetry
from sovdeck.tui.widgets.gauge import gpu_lines, host_lines, memory_bar
from sovdeck.tui.widgets.key_bar import key_name
from sovdeck.tui.widgets.param_field import ParamField
from sovdeck.tui.widgets.status_labels import (
    CONNECTION_TEXT_KEYS,
    JOB_STATE_KEYS,
    connection_pill,
    job_pill,
)


class Stage(App[None]):
    """Any widgets on an empty screen."""

    def __init__(self, *widgets: Static | LineChart | ParamField) -> None:
        super().__init__()
        self.widgets = widgets
        self.register_theme(NIGHT)
        self.theme = "night"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DEFAULT_VARIABLES

    def compose(self) -> ComposeResult:
        yield from self.widgets


def falling(count: int = 1000) -> Series:
    return Series().extended((n, 1000.0 / n) for n in range(1, count + 1))


def rows(chart: LineChart) -> list[str]:
    return [chart.render_line(y).text for y in range(chart.size.height)]


@pytest.fixture
def chart() -> LineChart:
    made = LineChart(unit="updates", empty_text="nothing yet")
    made.show([Curve("loss", falling())])
    return made


async def test_chart_shows_axis_legend_and_newest_value(chart: LineChart) -> None:
    async with Stage(chart).run_test(size=(60, 14)):
        text = "\n".join(rows(chart))
        assert "loss 1 " in text and "updates" in text and "1000" in text
        assert all(len(row) == 60 for row in rows(chart))


async def test_log_axis_has_decades_and_drops_what_is_not_positive(chart: LineChart) -> None:
    async with Stage(chart).run_test(size=(60, 14)):
        chart.show([Curve("loss", Series().extended([(1, 1000.0), (2, 0.0), (3, -5.0), (4, 1.0)]))])
        chart.log_y = True
        labels = [row[:7].strip() for row in rows(chart)[1:]]
        assert [label for label in labels if label][:4] == ["1000", "100", "10", "1"]


async def test_zoom_and_reset_keep_within_the_data(chart: LineChart) -> None:
    async with Stage(chart).run_test(size=(60, 14)):
        chart.zoom(0.5)
        assert chart.view == (500.5, 1000.0)
        for _ in range(40):
            chart.zoom(0.5)
        assert chart.view is not None and chart.view[1] - chart.view[0] == pytest.approx(4)
        for _ in range(40):
            chart.zoom(2)
        assert chart.view is None


async def test_readout_steps_over_points_and_stops_at_the_ends(chart: LineChart) -> None:
    async with Stage(chart).run_test(size=(60, 14)):
        chart.move_cursor(-1)
        assert chart.cursor == 1000
        chart.move_cursor(-1)
        assert chart.cursor == 999 and "999" in rows(chart)[0]
        chart.move_cursor(-5000)
        assert chart.cursor == 1 and "1000" in rows(chart)[0]
        chart.set_cursor(None)
        assert "loss 1 " in rows(chart)[0]


async def test_a_click_reads_the_point_under_it(chart: LineChart) -> None:
    async with Stage(chart).run_test(size=(60, 14)) as pilot:
        await pilot.click(LineChart, offset=(33, 6))
        assert chart.cursor == pytest.approx(500, abs=15)


async def test_wheel_zooms(chart: LineChart) -> None:
    async with Stage(chart).run_test(size=(60, 14)) as pilot:
        await pilot._post_mouse_events([_scroll_up()], LineChart, offset=(30, 5))
        assert chart.view is not None


def _scroll_up() -> type:
    from textual.events import MouseScrollUp

    return MouseScrollUp


@pytest.mark.parametrize(
    "points",
    [[], [(1, None)], [(1, 5.0)], [(1, 5.0), (2, 5.0)], [(n, float("nan")) for n in range(9)]],
)
async def test_nothing_single_flat_and_missing_values_draw(
    points: list[tuple[int, float | None]],
) -> None:
    chart = LineChart(empty_text="nothing yet")
    chart.show([Curve("loss", Series().extended(points))])
    async with Stage(chart).run_test(size=(40, 10)):
        for log in (False, True):
            chart.log_y = log
            text = "\n".join(rows(chart))
            finite = [value for _, value in points if value is not None and value == value]
            assert ("nothing yet" in text) == (not finite)


async def test_smoothing_leaves_the_raw_line_behind(chart: LineChart) -> None:
    async with Stage(chart).run_test(size=(60, 14)):
        assert [trace.dim for trace in chart.traces()] == [False]
        chart.smoothing = 0.9
        assert [trace.dim for trace in chart.traces()] == [True, False]


async def test_a_new_attempt_of_equal_length_is_drawn_anew(chart: LineChart) -> None:
    async with Stage(chart).run_test(size=(60, 14)):
        before = rows(chart)
        chart.show([Curve("loss", Series().extended((n, float(n)) for n in range(1, 1001)))])
        assert rows(chart) != before


def test_memory_bars_are_as_wide_as_asked_and_never_invent_zero() -> None:
    for ours, used, total in ((1, 5, 10), (None, 5, 10), (9, 5, 10), (0, 0, 10), (5, 50, 10)):
        assert memory_bar(ours, used, total, 12).cell_length == 12
    assert memory_bar(None, None, 10, 6).plain == memory_bar(1, 5, None, 6).plain == "╌" * 6


async def test_missing_figures_are_dashes() -> None:
    async with Stage().run_test() as pilot:
        blind = gpu_lines(pilot.app, GpuReading("GPU-1", "GB10"), 40)
        assert "– / –" in blind[1].plain and "0.0" not in blind[1].plain
        host = host_lines(pilot.app, Telemetry(0, "proc"), 40)
        assert "– / –" in host[1].plain
        seen = gpu_lines(pilot.app, sample("tokyo-4090", 0).gpus[0], 40)
        assert "/ 24.0 GB" in seen[1].plain and "°C" in seen[0].plain


async def test_every_state_has_its_mark_and_word() -> None:
    async with Stage().run_test() as pilot:
        pills = [job_pill(pilot.app, state).plain for state in JOB_STATE_KEYS]
        pills += [connection_pill(pilot.app, state).plain for state in CONNECTION_TEXT_KEYS]
        assert len(set(pills)) == len(pills)
        assert job_pill(pilot.app, "something new").plain == job_pill(pilot.app, "unknown").plain
        assert connection_pill(pilot.app, "up", "stale").plain.startswith("◐")


def fields() -> Iterator[ParamField]:
    for param in PARAMS.values():
        if param.group in ("sovits", "gpt", "train"):
            yield ParamField(param)


async def test_every_training_parameter_has_a_row_that_starts_at_its_default() -> None:
    rows_ = list(fields())
    assert len(rows_) >= 20
    async with Stage(*rows_).run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert [row for row in rows_ if row.problem is not None or row.changed] == []


def test_keys_are_named_as_people_write_them() -> None:
    keys = ("ctrl+s", "question_mark", "L", "f1", "right_square_bracket", "delete")
    assert [key_name(key) for key in keys] == ["^s", "?", "L", "F1", "]", "Del"]
