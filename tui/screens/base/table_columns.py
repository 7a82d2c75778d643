"""The dialog that sorts a table and hides columns; each change shows at once behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button

from sovdeck.tui.screens.base.composed_screen import Dialog
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state.table_layout import TableLayout
from sovdeck.tui.text.i18n import translate
from sovdeck.tui.widgets.option_stepper import OptionStepper
from sovdeck.tui.widgets.plain_button import PlainButton
from sovdeck.tui.widgets.steady_text import SteadyText

UNSORTED = "as_they_come"
DIRECTIONS = ("rising", "falling")
SHOWN = ("shown", "hidden")


class TableColumnsScreen(Dialog[None]):
    """`titles` by column key; the first column cannot be hidden."""

    CSS_PATH = ["../../styles/modal.tcss", "../../styles/table_columns.tcss"]
    BINDINGS = bindings("columns")

    def __init__(
        self,
        titles: Mapping[str, str],
        table_layout: TableLayout,
        apply_layout: Callable[[TableLayout], None],
    ) -> None:
        super().__init__()
        self.titles = titles
        self.table_layout = table_layout
        self.apply_layout = apply_layout

    def compose(self) -> ComposeResult:
        layout = self.table_layout
        column = layout.column if layout.column in self.titles else UNSORTED
        labels = {**self.titles, UNSORTED: translate(self, "tui.columns.as_they_come")}
        with Vertical(classes="box"):
            yield SteadyText(translate(self, "tui.columns.title"), classes="question")
            sorts = OptionStepper((UNSORTED, *self.titles), column, labels=labels, id="sort")
            yield from self._row(translate(self, "tui.columns.sort"), sorts)
            yield from self._row(
                translate(self, "tui.columns.direction"),
                OptionStepper(
                    DIRECTIONS,
                    DIRECTIONS[layout.descending],
                    labels=self._labels(DIRECTIONS),
                    id="direction",
                ),
            )
            yield SteadyText()
            for name in list(self.titles)[1:]:
                shown = OptionStepper(
                    SHOWN,
                    SHOWN[name in layout.hidden],
                    labels=self._labels(SHOWN),
                    id=f"column-{name}",
                )
                yield from self._row(self.titles[name], shown)
            with Horizontal(classes="buttons"):
                yield PlainButton(translate(self, "tui.columns.close"), id="close")

    def _row(self, title: str, stepper: OptionStepper) -> Iterator[Horizontal]:
        yield Horizontal(SteadyText(title, classes="title"), stepper, classes="row")

    def _labels(self, names: tuple[str, ...]) -> dict[str, str]:
        return {name: translate(self, f"tui.columns.{name}") for name in names}

    def on_option_stepper_changed(self, event: OptionStepper.Changed) -> None:
        event.stop()
        layout, name = self.table_layout, str(event.stepper.id)
        if name.startswith("column-"):
            shown = event.value == SHOWN[0]
            layout = layout.with_column(name.removeprefix("column-"), shown)
        else:
            column = self.query_one("#sort", OptionStepper).value
            falling = self.query_one("#direction", OptionStepper).value == DIRECTIONS[1]
            order = "" if column == UNSORTED else f"{'-' if falling else ''}{column}"
            layout = replace(layout, sort=order)
        self.table_layout = layout
        self.apply_layout(layout)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_leave()

    def action_leave(self) -> None:
        self.dismiss()
