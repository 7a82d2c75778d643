"""Asks how a table shall be arranged; every answer shows at once in the table behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from tui.actions import bindings
from tui.language import say
from tui.state.arrangement import Arrangement
from tui.widgets.choice import Choice

AS_THEY_COME = "as_they_come"
DIRECTIONS = ("rising", "falling")
SHOWN = ("shown", "hidden")


class ColumnsScreen(ModalScreen[None]):
    """`titles` by column; the first is always shown."""

    CSS_PATH = ["../styles/modal.tcss", "../styles/columns.tcss"]
    BINDINGS = bindings("columns")

    def __init__(
        self,
        titles: Mapping[str, str],
        arrangement: Arrangement,
        changed: Callable[[Arrangement], None],
    ) -> None:
        super().__init__()
        self.titles = titles
        self.arrangement = arrangement
        self.changed = changed

    def compose(self) -> ComposeResult:
        now = self.arrangement
        column = now.column if now.column in self.titles else AS_THEY_COME
        labels = {**self.titles, AS_THEY_COME: say(self, "tui.columns.as_they_come")}
        with Vertical(classes="box"):
            yield Static(say(self, "tui.columns.title"), classes="question")
            sorts = Choice((AS_THEY_COME, *self.titles), column, labels=labels, id="sort")
            yield from self._row(say(self, "tui.columns.sort"), sorts)
            yield from self._row(
                say(self, "tui.columns.direction"),
                Choice(
                    DIRECTIONS, DIRECTIONS[now.falling], labels=self._words(DIRECTIONS),
                    id="direction",
                ),
            )  # fmt: skip
            yield Static()
            for name in list(self.titles)[1:]:
                shown = Choice(
                    SHOWN, SHOWN[name in now.hidden], labels=self._words(SHOWN),
                    id=f"column-{name}",
                )  # fmt: skip
                yield from self._row(self.titles[name], shown)
            with Horizontal(classes="buttons"):
                yield Button(say(self, "tui.columns.close"), id="close")

    def _row(self, title: str, choice: Choice) -> Iterator[Horizontal]:
        yield Horizontal(Static(title, classes="title", markup=False), choice, classes="row")

    def _words(self, names: tuple[str, ...]) -> dict[str, str]:
        return {name: say(self, f"tui.columns.{name}") for name in names}

    def on_choice_changed(self, event: Choice.Changed) -> None:
        event.stop()
        now, name = self.arrangement, str(event.choice.id)
        if name.startswith("column-"):
            shown = event.value == SHOWN[0]
            now = now.with_column(name.removeprefix("column-"), shown)
        else:
            column = self.query_one("#sort", Choice).value
            falling = self.query_one("#direction", Choice).value == DIRECTIONS[1]
            order = "" if column == AS_THEY_COME else f"{'-' if falling else ''}{column}"
            now = replace(now, sort=order)
        self.arrangement = now
        self.changed(now)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_leave()

    def action_leave(self) -> None:
        self.dismiss()
