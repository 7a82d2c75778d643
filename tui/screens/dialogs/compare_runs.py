"""The dialog that ticks runs to draw below the one on screen; the charts follow at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, DataTable

from sovdeck.tui.screens.base.composed_screen import Dialog
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state.runs import RunKey, RunView
from sovdeck.tui.text.i18n import translate, translate_hint
from sovdeck.tui.widgets.diff_table import DiffTable, TableRow
from sovdeck.tui.widgets.plain_button import PlainButton
from sovdeck.tui.widgets.status_labels import job_pill, tick_mark
from sovdeck.tui.widgets.steady_text import SteadyText

# The chart has four colours: the run on screen and its validation take two.
MAX_COMPARED = 2


class CompareRunsScreen(Dialog[None]):
    """One tick too many replaces the oldest."""

    CSS_PATH = ["../../styles/modal.tcss", "../../styles/compare_runs.tcss"]
    BINDINGS = bindings("compare")

    def __init__(
        self,
        voice: str,
        runs: Sequence[RunView],
        ticked: Sequence[RunKey],
        apply_selection: Callable[[tuple[RunKey, ...]], None],
    ) -> None:
        super().__init__()
        self.voice = voice
        self.runs = {"/".join(run.key): run for run in runs}
        known = ("/".join(key) for key in ticked)
        self.ticked = [name for name in known if name in self.runs]
        self.apply_selection = apply_selection

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            key = "tui.monitor.compare"
            yield SteadyText(translate(self, key, voice=self.voice), classes="question")
            yield DiffTable(id="runs")
            yield SteadyText(translate_hint(self, key, most=MAX_COMPARED), classes="more")
            with Horizontal(classes="buttons"):
                yield PlainButton(translate(self, "tui.columns.close"), id="close")

    def on_mount(self) -> None:
        self._draw()

    @property
    def table(self) -> DiffTable:
        """The table of runs."""
        return self.query_one(DiffTable)

    def _draw(self) -> None:
        columns = {
            "mark": " ",
            "voice": translate(self, "tui.voices.voice"),
            "run": translate(self, "tui.monitor.run"),
            "server": translate(self, "tui.voices.server"),
            "state": translate(self, "tui.monitor.state"),
        }
        rows: list[TableRow] = [
            (
                name,
                {
                    "mark": tick_mark(name in self.ticked),
                    "voice": run.voice,
                    "run": run.run,
                    "server": run.server,
                    "state": job_pill(self, run.status),
                },
            )
            for name, run in self.runs.items()
        ]
        self.table.fill(columns, rows)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_tick()

    def action_tick(self) -> None:
        name = self.table.cursor_key
        if name in self.ticked:
            self.ticked.remove(name)
        elif name is not None:
            self.ticked = [*self.ticked, name][-MAX_COMPARED:]
        self._draw()
        self.apply_selection(tuple(self.runs[ticked].key for ticked in self.ticked))

    def action_cursor(self, by: int) -> None:
        self.table.move_cursor(row=self.table.cursor_row + by)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_leave()

    def action_leave(self) -> None:
        self.dismiss()
