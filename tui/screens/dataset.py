"""A folder of recordings: check it, read its faults, push it to the chosen server."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.actions import bindings
from tui.figures import duration, size
from tui.language import tell
from tui.screens.deck_screen import DeckScreen
from tui.state import wishes
from tui.state.store import State, Topics
from tui.state.work import DatasetProblem, DatasetReport
from tui.widgets.panel import Panel
from tui.widgets.states import level_mark
from tui.widgets.transfer_row import transfers_text

_ORDER = {"bad": 0, "warning": 1, "note": 2, "good": 3}


class DatasetScreen(DeckScreen):
    TAB = "dataset"
    TOPICS: ClassVar[tuple[str, ...]] = ("dataset", "transfers", "chosen")
    BINDINGS = bindings("dataset")
    CSS_PATH = "../styles/dataset.tcss"

    def body(self) -> Iterable[Widget]:
        with Vertical(id="choose"):
            yield Static(self.say("tui.dataset.folder"), id="label")
            yield Input(placeholder=self.say("tui.dataset.example"), id="folder")
        yield Static(id="summary")
        with VerticalScroll(id="faults"):
            yield Static(id="problems")
        yield Panel(id="pushing")

    def show(self, state: State, topics: Topics | None) -> None:
        report = state.dataset
        summary = self.query_one("#summary", Static)
        problems = self.query_one("#problems", Static)
        self.query_one("#faults").border_title = self.say("tui.dataset.problems")
        if state.checking is not None:
            reading = self.say("tui.dataset.checking", folder=state.checking)
            summary.update(Content.styled(reading, "$secondary"))
        elif report is None:
            summary.update(Content.styled(self.say("tui.dataset.empty"), "$faint"))
        else:
            summary.update(self._summary(report))
            problems.update(self._problems(report))
        pushes = [t for t in state.transfers.values() if t.kind == "push"]
        panel = self.query_one("#pushing", Panel)
        panel.display = bool(pushes)
        panel.draw(lambda width, _: transfers_text(self, pushes[-2:], width))

    def _summary(self, report: DatasetReport) -> Content:
        languages = ", ".join(f"{code} {count}" for code, count in report.languages.items())
        facts = self.say(
            "tui.dataset.facts", clips=report.clips, time=duration(report.seconds),
            size=size(report.bytes), languages=languages,
        )  # fmt: skip
        bad = sum(problem.remark.level == "bad" for problem in report.problems)
        if bad:
            verdict = Content.styled(self.say("tui.dataset.bad", count=bad), "bold $error")
        elif report.problems:
            count = len(report.problems)
            verdict = Content.styled(self.say("tui.dataset.fair", count=count), "bold $warning")
        else:
            verdict = Content.styled(self.say("tui.dataset.good"), "bold $success")
        return Content.assemble((report.voice, "bold $primary"), f"  {facts}\n", verdict)

    def _problems(self, report: DatasetReport) -> Content:
        def rank(problem: DatasetProblem) -> int:
            return _ORDER[problem.remark.level]

        lines = [
            Content.assemble(
                level_mark(problem.remark.level), (f" {problem.where}  ", "bold"),
                tell(self, problem.remark.text),
                (f" {tell(self, problem.remark.hint)}", "$faint"),
            )
            for problem in sorted(report.problems, key=rank)
        ]  # fmt: skip
        return Content("\n").join(lines)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.action_check()

    @property
    def folder(self) -> Path | None:
        """The typed or dropped path: terminals quote what is dropped on them."""
        typed = self.query_one("#folder", Input).value.strip().strip("'\"").replace("\\ ", " ")
        return Path(typed).expanduser() if typed else None

    def action_check(self) -> None:
        if self.folder is not None:
            self.ask(wishes.CheckDataset(self.folder))

    def action_push(self) -> None:
        state = self.deck.state
        if state.dataset is None:
            self.notify(self.say("tui.dataset.check_first"), severity="warning")
        elif state.server is None:
            self.notify(self.say("tui.dataset.no_server"), severity="warning")
        else:
            self.ask(wishes.PushDataset(state.server, Path(state.dataset.folder)))
