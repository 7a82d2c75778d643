"""Trims a recording to be a reference: one of this computer, or a clip the server has."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from tui.actions import bindings
from tui.deck import deck_of
from tui.language import say, say_hint
from tui.messages import Asked
from tui.screens.watching import WatchingModal
from tui.state import wishes
from tui.state.outline import LONGEST_S, Window, fits
from tui.state.speech import Loan, ReferenceClip
from tui.state.state import State
from tui.widgets.waveform import TrimBar


def typed_path(typed: str) -> Path | None:
    """A typed or dropped path: terminals quote what is dropped on them."""
    plain = typed.strip().strip("'\"").replace("\\ ", " ")
    return Path(plain).expanduser() if plain else None


class LendScreen(WatchingModal[Loan]):
    """Enter in the path reads the file; the outline then takes the keys that trim.

    With `bring` there is no path to type: that clip of a server is brought here first.
    """

    CSS_PATH = ["../styles/modal.tcss", "../styles/lend.tcss"]
    BINDINGS = bindings("lend")

    def __init__(self, bring: wishes.BringClip | None = None) -> None:
        super().__init__()
        self.clip: ReferenceClip | None = None
        self.window: Window | None = None
        self._bring = bring
        self._asked = bring.clip if bring is not None else ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(self._title(), classes="question", markup=False)
            yield Input(placeholder=say(self, "tui.lend.example"), id="path")
            yield TrimBar(id="trim")
            yield Static(id="reading")
            yield Input(placeholder=say(self, "tui.lend.words"), id="words")
            how = "tui.lend.title" if self._bring is None else "tui.lend.trim"
            yield Static(say_hint(self, how, file=""), classes="more", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(say(self, "tui.lend.leave"), id="leave")
                yield Button(say(self, "tui.lend.send"), id="send", variant="success")

    def on_mount(self) -> None:
        self.query_one("#trim").display = self.query_one("#words").display = False
        if self._bring is not None:
            self.query_one("#path").display = False
            fetching = Content.styled(say(self, "tui.lend.fetching"), "$secondary")
            self.query_one("#reading", Static).update(fetching)
            self.post_message(Asked(self._bring))

    def _title(self) -> str:
        if self._bring is None:
            return say(self, "tui.lend.title")
        return say(self, "tui.lend.trim", file=PurePosixPath(self._bring.clip).name)

    def show(self, state: State) -> None:
        """A clip that was measured is shown once, with the best window kept."""
        clip = state.clip
        if clip is None or (clip.came_from or clip.path) != self._asked or clip == self.clip:
            return
        self.clip = clip
        self.window = clip.window
        if self.window is None and clip.seconds > LONGEST_S:
            self.window = (0.0, LONGEST_S)
        elif self.window is None and fits(clip.seconds):
            self.window = (0.0, round(clip.seconds, 2))
        trim = self.query_one("#trim", TrimBar)
        trim.display = True
        trim.show(clip.peaks, clip.seconds, self.window, deck_of(self).settings.marker)
        trim.focus()
        words = self.query_one("#words", Input)
        words.display = self.window is not None
        words.value = clip.text
        self._read()

    def _read(self) -> None:
        panel = self.query_one("#reading", Static)
        if self.clip is None:
            panel.update("")
        elif self.window is None:
            short = say(self, "tui.lend.too_short", seconds=f"{self.clip.seconds:.1f}")
            panel.update(Content.styled(short, "bold $error"))
        else:
            start, end = self.window
            facts = {"start": f"{start:.1f}", "end": f"{end:.1f}", "length": f"{end - start:.1f}"}
            panel.update(Content.styled(say(self, "tui.lend.keeps", **facts), "bold $success"))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        path = typed_path(event.value)
        if event.input.id == "words":
            self.action_send()
        elif path is not None:
            self._asked = str(path)
            self.post_message(Asked(wishes.MeasureClip(path)))

    def on_trim_bar_trimmed(self, event: TrimBar.Trimmed) -> None:
        self.window = event.window
        self._read()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "send":
            self.action_send()
        else:
            self.action_leave()

    def action_hear(self) -> None:
        if deck_of(self).state.playing is not None:
            self.post_message(Asked(wishes.StopSound()))
        elif self.clip is not None:
            self.post_message(Asked(wishes.PlaySound(Path(self.clip.path))))

    def action_send(self) -> None:
        clip = self.clip
        if clip is None and self._bring is None:
            path = self.query_one("#path", Input)
            path.focus()
            self.notify(say(self, "tui.lend.path_first"), severity="warning")
        elif clip is not None and self.window is not None:
            window = None if self.window == (0.0, round(clip.seconds, 2)) else self.window
            words = self.query_one("#words", Input).value.strip()
            self.dismiss(Loan(Path(clip.path), window, words, clip.language))

    def action_leave(self) -> None:
        self.dismiss(None)
