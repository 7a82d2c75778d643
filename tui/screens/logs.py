"""The Logs screen: the whole log of the chosen run, with search, follow and copy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.widgets.empty_state import EmptyState
from sovdeck.tui.widgets.log_view import LogView
from sovdeck.tui.widgets.status_labels import job_pill
from sovdeck.tui.widgets.steady_text import SteadyText


class LogsScreen(AppScreen):
    """The log of the chosen run."""

    TAB = "logs"
    TOPICS: ClassVar[tuple[str, ...]] = ("log", "run", "chosen")
    BINDINGS = bindings("logs")
    CSS_PATH = "../styles/logs.tcss"
    AUTO_FOCUS = "#log"

    def compose_body(self) -> Iterable[Widget]:
        yield SteadyText(id="head")
        yield LogView(id="log")
        yield Input(id="word", placeholder=self.translate("tui.logs.find"))
        yield EmptyState("tui.logs.empty", id="empty")

    @property
    def log_view(self) -> LogView:
        """The widget that holds the lines."""
        return self.query_one(LogView)

    def show(self, state: State, topics: Topics | None) -> None:
        run = state.chosen_run
        self.set_class(run is None, "-empty")
        if run is None:
            return
        self.log_view.show(run.log)
        kept = self.translate("tui.logs.lines", count=len(run.log))
        if run.log_dropped:
            kept += "  " + self.translate("tui.logs.dropped", count=run.log_dropped)
        follow = "tui.logs.following" if self.log_view.follow else "tui.logs.paused"
        head = Content.assemble(
            job_pill(self, run.status),
            (f"  {run.voice}", "bold"),
            # The run's name last: on a narrow screen it is what may be cut.
            (f" · {run.server} · {kept} · {self.translate(follow)} · {run.run}", "$faint"),
        )
        self.query_one("#head", SteadyText).update(head)

    def on_log_view_follow_changed(self) -> None:
        self.redraw_all()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        found = self.log_view.search(event.value)
        self.remove_class("-finding")
        self.log_view.focus()
        if event.value and not found:
            self.notify(self.translate("tui.notices.nothing_found", word=event.value))
        elif found:
            self.log_view.go_to_hit(-1)

    def action_find(self) -> None:
        self.add_class("-finding")
        self.set_focus(self.query_one("#word", Input))

    def action_leave_field(self) -> None:
        self.remove_class("-finding")
        self.log_view.focus()

    def action_find_next(self, by: int) -> None:
        self.log_view.go_to_hit(by)

    def action_follow(self) -> None:
        self.log_view.follow = not self.log_view.follow
        self.redraw_all()

    def action_top(self) -> None:
        self.log_view.follow = False
        self.log_view.scroll_home(animate=False)

    def action_bottom(self) -> None:
        self.log_view.follow = True
        self.redraw_all()

    def action_scroll(self, by: int) -> None:
        if by < 0:
            self.log_view.action_scroll_up()
        else:
            self.log_view.action_scroll_down()

    def action_copy(self) -> None:
        view = self.log_view
        first = view.scroll_offset.y
        self.base_app.copy_text("\n".join(view.lines[first : first + view.size.height]))
