"""The dialog that trims a recording to be a reference: a local file, or a clip of a server."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input

from sovdeck.engine.contract.reference_segment import MAX_REFERENCE_S, is_reference_length
from sovdeck.engine.contract.voice_assets import ReferenceClip
from sovdeck.tui.charts.waveform_columns import TrimWindow
from sovdeck.tui.screens.base.composed_screen import LiveDialog
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.shell.base_app import app_of
from sovdeck.tui.shell.messages import CommandPosted
from sovdeck.tui.state import commands
from sovdeck.tui.state.speech_models import ReferenceUpload
from sovdeck.tui.state.state import State
from sovdeck.tui.text.i18n import translate, translate_hint
from sovdeck.tui.widgets.plain_button import PlainButton
from sovdeck.tui.widgets.steady_text import SteadyText
from sovdeck.tui.widgets.waveform import TrimBar


def parse_path(typed: str) -> Path | None:
    """The path that was typed or dropped; terminals quote what is dropped on them."""
    plain = typed.strip().strip("'\"").replace("\\ ", " ")
    return Path(plain).expanduser() if plain else None


class TrimReferenceScreen(LiveDialog[ReferenceUpload]):
    """Enter in the path field reads the file; then the waveform takes the keys that trim.

    With `fetch_command` there is no path to type: that clip of a server is downloaded first.
    """

    CSS_PATH = ["../../styles/modal.tcss", "../../styles/trim_reference.tcss"]
    BINDINGS = bindings("trim_reference")

    def __init__(self, fetch_command: commands.FetchClipToTrim | None = None) -> None:
        super().__init__()
        self.clip: ReferenceClip | None = None
        self.window: TrimWindow | None = None
        self._fetch_command = fetch_command
        self._requested_path = fetch_command.clip if fetch_command is not None else ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield SteadyText(self._title(), classes="question")
            yield Input(placeholder=translate(self, "tui.trim_reference.example"), id="path")
            yield TrimBar(id="trim")
            yield SteadyText(id="reading")
            yield Input(placeholder=translate(self, "tui.trim_reference.words"), id="words")
            hint_key = (
                "tui.trim_reference.title"
                if self._fetch_command is None
                else "tui.trim_reference.trim"
            )
            yield SteadyText(translate_hint(self, hint_key, file=""), classes="more")
            with Horizontal(classes="buttons"):
                yield PlainButton(translate(self, "tui.trim_reference.leave"), id="leave")
                yield PlainButton(
                    translate(self, "tui.trim_reference.send"), id="send", variant="success"
                )

    def on_mount(self) -> None:
        self.query_one("#trim").display = self.query_one("#words").display = False
        if self._fetch_command is not None:
            self.query_one("#path").display = False
            fetching = Content.styled(translate(self, "tui.trim_reference.fetching"), "$secondary")
            self.query_one("#reading", SteadyText).update(fetching)
            self.post_message(CommandPosted(self._fetch_command))

    def _title(self) -> str:
        if self._fetch_command is None:
            return translate(self, "tui.trim_reference.title")
        return translate(
            self, "tui.trim_reference.trim", file=PurePosixPath(self._fetch_command.clip).name
        )

    def show(self, state: State) -> None:
        """Show a clip once it was measured, with the proposed window."""
        clip = state.clip
        if (
            clip is None
            or (clip.came_from or clip.path) != self._requested_path
            or clip == self.clip
        ):
            return
        self.clip = clip
        self.window = clip.window
        if self.window is None and clip.seconds > MAX_REFERENCE_S:
            self.window = (0.0, MAX_REFERENCE_S)
        elif self.window is None and is_reference_length(clip.seconds):
            self.window = (0.0, round(clip.seconds, 2))
        trim = self.query_one("#trim", TrimBar)
        trim.display = True
        trim.show(clip.peaks, clip.seconds, self.window, app_of(self).settings.marker)
        trim.focus()
        transcript = self.query_one("#words", Input)
        transcript.display = self.window is not None
        transcript.value = clip.text
        self._show_window_text()

    def _show_window_text(self) -> None:
        panel = self.query_one("#reading", SteadyText)
        if self.clip is None:
            panel.update("")
        elif self.window is None:
            short = translate(
                self, "tui.trim_reference.too_short", seconds=f"{self.clip.seconds:.1f}"
            )
            panel.update(Content.styled(short, "bold $error"))
        else:
            start, end = self.window
            facts = {"start": f"{start:.1f}", "end": f"{end:.1f}", "length": f"{end - start:.1f}"}
            panel.update(
                Content.styled(
                    translate(self, "tui.trim_reference.keeps", **facts), "bold $success"
                )
            )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        path = parse_path(event.value)
        if event.input.id == "words":
            self.action_send()
        elif path is not None:
            self._requested_path = str(path)
            self.post_message(CommandPosted(commands.MeasureClip(path)))

    def on_trim_bar_trimmed(self, event: TrimBar.Trimmed) -> None:
        self.window = event.window
        self._show_window_text()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "send":
            self.action_send()
        else:
            self.action_leave()

    def action_play(self) -> None:
        if app_of(self).state.playing is not None:
            self.post_message(CommandPosted(commands.StopSound()))
        elif self.clip is not None:
            self.post_message(CommandPosted(commands.PlaySound(Path(self.clip.path))))

    def action_send(self) -> None:
        clip = self.clip
        if clip is None and self._fetch_command is None:
            path = self.query_one("#path", Input)
            path.focus()
            self.notify(translate(self, "tui.trim_reference.path_first"), severity="warning")
        elif clip is not None and self.window is not None:
            window = None if self.window == (0.0, round(clip.seconds, 2)) else self.window
            transcript = self.query_one("#words", Input).value.strip()
            self.dismiss(ReferenceUpload(Path(clip.path), window, transcript, clip.language))

    def action_leave(self) -> None:
        self.dismiss(None)
