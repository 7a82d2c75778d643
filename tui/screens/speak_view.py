"""How the Speak room is laid out and drawn: weights, clips, text, settings, takes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static, TextArea

from engine.contract.params import PARAMS
from tui.screens.speak_parts import (
    clip_help,
    now_line,
    pair_name,
    reference_cells,
    take_cells,
    take_detail,
    weight_cells,
)
from tui.screens.train_parts import field_help
from tui.screens.voice_room import VoiceRoom
from tui.state import wishes
from tui.state.speak_desk import FIELDS, SpeakDesk
from tui.state.speech import ReferenceClip, Take
from tui.state.state import State, Topics
from tui.widgets.click_row import ClickRow, Part
from tui.widgets.empty_state import EmptyState
from tui.widgets.fact_table import FactTable
from tui.widgets.panel import Panel
from tui.widgets.param_field import ParamField
from tui.widgets.waveform import Waveform

PAGES = {
    "words": "tui.talk.page_words",
    "pair": "tui.talk.page_pair",
    "refs": "tui.talk.page_refs",
    "form": "tui.talk.page_form",
    "takes": "tui.talk.page_takes",
}
_LEFT = ("words", "refs", "takes")
_TALL_ENOUGH = 20


class SpeakView(VoiceRoom):
    """On a small screen one page is shown at a time: the one that has the focus."""

    TOPICS: ClassVar[tuple[str, ...]] = (
        "voices", "voice", "saves", "shelves", "takes", "playing", "chosen", "servers", "auditions",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.desk = SpeakDesk()
        self.page = "words"
        self.heard = ""  # the clip that was last asked to sound
        self._known: set[str] = set()  # takes whose end this room has shown

    # Layout

    def body(self) -> Iterable[Widget]:
        yield Static(id="head")
        yield ClickRow(id="strip")
        with Horizontal(id="room"):
            with Vertical(id="left"):
                yield TextArea(self.desk.text, id="words", compact=True)
                with Vertical(id="refs"):
                    yield FactTable(id="clips")
                    yield Waveform(id="wave")
                yield FactTable(id="takes")
            with Vertical(id="right"):
                with Horizontal(id="pair"):
                    yield FactTable(id="gpt")
                    yield FactTable(id="sovits")
                with VerticalScroll(id="form", can_focus=False):
                    for name in FIELDS:
                        yield ParamField(PARAMS[name], self.desk.values.get(name))
                yield Static(id="help")
        yield Panel(id="now")
        yield EmptyState("tui.talk.no_voice", id="empty")

    @property
    def paged(self) -> bool:
        return self.app.size.width < 100 or self.app.size.height < _TALL_ENOUGH

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_all)

    def _arrange(self) -> None:
        paged, left = self.paged, self.page in _LEFT
        self.set_class(paged, "-paged")
        self.set_class(paged and left, "-left")
        for name in PAGES:
            beside = name == "takes" and self.page == "words" and not self.has_class("-short")
            self.query_one(f"#{name}").display = not paged or self.page == name or beside
        self.query_one("#left").display = not paged or left
        strip = self.query_one("#strip", ClickRow)
        strip.display = paged
        strip.show_parts([self._page_part(name, words) for name, words in PAGES.items()])

    def _page_part(self, name: str, words: str) -> Part:
        look = "bold $background on $secondary" if name == self.page else "$foreground"
        return Part(Content.styled(f" {self.say(words)} ", look), f"screen.page('{name}')")

    # Drawing

    def show(self, state: State, topics: Topics | None) -> None:
        self.seek_voices(state)
        voice, waited = self.voice, self.has_class("-empty")
        self.set_class(voice is None, "-empty")
        if voice is None:
            self.say_why_none(self.query_one(EmptyState), state, "tui.talk.no_voice")
            self.set_focus(None)  # or the hidden text would take the key that is proposed
            return
        if waited and self.is_current and self.focused is None:
            self.set_focus(self.query_one("#words"))  # hidden when the room was opened
        if self.desk.begin(voice.key, self.shelf, self.audition):
            self.ask(wishes.ReadShelf(voice.server, voice.name))
        self._arrange()
        self._head()
        self._titles()
        self._weights()
        self._clips(state)
        self._takes(state)
        self._fill_fields()
        self._play_new(seen=topics is not None)
        self._help()

    def _head(self) -> None:
        voice, voices = self.voice, self.deck.state.all_voices()
        assert voice is not None
        pair = pair_name(self.desk.params())
        line = Content.assemble(
            (voice.name, "bold $primary"), (f" · {voice.server}   ", "$faint"), (pair, "bold")
        )
        if len(voices) > 1:
            more = self.say("tui.talk.other_voices", count=len(voices))
            line = Content.assemble(line, (f"   {more}", "$faint"))
        self.query_one("#head", Static).update(line)

    def _titles(self) -> None:
        text = self.query_one("#words", TextArea)
        text.border_title = self.say("tui.talk.page_words")
        text.border_subtitle = self.say("tui.talk.characters", count=len(self.desk.text.strip()))
        text.placeholder = self.say("tui.talk.placeholder")
        for name in ("refs", "takes", "form"):
            self.query_one(f"#{name}").border_title = self.say(PAGES[name])
        self.query_one("#gpt").border_title = self.say("tui.talk.gpt")
        self.query_one("#sovits").border_title = self.say("tui.talk.sovits")

    def _weights(self) -> None:
        shelf = self.shelf
        for kind in ("gpt", "sovits"):
            weights = (shelf.gpt if kind == "gpt" else shelf.sovits) if shelf is not None else ()
            chosen = self.desk.weight(kind)
            columns = {"mark": " ", "epoch": self.say("tui.talk.epoch"), "size": ""}
            columns["size"] = self.say("tui.voices.size")
            table = self.query_one(f"#{kind}", FactTable)
            table.border_subtitle = "" if weights else self._why_empty()
            rows = [(w.name, weight_cells(self, w, w.name == chosen)) for w in weights]
            table.fill(columns, rows, chosen or None)

    def _why_empty(self) -> str:
        if self.shelf is not None:
            return self.say("tui.voices.none_saved")
        refused = self.voice is not None and self.voice.key in self.deck.state.unlisted
        return self.say("tui.talk.not_listed" if refused else "tui.talk.listing")

    def _clips(self, state: State) -> None:
        shelf = self.shelf
        clips = shelf.references if shelf is not None else ()
        columns = {
            "mark": " ", "score": self.say("tui.talk.score"),
            "seconds": self.say("tui.talk.length"), "language": self.say("tui.talk.language"),
            "text": self.say("tui.talk.said"),
        }  # fmt: skip
        rows = [
            (
                clip.path,
                reference_cells(
                    clip, clip.path == self.desk.clip, clip.path in self.desk.extra,
                    state.playing is not None and clip.path == self.heard,
                ),
            )
            for clip in clips
        ]  # fmt: skip
        self.query_one("#clips", FactTable).fill(columns, rows)
        self._wave()

    @property
    def clip_at_cursor(self) -> ReferenceClip | None:
        shelf = self.shelf
        key = self.query_one("#clips", FactTable).chosen_key
        clips = shelf.references if shelf is not None else ()
        return next((clip for clip in clips if clip.path == key), None)

    def _wave(self) -> None:
        clip = self.clip_at_cursor
        wave = self.query_one("#wave", Waveform)
        if clip is not None:
            wave.show(clip.peaks, clip.seconds, clip.window, self.deck.settings.marker)

    def _takes(self, state: State) -> None:
        takes = self.takes
        columns = {
            "mark": " ", "pair": self.say("tui.talk.pair"),
            "seconds": self.say("tui.talk.length"), "seed": self.say("tui.talk.seed"),
            "text": self.say("tui.talk.text"),
        }  # fmt: skip
        sounding = str(state.playing) if state.playing is not None else None
        rows = [
            (take.id, take_cells(take, take.wav is not None and take.wav == sounding))
            for take in takes
        ]
        table = self.query_one("#takes", FactTable)
        newest = takes[0].id if takes else None
        table.fill(columns, rows, newest if newest not in table.keys else None)
        table.border_subtitle = "" if takes else self.say("tui.talk.no_take")
        working = next(iter(self.at_work), None)
        now = self.query_one("#now", Panel)
        now.display = working is not None
        if working is not None:
            now.draw(lambda width, _: now_line(self, working, width))

    @property
    def takes(self) -> list[Take]:
        """Of the voice on screen, newest first."""
        voice = self.voice
        if voice is None:
            return []
        return [
            take
            for take in reversed(tuple(self.deck.state.takes.values()))
            if (take.draft.server, take.draft.voice) == (voice.server, voice.name)
        ]

    @property
    def at_work(self) -> list[Take]:
        """What waits or is being spoken on the server of this voice, of whichever voice."""
        voice = self.voice
        return [
            take
            for take in self.deck.state.takes.values()
            if voice is not None and take.draft.server == voice.server and not take.ended
        ]

    @property
    def take_at_cursor(self) -> Take | None:
        """The take under the cursor while the list has the focus, else the newest."""
        table = self.query_one("#takes", FactTable)
        key = table.chosen_key if table.has_focus else None
        return next((t for t in self.takes if key is None or t.id == key), None)

    def _fill_fields(self) -> None:
        for name in self.desk.take_news():
            field = self.query_one(f"#field-{name.replace('.', '-')}", ParamField)
            field.put(self.desk.values.get(name, PARAMS[name].default))

    def _play_new(self, *, seen: bool) -> None:
        """Let a take sound that has ended before the person's eyes; not one from meanwhile."""
        for take in self.takes:
            if take.ended and take.id not in self._known:
                self._known.add(take.id)
                if seen and take.wav is not None and self.deck.settings.play_takes:
                    self.heard = ""
                    self.ask(wishes.PlaySound(Path(take.wav), unasked=True))

    def _help(self) -> None:
        panel = self.query_one("#help", Static)
        focused = self.focused
        field = field_of(focused)
        if field is not None:
            panel.border_title = field.param.name
            panel.update(field_help(self, field.param, field.problem))
            return
        name = focused.id if focused is not None else ""
        clip, take = self.clip_at_cursor, self.take_at_cursor
        panel.border_title = ""
        if name == "clips" and clip is not None:
            panel.update(clip_help(self, clip))
        elif name == "takes" and take is not None:
            panel.update(take_detail(self, take))
        elif name in ("gpt", "sovits"):
            panel.update(field_help(self, PARAMS[f"infer.{name}_weight"], None))
        else:
            words = "tui.talk.start_short" if self.has_class("-short") else "tui.talk.start_here"
            panel.update(Content.styled(self.say(words), "$faint"))


def field_of(widget: Widget | None) -> ParamField | None:
    """The form row a widget is part of."""
    if widget is None:
        return None
    return next((n for n in widget.ancestors_with_self if isinstance(n, ParamField)), None)
