"""The Dataset screen: a report of a folder, its transcripts worst first, and its upload."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from sovdeck.engine.contract.dataset.edits import LineEdit, replace_transcript
from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.layout import check_voice_name
from sovdeck.engine.contract.optional_models import WHISPER
from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.screens.dataset.text import clip_reasons, clip_title, report_text, summary_text
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.dialogs.folder_picker import FolderPickerScreen
from sovdeck.tui.screens.dialogs.name_prompt import NamePromptScreen
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state import commands
from sovdeck.tui.state.clip_rows import ClipRow, clip_rows
from sovdeck.tui.state.models import BareRecordingsRow, DatasetReport
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.text.i18n import language_of
from sovdeck.tui.widgets.border_text import set_border_subtitle, set_border_title
from sovdeck.tui.widgets.clip_list import ClipList
from sovdeck.tui.widgets.empty_state import EmptyState
from sovdeck.tui.widgets.form_input import EditMode, FormInput
from sovdeck.tui.widgets.panel import Panel
from sovdeck.tui.widgets.steady_text import SteadyText
from sovdeck.tui.widgets.transfer_row import transfers_text
from sovdeck.tui.widgets.waveform import Waveform

WAVEFORM_DELAY_S = 0.15
_GENERAL_NAMES = ("wavs", "wav", "recordings", "audio", "raw")  # these name no voice


class DatasetScreen(AppScreen):
    """`listened_lines` are the lines gone through; they are cleared with a new folder."""

    TAB = "dataset"
    TOPICS: ClassVar[tuple[str, ...]] = (
        "dataset",
        "transfers",
        "chosen",
        "playing",
        "waveform",
    )
    BINDINGS = bindings("dataset")
    CSS_PATH = "../../styles/dataset.tcss"
    AUTO_FOCUS = ""  # number keys switch screens; Tab goes into the folder field

    def __init__(self) -> None:
        super().__init__()
        self.listened_lines: set[int] = set()
        self._report: DatasetReport | None = None
        self._rows: tuple[ClipRow, ...] = ()
        self._waveform_timer: Timer | None = None

    def compose_body(self) -> Iterable[Widget]:
        self._rows = ()  # composed anew after a change of language: draw all
        with Horizontal(id="choose"):
            yield SteadyText(self.translate("tui.dataset.folder"), id="label")
            yield FormInput(
                self.base_app.settings.dataset,
                placeholder=self.translate("tui.dataset.example"),
                id="folder",
                compact=True,
            )
        with Horizontal(id="choose_wavs"):
            yield SteadyText(self.translate("tui.dataset.recordings"), id="wavs_label")
            yield FormInput(
                placeholder=self.translate("tui.dataset.recordings_example"),
                id="wavs",
                compact=True,
            )
        yield SteadyText(id="summary")
        with Horizontal(id="content"):
            with VerticalScroll(id="report", can_focus=False):
                yield Panel(id="worth")
            with Vertical(id="proof"):
                yield ClipList(id="clips")
                with Vertical(id="clip"):
                    yield Waveform(id="wave")
                    yield SteadyText(id="reasons")
                    yield FormInput(id="text", compact=True)
                    yield SteadyText(id="fault")
        yield EmptyState("tui.dataset.empty", id="empty")
        yield Panel(id="pushing")

    @property
    def clips(self) -> ClipList:
        """The list of clips."""
        return self.query_one(ClipList)

    def show(self, state: State, topics: Topics | None) -> None:
        report = state.dataset
        self.set_class(report is None, "-empty")
        self.query_one("#summary", SteadyText).update(summary_text(self, state))
        found_bare = state.bare_recordings is not None or state.transcription is not None
        self.query_one("#empty").visible = not found_bare  # the summary says what to do
        wavs = self.query_one("#wavs", Input)
        wanted = (report is not None and report.missing > 0) or bool(wavs.value)
        self.query_one("#choose_wavs").display = wanted
        if report is not None:
            self._load_report(report)
            playing = state.playing
            playing_row = next((row for row in self._rows if playing and row.wav == playing), None)
            self.clips.show(self._rows, self.listened_lines, playing_row)
            self._show_titles(report)
            self._show_waveform(state)
        pushes = [t for t in state.transfers.values() if t.kind == "push"]
        panel = self.query_one("#pushing", Panel)
        panel.display = bool(pushes)
        panel.draw(lambda width, _: transfers_text(self, pushes[-2:], width))

    def _load_report(self, report: DatasetReport) -> None:
        if report is self._report and self._rows:
            return
        before, self._report = self._report, report
        self._rows = clip_rows(report)
        worth = report.quality
        panel = self.query_one("#worth", Panel)
        panel.draw(lambda width, _: report_text(self, worth, width))
        if before is None or before.folder != report.folder:
            self.listened_lines = set()
            self.base_app.save_settings(self.base_app.settings.with_changes(dataset=report.folder))
            if self.is_current:
                self.clips.focus()

    def _show_titles(self, report: DatasetReport) -> None:
        set_border_title(self.query_one("#report"), self.translate("tui.dataset.worth"))
        gloss = any(row.gloss for row in self._rows)
        key = "tui.dataset.clips_gloss" if gloss else "tui.dataset.clips"
        set_border_title(self.clips, self.translate(key))
        lines = {row.line for row in self._rows}
        done = self.translate(
            "tui.dataset.heard", done=len(self.listened_lines & lines), all=len(lines)
        )
        set_border_subtitle(self.clips, done)

    def on_paste(self, event: events.Paste) -> None:
        """A folder dropped on the terminal arrives as text: it goes into the folder field."""
        dropped = event.text.strip().splitlines()
        if dropped and not isinstance(self.focused, Input):
            event.stop()
            folder = self.query_one("#folder", FormInput)
            folder.value = dropped[0]
            folder.begin_edit()

    def on_clip_list_moved(self) -> None:
        self._show_clip()

    def on_clip_list_opened(self) -> None:
        self.action_edit()

    def _show_clip(self) -> None:
        row = self.clips.row
        if row is None:
            return
        box = self.query_one("#clip")
        set_border_title(box, clip_title(self, row))
        set_border_subtitle(box, self.translate("tui.dataset.whole_line") if row.unreadable else "")
        self.query_one("#reasons", SteadyText).update(clip_reasons(self, row))
        self.query_one("#text", Input).value = row.text or row.source
        self._show_error("")

        self._schedule_waveform()

    def _schedule_waveform(self) -> None:
        """Request the clip's waveform once the cursor rests and there is space to show it."""
        if self._waveform_timer is not None:
            self._waveform_timer.stop()
        self._waveform_timer = self.set_timer(WAVEFORM_DELAY_S, self._request_waveform)
        self._show_waveform(self.base_app.state)

    def _request_waveform(self) -> None:
        row, known = self.clips.row, self.base_app.state.waveform
        if row is None or row.wav is None or not self.query_one("#wave").display:
            return
        if known is None or known.wav != row.wav:
            self.post_command(commands.ReadWaveform(row.wav))

    def _show_waveform(self, state: State) -> None:
        row, found = self.clips.row, state.waveform
        waveform = self.query_one("#wave", Waveform)
        same = row is not None and found is not None and found.wav == row.wav
        peaks, seconds = (found.peaks, found.seconds) if same and found is not None else ((), 0.0)
        waveform.show(peaks, seconds, None, self.base_app.settings.marker, limits=False)

    def _show_error(self, sentence: str) -> None:
        label = self.query_one("#fault", SteadyText)
        label.update(sentence)
        label.display = bool(sentence)

    # Choosing a folder

    @property
    def folder(self) -> Path | None:
        """The path that was typed or dropped; terminals quote what is dropped on them."""
        return _typed_path(self.query_one("#folder", Input))

    @property
    def wavs(self) -> Path | None:
        """Where a person said the recordings are; None where they are found."""
        return _typed_path(self.query_one("#wavs", Input))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id in ("folder", "wavs"):
            self.action_check()
        else:
            self._save_text(event.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "folder":  # another dataset has its recordings elsewhere
            self.query_one("#wavs", Input).value = ""

    def action_check(self) -> None:
        if self.folder is not None:
            self.post_command(commands.CheckDataset(self.folder, self.wavs))
        else:
            self.query_one("#folder", FormInput).begin_edit()

    def action_browse(self) -> None:
        """Choose in a tree what goes into the field that has the focus."""
        field = self.query_one("#wavs" if self.focused is self.query_one("#wavs") else "#folder")
        assert isinstance(field, Input)
        start = _typed_path(field) or Path.cwd()

        def chosen(path: Path | None) -> None:
            if path is not None:
                field.value = str(path)
                self.action_check()

        self.app.push_screen(FolderPickerScreen(start), chosen)

    # Recordings without a list, and lists in another encoding

    def action_make_list(self) -> None:
        """Offer what makes a list of what the folder holds."""
        state = self.base_app.state
        if state.dataset_error is not None and state.dataset_error.convertible:
            self._offer_conversion(Path(state.dataset_error.folder))
        elif state.bare_recordings is None:
            self.notify(self.translate("tui.dataset.has_list"), severity="warning")
        elif state.server is None:
            self.notify(self.translate("tui.dataset.no_server"), severity="warning")
        elif state.transcription is None:
            self._ask_voice(state.server, state.bare_recordings)

    def _offer_conversion(self, folder: Path) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self.post_command(commands.ConvertList(folder))

        self.app.push_screen(ConfirmScreen("tui.dataset.convert", {}), answered)

    def _ask_voice(self, server: str, found: BareRecordingsRow) -> None:
        """Ask what the voice is called, then whether to begin."""

        def named(voice: str | None) -> None:
            if voice is not None:
                self._offer_transcription(server, found, voice)

        proposed = proposed_voice(Path(found.source))
        self.app.push_screen(
            NamePromptScreen("tui.dataset.voice_name", proposed, self._voice_error), named
        )

    def _offer_transcription(self, server: str, found: BareRecordingsRow, voice: str) -> None:
        command = commands.TranscribeRecordings(server, Path(found.source), voice)

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_command(command)

        facts = {
            "count": found.count,
            "size": format_bytes(found.bytes),
            "server": server,
            "megabytes": WHISPER.megabytes,
        }
        self.app.push_screen(ConfirmScreen("tui.dataset.transcribe", facts), answered)

    def _voice_error(self, name: str) -> str:
        try:
            check_voice_name(name)
        except Problem as problem:
            return problem.sentence(language_of(self))
        return ""

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
            self.notify(self.translate("tui.dataset.no_sound"), severity="warning")
        elif self.base_app.state.playing == row.wav:
            self.post_command(commands.StopSound())
        else:
            self.listened_lines.add(row.line)
            self.post_command(commands.PlaySound(row.wav))

    def action_next(self) -> None:
        """Go to the first clip that was not gone through yet, and play it."""
        if not self._rows:
            return
        self.add_class("-proof")
        self.clips.focus()
        next_index = next(
            (i for i, r in enumerate(self._rows) if r.line not in self.listened_lines), None
        )
        if next_index is None:
            self.notify(self.translate("tui.dataset.all_heard"))
            return
        row = self._rows[next_index]
        self.clips.move_cursor_to(next_index)
        self.listened_lines.add(row.line)
        if row.wav is not None:
            self.post_command(commands.PlaySound(row.wav))
        self.redraw_all()

    def action_edit(self) -> None:
        if self.clips.row is not None:
            self.add_class("-proof")
            self.query_one("#text", FormInput).begin_edit()

    def _save_text(self, typed: str) -> None:
        row, report = self.clips.row, self._report
        if row is None or report is None:
            return
        try:
            after = typed if row.unreadable else replace_transcript(row.source, typed)
        except Problem as problem:
            self._show_error(problem.sentence(language_of(self)))
            self.query_one("#text", FormInput).begin_edit()
            return
        self.listened_lines.add(row.line)
        self.clips.focus()
        if after != row.source:
            edit = LineEdit(row.line, row.source, after)
            self.post_command(commands.EditClip(Path(report.folder), edit))
        self.redraw_all()

    def action_undo(self) -> None:
        if self._report is not None:
            self.post_command(commands.UndoEdit(Path(self._report.folder)))

    def on_edit_mode_left(self, event: EditMode.Left) -> None:
        """A text that is not edited any more is left."""
        if event.field.id == "text":
            self.action_leave_field()

    def action_leave_field(self) -> None:
        """Leave a field, the text without saving, back to the list once there is one."""
        if self.focused is self.query_one("#text"):
            self._show_clip()
        if self._report is not None:
            self.clips.focus()
        else:
            super().action_leave_field()

    # Upload

    def action_push(self) -> None:
        state = self.base_app.state
        report = state.dataset
        if report is None:
            self.notify(self.translate("tui.dataset.check_first"), severity="warning")
            return
        if state.server is None:
            self.notify(self.translate("tui.dataset.no_server"), severity="warning")
            return
        command = commands.PushDataset(state.server, Path(report.folder))
        left_out = len(report.quality.problems)
        if not left_out:
            self.post_command(command)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_command(command)

        facts = {"clips": report.quality.clips, "server": state.server, "out": left_out}
        self.app.push_screen(ConfirmScreen("tui.dataset.push_rest", facts), answered)


def _typed_path(field: Input) -> Path | None:
    typed = field.value.strip().strip("'\"")
    if sys.platform != "win32":  # there a backslash divides folders
        typed = typed.replace("\\ ", " ")
    return Path(typed).expanduser() if typed else None


def proposed_voice(source: Path) -> str:
    """What the voice of a folder or file of recordings may be called."""
    name = source.stem if source.is_file() else source.name
    if name.lower() in _GENERAL_NAMES:
        name = source.resolve().parent.name
    return name[:40]
