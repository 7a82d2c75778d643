"""A folder of recordings: what it is worth, its transcripts worst first, and its way up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.contract.dataset.edits import Edit, with_text
from engine.contract.problem import Problem
from tui.actions import bindings
from tui.language import language_of
from tui.screens.confirm import Confirm
from tui.screens.dataset_parts import clip_reasons, clip_title, summary, worth_lines
from tui.screens.deck_screen import DeckScreen
from tui.state import wishes
from tui.state.clips import ClipRow, clip_rows
from tui.state.state import State, Topics
from tui.state.work import DatasetReport
from tui.widgets.clip_list import ClipList
from tui.widgets.empty_state import EmptyState
from tui.widgets.panel import Panel
from tui.widgets.transfer_row import transfers_text
from tui.widgets.waveform import Waveform

OUTLINE_AFTER_S = 0.15


class DatasetScreen(DeckScreen):
    """`heard` are the lines gone through; they are forgotten with the folder."""

    TAB = "dataset"
    TOPICS: ClassVar[tuple[str, ...]] = (
        "dataset", "transfers", "chosen", "playing", "outline",
    )  # fmt: skip
    BINDINGS = bindings("dataset")
    CSS_PATH = "../styles/dataset.tcss"

    def __init__(self) -> None:
        super().__init__()
        self.heard: set[int] = set()
        self._report: DatasetReport | None = None
        self._rows: tuple[ClipRow, ...] = ()
        self._later: Timer | None = None

    def body(self) -> Iterable[Widget]:
        self._rows = ()  # also composed anew when the language changes: everything is drawn again
        with Horizontal(id="choose"):
            yield Static(self.say("tui.dataset.folder"), id="label")
            yield Input(
                self.deck.settings.dataset, placeholder=self.say("tui.dataset.example"),
                id="folder", compact=True,
            )  # fmt: skip
        yield Static(id="summary")
        with Horizontal(id="room"):
            with VerticalScroll(id="report", can_focus=False):
                yield Panel(id="worth")
            with Vertical(id="proof"):
                yield ClipList(id="clips")
                with Vertical(id="clip"):
                    yield Waveform(id="wave")
                    yield Static(id="reasons")
                    yield Input(id="text", compact=True)
                    yield Static(id="fault", markup=False)
        yield EmptyState("tui.dataset.empty", id="empty")
        yield Panel(id="pushing")

    @property
    def clips(self) -> ClipList:
        return self.query_one(ClipList)

    def show(self, state: State, topics: Topics | None) -> None:
        report = state.dataset
        self.set_class(report is None, "-empty")
        self.query_one("#summary", Static).update(summary(self, state))
        if report is not None:
            self._take(report)
            playing = state.playing
            sounds = next((row for row in self._rows if playing and row.wav == playing), None)
            self.clips.show(self._rows, self.heard, sounds)
            self._titles(report)
            self._wave(state)
        pushes = [t for t in state.transfers.values() if t.kind == "push"]
        panel = self.query_one("#pushing", Panel)
        panel.display = bool(pushes)
        panel.draw(lambda width, _: transfers_text(self, pushes[-2:], width))

    def _take(self, report: DatasetReport) -> None:
        if report is self._report and self._rows:
            return
        before, self._report = self._report, report
        self._rows = clip_rows(report)
        worth = report.worth
        panel = self.query_one("#worth", Panel)
        panel.draw(lambda width, _: worth_lines(self, worth, width))
        if before is None or before.folder != report.folder:
            self.heard = set()
            self.deck.keep(self.deck.settings.with_(dataset=report.folder))
            if self.is_current:
                self.clips.focus()

    def _titles(self, report: DatasetReport) -> None:
        self.query_one("#report").border_title = self.say("tui.dataset.worth")
        self.clips.border_title = self.say("tui.dataset.clips")
        lines = {row.line for row in self._rows}
        done = self.say("tui.dataset.heard", done=len(self.heard & lines), all=len(lines))
        self.clips.border_subtitle = done

    def on_clip_list_moved(self) -> None:
        self._show_clip()

    def on_clip_list_opened(self) -> None:
        self.action_edit()

    def _show_clip(self) -> None:
        row = self.clips.row
        if row is None:
            return
        box = self.query_one("#clip")
        box.border_title = clip_title(self, row)
        box.border_subtitle = self.say("tui.dataset.whole_line") if row.whole else ""
        self.query_one("#reasons", Static).update(clip_reasons(self, row))
        self.query_one("#text", Input).value = row.text or row.source
        self._say_fault("")

        self._outline_soon()

    def _outline_soon(self) -> None:
        """Ask for the clip's waveform once the cursor rests and there is room to show it."""
        if self._later is not None:
            self._later.stop()
        self._later = self.set_timer(OUTLINE_AFTER_S, self._outline_now)
        self._wave(self.deck.state)

    def _outline_now(self) -> None:
        row, known = self.clips.row, self.deck.state.outline
        if row is None or row.wav is None or not self.query_one("#wave").display:
            return
        if known is None or known.wav != row.wav:
            self.ask(wishes.OutlineClip(row.wav))

    def _wave(self, state: State) -> None:
        row, found = self.clips.row, state.outline
        wave = self.query_one("#wave", Waveform)
        same = row is not None and found is not None and found.wav == row.wav
        peaks, seconds = (found.peaks, found.seconds) if same and found is not None else ((), 0.0)
        wave.show(peaks, seconds, None, self.deck.settings.marker, limits=False)

    def _say_fault(self, words: str) -> None:
        fault = self.query_one("#fault", Static)
        fault.update(words)
        fault.display = bool(words)

    # Choosing a folder

    @property
    def folder(self) -> Path | None:
        """The typed or dropped path: terminals quote what is dropped on them."""
        typed = self.query_one("#folder", Input).value.strip().strip("'\"").replace("\\ ", " ")
        return Path(typed).expanduser() if typed else None

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "folder":
            self.action_check()
        else:
            self._save(event.value)

    def action_check(self) -> None:
        if self.folder is not None:
            self.ask(wishes.CheckDataset(self.folder))
        else:
            self.set_focus(self.query_one("#folder", Input))

    # Proofreading

    def action_cursor(self, by: int) -> None:
        self.clips.action_cursor(by)

    def action_view(self) -> None:
        self.toggle_class("-proof")
        if self.has_class("-proof"):
            self.clips.focus()

    def action_play(self) -> None:
        row = self.clips.row
        if row is None:
            return
        if row.wav is None:
            self.notify(self.say("tui.dataset.no_sound"), severity="warning")
        elif self.deck.state.playing == row.wav:
            self.ask(wishes.StopSound())
        else:
            self.heard.add(row.line)
            self.ask(wishes.PlaySound(row.wav))

    def action_next(self) -> None:
        """The first row from the top that was not gone through yet, and its sound."""
        if not self._rows:
            return
        self.add_class("-proof")
        self.clips.focus()
        following = next((i for i, r in enumerate(self._rows) if r.line not in self.heard), None)
        if following is None:
            self.notify(self.say("tui.dataset.all_heard"))
            return
        row = self._rows[following]
        self.clips.go_to(following)
        self.heard.add(row.line)
        if row.wav is not None:
            self.ask(wishes.PlaySound(row.wav))
        self.show_all()

    def action_edit(self) -> None:
        if self.clips.row is not None:
            self.add_class("-proof")
            self.set_focus(self.query_one("#text", Input))

    def _save(self, typed: str) -> None:
        row, report = self.clips.row, self._report
        if row is None or report is None:
            return
        try:
            after = typed if row.whole else with_text(row.source, typed)
        except Problem as problem:
            self._say_fault(problem.sentence(language_of(self)))
            return
        self.heard.add(row.line)
        self.clips.focus()
        if after != row.source:
            edit = Edit(row.line, row.source, after)
            self.ask(wishes.EditClip(Path(report.folder), edit))
        self.show_all()

    def action_undo(self) -> None:
        if self._report is not None:
            self.ask(wishes.UndoEdit(Path(self._report.folder)))

    def action_leave_field(self) -> None:
        """Out of the text without saving, back to the list."""
        if self.focused is self.query_one("#text"):
            self._show_clip()
        if self._report is not None:
            self.clips.focus()
        else:
            super().action_leave_field()

    # Up to the server

    def action_push(self) -> None:
        state = self.deck.state
        report = state.dataset
        if report is None:
            self.notify(self.say("tui.dataset.check_first"), severity="warning")
            return
        if state.server is None:
            self.notify(self.say("tui.dataset.no_server"), severity="warning")
            return
        wish = wishes.PushDataset(state.server, Path(report.folder))
        out = len(report.worth.problems)
        if not out:
            self.ask(wish)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.ask(wish)

        facts = {"clips": report.worth.clips, "server": state.server, "out": out}
        self.app.push_screen(Confirm("tui.dataset.push_rest", facts), answered)
