"""The Monitor screen: state, stages, memory, loss curves, events and log of one run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget

from sovdeck.tui.charts.line_chart import LineChart
from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.screens.dialogs.compare_runs import CompareRunsScreen
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.monitor.curves import (
    has_loss_parts,
    other_curves,
    stage_curves,
    validation_steps,
)
from sovdeck.tui.screens.monitor.text import (
    event_lines,
    failure_line,
    fault_lines,
    gauge_lines,
    gauge_title,
    head_line,
)
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state import commands
from sovdeck.tui.state.runs import RunKey, RunView
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.text.i18n import translate_hint
from sovdeck.tui.widgets.border_text import set_border_subtitle, set_border_title
from sovdeck.tui.widgets.empty_state import EmptyState
from sovdeck.tui.widgets.log_view import LogView
from sovdeck.tui.widgets.panel import Panel
from sovdeck.tui.widgets.stage_list import stage_line
from sovdeck.tui.widgets.status_labels import stage_name
from sovdeck.tui.widgets.steady_text import SteadyText

STAGES = ("sovits", "gpt")
SMOOTHINGS = (0.0, 0.6, 0.9, 0.97)


class MonitorScreen(AppScreen):
    """The chosen run. A small screen shows the chart of one stage."""

    TAB = "monitor"
    TOPICS: ClassVar[tuple[str, ...]] = (
        "run",
        "runs",
        "log",
        "telemetry",
        "servers",
        "chosen",
        "ages",
    )
    BINDINGS = bindings("monitor")
    CSS_PATH = "../../styles/monitor.tcss"
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self.front_stage: str | None = None  # the chart a small screen shows; None follows the run
        self.show_parts = False
        self.compared: tuple[RunKey, ...] = ()  # runs drawn below the one on screen

    def compose_body(self) -> Iterable[Widget]:
        with Vertical(id="run"):
            yield Panel(id="head")
            yield SteadyText(id="failure")
            yield SteadyText(id="faults")
            with Horizontal(id="top"):
                yield Panel(id="stages")
                yield Panel(id="gauges")
            with Horizontal(id="charts"):
                for stage in STAGES:
                    yield LineChart(
                        id=f"chart-{stage}",
                        unit=self.translate("tui.monitor.unit"),
                        empty_text=self.translate("tui.monitor.no_points"),
                    )
            with Horizontal(id="bottom"):
                yield Panel(id="events")
                yield LogView(id="tail")
        yield EmptyState("tui.monitor.empty", id="empty")

    def on_mount(self) -> None:
        settings = self.base_app.settings
        for chart in self.charts:
            chart.smoothing = settings.smoothing
            chart.log_y = settings.log_scale
            chart.marker = settings.marker  # type: ignore[assignment]

    @property
    def charts(self) -> list[LineChart]:
        """The loss charts, one a stage."""
        return list(self.query(LineChart))

    def on_resize(self) -> None:
        self.redraw_after_refresh(self.redraw_all)

    def show(self, state: State, topics: Topics | None) -> None:
        run = state.chosen_run
        self.set_class(run is None, "-empty")
        if run is None:
            return
        self.panel("head").draw(lambda width, _: head_line(self, state, run, width))
        short = self.app.size.height < 20
        failure = self.query_one("#failure", SteadyText)
        failure.display = run.failure is not None
        failure.update(failure_line(self, run.failure) if run.failure is not None else "")
        faults = fault_lines(self, state, run)
        banner = self.query_one("#faults", SteadyText)
        banner.display = bool(faults)
        banner.update(Content("\n").join(faults))
        self._show_stages(run, short)
        self._show_gauges(state, run, short)
        self._show_charts(run)
        events = self.panel("events")
        set_border_title(events, self.translate("tui.monitor.events"))
        events.draw(lambda width, height: Content("\n").join(event_lines(self, run, width, height)))
        tail = self.query_one("#tail", LogView)
        set_border_title(tail, self.translate("tui.monitor.log"))
        tail.show(run.log)

    def panel(self, name: str) -> Panel:
        """The panel with this id."""
        return self.query_one(f"#{name}", Panel)

    def _show_stages(self, run: RunView, short: bool) -> None:
        stages = (run.stage,) if short and run.stage is not None else run.state.stages
        panel = self.panel("stages")
        set_border_title(panel, self.translate("tui.monitor.stages"))
        panel.draw(
            lambda width, _: Content("\n").join(stage_line(self, one, width) for one in stages)
        )

    def _show_gauges(self, state: State, run: RunView, short: bool) -> None:
        panel = self.panel("gauges")
        set_border_title(panel, gauge_title(self, state, run))

        def draw(width: int, height: int) -> Content:
            lines = gauge_lines(self, state, run, width)
            return Content("\n").join(lines[1:2] if short else lines[:height])

        panel.draw(draw)

    def _show_charts(self, run: RunView) -> None:
        wide = self.app.size.width >= 100
        active = run.stage.name if run.stage and run.stage.name in STAGES else None
        known = [stage for stage in STAGES if run.state.stage(stage)] or list(STAGES)
        front = self.front_stage or active or (known[-1] if run.curves.get(known[-1]) else known[0])
        for stage in STAGES:
            chart = self.query_one(f"#chart-{stage}", LineChart)
            chart.display = stage in known if wide else stage == front
            curves = stage_curves(self, run, stage, self.show_parts)
            if not self.show_parts:
                curves = other_curves(self._compared_runs(run), stage) + curves
            title_key = "tui.monitor.parts" if self.show_parts else "tui.monitor.total"
            set_border_title(chart, f"{stage_name(self, stage)} · {self.translate(title_key)}")
            set_border_subtitle(chart, self._view_text(chart))
            chart.show(curves, validations=validation_steps(run, stage))

    def _view_text(self, chart: LineChart) -> str:
        parts = [self.translate("tui.monitor.log_axis")] if chart.log_y else []
        if chart.smoothing:
            parts.append(self.translate("tui.monitor.smooth", weight=f"{chart.smoothing:g}"))
        if chart.view is not None:
            parts.append(self.translate("tui.monitor.zoomed"))
        return " · ".join(parts)

    def update_chart_subtitles(self) -> None:
        """Show smoothing, scale and zoom of each chart in its subtitle."""
        for chart in self.charts:
            set_border_subtitle(chart, self._view_text(chart))

    def action_log_scale(self) -> None:
        on = not self.charts[0].log_y
        for chart in self.charts:
            chart.log_y = on
        self.base_app.save_settings(self.base_app.settings.with_changes(log_scale=on))
        self.update_chart_subtitles()

    def action_smoothing(self) -> None:
        now = self.charts[0].smoothing
        later = [weight for weight in SMOOTHINGS if weight > now]
        weight = later[0] if later else SMOOTHINGS[0]
        for chart in self.charts:
            chart.smoothing = weight
        self.base_app.save_settings(self.base_app.settings.with_changes(smoothing=weight))
        self.update_chart_subtitles()

    def action_zoom(self, factor: float) -> None:
        for chart in self._active_charts():
            chart.zoom(factor)
        self.update_chart_subtitles()

    def action_zoom_reset(self) -> None:
        for chart in self.charts:
            chart.view = None
        self.update_chart_subtitles()

    def action_readout(self, by: int) -> None:
        for chart in self._active_charts():
            chart.move_cursor(by)

    def action_readout_off(self) -> None:
        for chart in self.charts:
            chart.set_cursor(None)

    def _active_charts(self) -> list[LineChart]:
        """The chart of the stage on screen; with two on screen, those that have points."""
        shown = [chart for chart in self.charts if chart.display and chart.curves]
        run = self.base_app.state.chosen_run
        front = self.front_stage or (run.stage.name if run and run.stage else None)
        named = [chart for chart in shown if chart.id == f"chart-{front}"]
        return named or shown

    def action_next_stage(self) -> None:
        shown = self.front_stage or next((s for s in STAGES if self._is_shown(s)), STAGES[0])
        self.front_stage = STAGES[(STAGES.index(shown) + 1) % len(STAGES)]
        self.redraw_all()

    def _is_shown(self, stage: str) -> bool:
        return bool(self.query_one(f"#chart-{stage}", LineChart).display)

    def action_next_loss(self) -> None:
        run = self.base_app.state.chosen_run
        if run is not None and has_loss_parts(run):
            self.show_parts = not self.show_parts
            self.redraw_all()

    def _compared_runs(self, run: RunView) -> list[RunView]:
        """The compared runs that are still known, in the order they were ticked."""
        runs = self.base_app.state.runs
        return [runs[key] for key in self.compared if key in runs and key != run.key]

    def _comparable_runs(self, run: RunView) -> list[RunView]:
        """All other runs: those of the same voice first, the newest first."""
        others = [other for other in self.base_app.state.runs.values() if other.key != run.key]
        newest = sorted(others, key=lambda other: other.run, reverse=True)
        return sorted(newest, key=lambda other: other.voice != run.voice)

    def action_compare(self) -> None:
        run = self.base_app.state.chosen_run
        if run is None:
            return
        others = self._comparable_runs(run)
        if not others:
            self.notify(self.translate("tui.monitor.nothing_to_compare"))
            return

        def changed(ticked: tuple[RunKey, ...]) -> None:
            self.compared = ticked
            self.show_parts = False  # parts of a loss use the colours of other runs
            for key in ticked:
                self.post_command(commands.ReadRun(*key))
            self.redraw_all()

        self.app.push_screen(CompareRunsScreen(run.voice, others, self.compared, changed))

    def action_next_run(self, by: int) -> None:
        keys = list(self.base_app.state.runs)
        if len(keys) > 1 and self.base_app.state.run in keys:
            server, run = keys[(keys.index(self.base_app.state.run) + by) % len(keys)]
            self.post_command(commands.ChooseRun(server, run))

    def action_stop(self) -> None:
        run = self.base_app.state.chosen_run
        if run is None or run.ended:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_command(commands.StopRun(run.server, run.run))

        facts = {"voice": run.voice, "server": run.server}
        self.app.push_screen(ConfirmScreen("tui.monitor.stop", facts, dangerous=True), answered)

    def action_download(self) -> None:
        run = self.base_app.state.chosen_run
        if run is None or not run.voice:
            return
        if run.ended:
            self.post_command(commands.PullVoice(run.server, run.voice))
            self.app.switch_mode("voices")
        else:
            self.notify(
                self.translate("tui.monitor.too_early", voice=run.voice)
                + " "
                + translate_hint(self, "tui.monitor.too_early", voice=run.voice)
            )
