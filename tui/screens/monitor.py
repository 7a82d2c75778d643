"""The run at work: state, stages, memory, loss curves, what happened, and the log's tail."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui.actions import bindings
from tui.language import say_hint
from tui.screens.compare import CompareScreen
from tui.screens.confirm import Confirm
from tui.screens.deck_screen import DeckScreen
from tui.screens.monitor_parts import (
    event_lines,
    fault_lines,
    gauge_lines,
    gauge_title,
    head_line,
)
from tui.state import wishes
from tui.state.runs import RunKey, RunView
from tui.state.state import State, Topics
from tui.widgets.chart_curves import has_parts, other_curves, stage_curves, validation_marks
from tui.widgets.empty_state import EmptyState
from tui.widgets.line_chart import LineChart
from tui.widgets.log_view import LogView
from tui.widgets.panel import Panel
from tui.widgets.stage_list import stage_line
from tui.widgets.states import stage_name

STAGES = ("sovits", "gpt")
SMOOTHINGS = (0.0, 0.6, 0.9, 0.97)


class MonitorScreen(DeckScreen):
    TAB = "monitor"
    TOPICS: ClassVar[tuple[str, ...]] = (
        "run", "runs", "log", "telemetry", "servers", "chosen", "ages",
    )  # fmt: skip
    BINDINGS = bindings("monitor")
    CSS_PATH = "../styles/monitor.tcss"
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self.front: str | None = None  # the chart a small screen shows; None follows the run
        self.parts = False
        self.compared: tuple[RunKey, ...] = ()  # other runs that lie under the one on show

    def body(self) -> Iterable[Widget]:
        with Vertical(id="run"):
            yield Panel(id="head")
            yield Static(id="faults")
            with Horizontal(id="top"):
                yield Panel(id="stages")
                yield Panel(id="gauges")
            with Horizontal(id="charts"):
                for stage in STAGES:
                    yield LineChart(
                        id=f"chart-{stage}",
                        unit=self.say("tui.monitor.unit"),
                        empty=self.say("tui.monitor.no_points"),
                    )
            with Horizontal(id="bottom"):
                yield Panel(id="events")
                yield LogView(id="tail")
        yield EmptyState("tui.monitor.empty", id="empty")

    def on_mount(self) -> None:
        settings = self.deck.settings
        for chart in self.charts:
            chart.smoothing = settings.smoothing
            chart.log_y = settings.log_scale
            chart.marker = settings.marker  # type: ignore[assignment]

    @property
    def charts(self) -> list[LineChart]:
        return list(self.query(LineChart))

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_all)

    def show(self, state: State, topics: Topics | None) -> None:
        run = state.chosen_run
        self.set_class(run is None, "-empty")
        if run is None:
            return
        self.panel("head").draw(lambda width, _: head_line(self, state, run, width))
        short = self.app.size.height < 20
        faults = fault_lines(self, state, run)
        banner = self.query_one("#faults", Static)
        banner.display = bool(faults)
        banner.update(Content("\n").join(faults))
        self._stages(run, short)
        self._gauges(state, run, short)
        self._charts(run)
        events = self.panel("events")
        events.border_title = self.say("tui.monitor.events")
        events.draw(lambda width, height: Content("\n").join(event_lines(self, run, width, height)))
        tail = self.query_one("#tail", LogView)
        tail.border_title = self.say("tui.monitor.log")
        tail.show(run.log)

    def panel(self, name: str) -> Panel:
        return self.query_one(f"#{name}", Panel)

    def _stages(self, run: RunView, short: bool) -> None:
        stages = (run.stage,) if short and run.stage is not None else run.state.stages
        panel = self.panel("stages")
        panel.border_title = self.say("tui.monitor.stages")
        panel.draw(
            lambda width, _: Content("\n").join(stage_line(self, one, width) for one in stages)
        )

    def _gauges(self, state: State, run: RunView, short: bool) -> None:
        panel = self.panel("gauges")
        panel.border_title = gauge_title(self, state, run)

        def draw(width: int, height: int) -> Content:
            lines = gauge_lines(self, state, run, width)
            return Content("\n").join(lines[1:2] if short else lines[:height])

        panel.draw(draw)

    def _charts(self, run: RunView) -> None:
        wide = self.app.size.width >= 100
        working = run.stage.name if run.stage and run.stage.name in STAGES else None
        known = [stage for stage in STAGES if run.state.stage(stage)] or list(STAGES)
        front = self.front or working or (known[-1] if run.curves.get(known[-1]) else known[0])
        for stage in STAGES:
            chart = self.query_one(f"#chart-{stage}", LineChart)
            chart.display = stage in known if wide else stage == front
            curves = stage_curves(self, run, stage, self.parts)
            if not self.parts:
                curves = other_curves(self._beneath(run), stage) + curves
            what = "tui.monitor.parts" if self.parts else "tui.monitor.total"
            chart.border_title = f"{stage_name(self, stage)} · {self.say(what)}"
            chart.border_subtitle = self._view_words(chart)
            chart.show(curves, marks=validation_marks(run, stage))

    def _view_words(self, chart: LineChart) -> str:
        words = [self.say("tui.monitor.log_axis")] if chart.log_y else []
        if chart.smoothing:
            words.append(self.say("tui.monitor.smooth", weight=f"{chart.smoothing:g}"))
        if chart.view is not None:
            words.append(self.say("tui.monitor.zoomed"))
        return " · ".join(words)

    def redraw_titles(self) -> None:
        for chart in self.charts:
            chart.border_subtitle = self._view_words(chart)

    def on_line_chart_cursor_moved(self, event: LineChart.CursorMoved) -> None:
        event.stop()

    def action_log_scale(self) -> None:
        on = not self.charts[0].log_y
        for chart in self.charts:
            chart.log_y = on
        self.deck.keep(self.deck.settings.with_(log_scale=on))
        self.redraw_titles()

    def action_smoothing(self) -> None:
        now = self.charts[0].smoothing
        later = [weight for weight in SMOOTHINGS if weight > now]
        weight = later[0] if later else SMOOTHINGS[0]
        for chart in self.charts:
            chart.smoothing = weight
        self.deck.keep(self.deck.settings.with_(smoothing=weight))
        self.redraw_titles()

    def action_zoom(self, factor: float) -> None:
        for chart in self._active_charts():
            chart.zoom(factor)
        self.redraw_titles()

    def action_zoom_reset(self) -> None:
        for chart in self.charts:
            chart.view = None
        self.redraw_titles()

    def action_readout(self, by: int) -> None:
        for chart in self._active_charts():
            chart.step_cursor(by)

    def action_readout_off(self) -> None:
        for chart in self.charts:
            chart.point_at(None)

    def _active_charts(self) -> list[LineChart]:
        """The chart of the stage on show; with two on screen, those that have points."""
        shown = [chart for chart in self.charts if chart.display and chart.curves]
        run = self.deck.state.chosen_run
        front = self.front or (run.stage.name if run and run.stage else None)
        named = [chart for chart in shown if chart.id == f"chart-{front}"]
        return named or shown

    def action_next_stage(self) -> None:
        shown = self.front or next((s for s in STAGES if self._is_shown(s)), STAGES[0])
        self.front = STAGES[(STAGES.index(shown) + 1) % len(STAGES)]
        self.show_all()

    def _is_shown(self, stage: str) -> bool:
        return bool(self.query_one(f"#chart-{stage}", LineChart).display)

    def action_next_loss(self) -> None:
        run = self.deck.state.chosen_run
        if run is not None and has_parts(run):
            self.parts = not self.parts
            self.show_all()

    def _beneath(self, run: RunView) -> list[RunView]:
        """The compared runs that are still known, in the order they were ticked."""
        runs = self.deck.state.runs
        return [runs[key] for key in self.compared if key in runs and key != run.key]

    def _others(self, run: RunView) -> list[RunView]:
        """What may be compared: runs of the same voice first, the newest first."""
        others = [other for other in self.deck.state.runs.values() if other.key != run.key]
        newest = sorted(others, key=lambda other: other.run, reverse=True)
        return sorted(newest, key=lambda other: other.voice != run.voice)

    def action_compare(self) -> None:
        run = self.deck.state.chosen_run
        if run is None:
            return
        others = self._others(run)
        if not others:
            self.notify(self.say("tui.monitor.nothing_to_compare"))
            return

        def changed(ticked: tuple[RunKey, ...]) -> None:
            self.compared = ticked
            self.parts = False  # the parts of a loss hide other runs
            for key in ticked:
                self.ask(wishes.ReadRun(*key))
            self.show_all()

        self.app.push_screen(CompareScreen(run.voice, others, self.compared, changed))

    def action_next_run(self, by: int) -> None:
        keys = list(self.deck.state.runs)
        if len(keys) > 1 and self.deck.state.run in keys:
            server, run = keys[(keys.index(self.deck.state.run) + by) % len(keys)]
            self.ask(wishes.ChooseRun(server, run))

    def action_stop(self) -> None:
        run = self.deck.state.chosen_run
        if run is None or run.ended:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.ask(wishes.StopRun(run.server, run.run))

        facts = {"voice": run.voice, "server": run.server}
        self.app.push_screen(Confirm("tui.monitor.stop", facts), answered)

    def action_download(self) -> None:
        run = self.deck.state.chosen_run
        if run is None or not run.voice:
            return
        if run.ended:
            self.ask(wishes.PullVoice(run.server, run.voice))
            self.app.switch_mode("voices")
        else:
            self.notify(
                self.say("tui.monitor.too_early", voice=run.voice)
                + " "
                + say_hint(self, "tui.monitor.too_early", voice=run.voice)
            )
