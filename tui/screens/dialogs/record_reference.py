"""The dialog that records a reference with a microphone: choose, count down, listen, keep."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from sovdeck.tui.screens.base.composed_screen import LiveDialog
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.shell.base_app import app_of
from sovdeck.tui.shell.messages import CommandPosted
from sovdeck.tui.state import commands
from sovdeck.tui.state.speech_models import RecordingRow, ReferenceUpload
from sovdeck.tui.state.state import State
from sovdeck.tui.text.i18n import translate, translate_hint, translate_text
from sovdeck.tui.widgets.option_stepper import OptionStepper
from sovdeck.tui.widgets.progress_bar import progress_bar
from sovdeck.tui.widgets.steady_text import SteadyText

_METER_RANGE_DB, _METER_WIDTH = 60.0, 32
_QUIET_DB = -45.0  # the loudest moment of speech into a microphone that hears it is far above


class RecordReferenceScreen(LiveDialog[ReferenceUpload]):
    """The result is the recording that was kept, and what was said in it."""

    CSS_PATH = "../../styles/modal.tcss"
    BINDINGS = bindings("record")

    def __init__(self) -> None:
        super().__init__()
        self._loudest_db = -120.0

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield SteadyText(translate(self, "tui.record.title"), classes="question")
            yield OptionStepper((), "", id="microphone")
            yield SteadyText(id="meter")
            yield Input(placeholder=translate(self, "tui.record.words"), id="words")
            hint = translate_hint(self, "tui.record.title")
            yield SteadyText(hint, classes="more")

    def on_mount(self) -> None:
        super().on_mount()
        stepper = self.query_one(OptionStepper)
        stepper.styles.width = "1fr"
        stepper.focus()
        self.post_message(CommandPosted(commands.FindMicrophones()))

    @property
    def recording(self) -> RecordingRow:
        """What is known of the microphones and the recording."""
        return app_of(self).state.recording or RecordingRow()

    def show(self, state: State) -> None:
        row = self.recording
        stepper = self.query_one(OptionStepper)
        if row.microphones and stepper.choices != row.microphones:
            stepper.set_choices(row.microphones, row.microphones[0], {})
        if row.phase == "countdown":
            self._loudest_db = -120.0
        elif row.phase == "recording":
            self._loudest_db = max(self._loudest_db, row.level_db)
        self.query_one("#meter", SteadyText).update(self._meter(row))

    def _meter(self, row: RecordingRow) -> Content:
        if row.why is not None:
            return Content.assemble(
                (translate_text(self, row.why.text), "bold $error"),
                (f" {translate_text(self, row.why.hint)}", "$faint"),
            )
        if row.phase == "countdown":
            left = translate(self, "tui.record.countdown", left=row.left)
            return Content.styled(left, "bold $warning")
        if row.phase == "recording":
            share = min(1.0, max(0.0, 1 + row.level_db / _METER_RANGE_DB))
            return Content.assemble(
                (f"{row.seconds:4.1f} s  ", "bold"), progress_bar(share, _METER_WIDTH)
            )
        if row.phase == "done":
            facts = {"seconds": f"{row.seconds:.1f}"}
            lines = [
                Content.styled(translate(self, "tui.record.recorded", **facts), "bold $success")
            ]
            if self._loudest_db < _QUIET_DB:
                quiet = translate(self, "tui.record.quiet", level=round(self._loudest_db))
                lines.append(Content.styled(quiet, "$warning"))
            return Content("\n").join(lines)
        key = "tui.record.idle" if row.phase == "idle" else "tui.record.searching"
        return Content.styled(translate(self, key), "$faint")

    def action_record(self) -> None:
        """Begin, or end what is being recorded."""
        row = self.recording
        if row.phase == "recording":
            self.post_message(CommandPosted(commands.StopRecording()))
        elif row.microphones and row.phase in ("idle", "done", "failed"):
            chosen = self.query_one(OptionStepper).value
            self.post_message(CommandPosted(commands.RecordReference(row.microphones, chosen)))

    def on_input_submitted(self) -> None:
        self.action_keep()

    def action_play(self) -> None:
        wav = self.recording.wav
        if app_of(self).state.playing is not None:
            self.post_message(CommandPosted(commands.StopSound()))
        elif wav is not None:
            self.post_message(CommandPosted(commands.PlaySound(wav)))

    def action_keep(self) -> None:
        wav = self.recording.wav
        if wav is not None:
            words = self.query_one("#words", Input).value.strip()
            self.dismiss(ReferenceUpload(wav, None, words, ""))

    def action_leave(self) -> None:
        self.post_message(CommandPosted(commands.StopRecording()))
        self.dismiss(None)
