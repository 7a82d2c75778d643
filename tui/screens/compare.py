"""Asks which runs shall lie under the one on show; the charts behind follow at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, DataTable, Static

from tui.actions import bindings
from tui.language import say, say_hint
from tui.state.runs import RunKey, RunView
from tui.widgets.fact_table import FactTable, Row
from tui.widgets.states import job_pill, tick_mark

MOST = 2  # the chart has four colours: the run on show takes one, its held-out values another


class CompareScreen(ModalScreen[None]):
    """One tick too many takes the place of the oldest."""

    CSS_PATH = ["../styles/modal.tcss", "../styles/compare.tcss"]
    BINDINGS = bindings("compare")

    def __init__(
        self,
        voice: str,
        runs: Sequence[RunView],
        ticked: Sequence[RunKey],
        changed: Callable[[tuple[RunKey, ...]], None],
    ) -> None:
        super().__init__()
        self.voice = voice
        self.runs = {"/".join(run.key): run for run in runs}
        known = ("/".join(key) for key in ticked)
        self.ticked = [name for name in known if name in self.runs]
        self.changed = changed

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            words = "tui.monitor.compare"
            yield Static(say(self, words, voice=self.voice), classes="question", markup=False)
            yield FactTable(id="runs")
            yield Static(say_hint(self, words, most=MOST), classes="more", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(say(self, "tui.columns.close"), id="close")

    def on_mount(self) -> None:
        self._draw()

    @property
    def table(self) -> FactTable:
        return self.query_one(FactTable)

    def _draw(self) -> None:
        columns = {
            "mark": " ", "voice": say(self, "tui.voices.voice"),
            "run": say(self, "tui.monitor.run"), "server": say(self, "tui.voices.server"),
            "state": say(self, "tui.monitor.state"),
        }  # fmt: skip
        rows: list[Row] = [
            (
                name,
                {
                    "mark": tick_mark(name in self.ticked), "voice": run.voice, "run": run.run,
                    "server": run.server, "state": job_pill(self, run.status),
                },
            )
            for name, run in self.runs.items()
        ]  # fmt: skip
        self.table.fill(columns, rows)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_tick()

    def action_tick(self) -> None:
        name = self.table.chosen_key
        if name in self.ticked:
            self.ticked.remove(name)
        elif name is not None:
            self.ticked = [*self.ticked, name][-MOST:]
        self._draw()
        self.changed(tuple(self.runs[ticked].key for ticked in self.ticked))

    def action_cursor(self, by: int) -> None:
        self.table.move_cursor(row=self.table.cursor_row + by)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_leave()

    def action_leave(self) -> None:
        self.dismiss()
