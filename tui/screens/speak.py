"""Speaking: a pair of weights, a clip to imitate, a text, and the takes made of them."""

from __future__ import annotations

from pathlib import Path

from textual import events
from textual.widget import Widget
from textual.widgets import DataTable, TextArea

from engine.contract.problem import Problem
from tui.actions import bindings
from tui.language import language_of
from tui.screens.lend import LendScreen
from tui.screens.speak_view import PAGES, SpeakView, field_of
from tui.state import wishes
from tui.state.outline import SHORTEST_S
from tui.state.speech import Loan
from tui.state.work import Voice
from tui.widgets.fact_table import FactTable
from tui.widgets.param_field import ParamField


class SpeakScreen(SpeakView):
    TAB = "speak"
    BINDINGS = bindings("speak")
    CSS_PATH = "../styles/speak.tcss"
    AUTO_FOCUS = "#words"

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        for widget in event.widget.ancestors_with_self:
            if widget.id in PAGES and widget.id != self.page:
                self.page = widget.id
                self._arrange()
        self._help()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        self.desk.text = event.text_area.text
        self._titles()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        kind, key = str(event.data_table.id), event.row_key.value if event.row_key else None
        if kind in ("gpt", "sovits") and key and event.data_table.has_focus:
            self.desk.take_weight(kind, key)
            self._weights()
            self._head()
        elif kind == "clips":
            self._wave()
        self._help()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if event.data_table.id == "clips":
            self.action_imitate()
        elif event.data_table.id == "takes":
            self.action_put_back()

    def on_param_field_changed(self, event: ParamField.Changed) -> None:
        field = event.field
        if field.problem is None:
            self.desk.set(field.param.name, field.value)
        self._help()

    # Actions

    def action_page(self, name: str) -> None:
        """Show a page and put the focus on it."""
        self.page = name
        self._arrange()
        chain = [widget for widget in self.focus_chain if self._page_of(widget) == name]
        if chain:
            self.set_focus(chain[0])  # at once: a second press must find it there

    def _page_of(self, widget: Widget | None) -> str:
        nodes = widget.ancestors_with_self if widget is not None else ()
        return next((node.id for node in nodes if node.id in PAGES), "")

    def action_next_page(self) -> None:
        names = list(PAGES)
        here = self._page_of(self.focused)
        self.action_page(names[(names.index(here) + 1) % len(names)] if here else self.page)

    def action_cursor(self, by: int) -> None:
        table = self.focused if isinstance(self.focused, FactTable) else None
        table = table or self.query_one("#takes", FactTable)
        table.move_cursor(row=table.cursor_row + by)

    @property
    def faults(self) -> list[Problem]:
        return [f.problem for f in self.query(ParamField) if f.problem is not None]

    def _ready(self) -> bool:
        """Whether a take can be asked for; where not, the reason is said and the place shown.

        A voice without a listed clip may still have the reference it was trained with. Before
        its weights are listed a take can be asked for as well, and asked for otherwise.
        """
        voice, faults = self.voice, self.faults
        if voice is None:
            return False
        if faults:
            self.notify(faults[0].sentence(language_of(self)), severity="error", markup=False)
            return False
        listed = self.shelf is not None
        if not self.desk.text.strip():
            self._point("tui.talk.no_text", "words")
        elif listed and not (self.desk.weight("gpt") and self.desk.weight("sovits")):
            self._point("tui.talk.no_pair", "pair")
        elif any(listed or not take.unlisted or take not in self.takes for take in self.at_work):
            self.notify(self.say("tui.talk.busy"), severity="warning")
        else:
            return True
        return False

    def _point(self, words: str, page: str) -> None:
        self.notify(self.say(words), severity="warning")
        self.action_page(page)

    def action_speak(self) -> None:
        if self._ready():
            listed = self.shelf is not None
            self.ask(
                wishes.Speak(self.desk.draft())
                if listed
                else wishes.SpeakOnceListed(self.desk.copy())
            )

    def action_rerender(self) -> None:
        """The last take again, its delivery kept: only speed and timbre follow the settings."""
        if not any(take.state == "done" for take in self.takes):
            self.notify(self.say("tui.talk.nothing_to_rerender"), severity="warning")
        elif self._ready():
            self.ask(wishes.Speak(self.desk.draft(again=True)))

    def action_cancel_take(self) -> None:
        for take in self.at_work:
            self.ask(wishes.CancelTake(take.draft.server))

    def action_play(self) -> None:
        """Play the clip or take under the cursor, else the newest take; again: silence."""
        voice, clip = self.voice, self.clip_at_cursor
        if self.deck.state.playing is not None:
            self.ask(wishes.StopSound())
        elif self._page_of(self.focused) == "refs" and clip is not None and voice is not None:
            self.heard = clip.path
            self.ask(wishes.HearReference(voice.server, voice.name, clip.path))
        elif self.take_at_cursor is not None and self.take_at_cursor.wav is not None:
            self.heard = ""
            self.ask(wishes.PlaySound(Path(self.take_at_cursor.wav)))

    def action_imitate(self) -> None:
        clip = self.clip_at_cursor
        if clip is not None:
            self.desk.imitate(clip)
            self.show_all()

    def action_extra(self) -> None:
        clip = self.clip_at_cursor
        if clip is not None:
            self.desk.toggle_extra(clip.path)
            self.show_all()

    def action_lend(self) -> None:
        voice = self.voice
        if voice is None:
            return

        self._lend(voice, LendScreen())

    def action_trim(self) -> None:
        """Cut the clip under the cursor; what is kept becomes a reference of its own."""
        voice, clip = self.voice, self.clip_at_cursor
        if voice is None or clip is None:
            return
        if clip.seconds < SHORTEST_S:
            self.notify(self.say("tui.talk.bad_length"), severity="warning")
        else:
            self._lend(voice, LendScreen(wishes.BringClip(voice.server, voice.name, clip.path)))

    def _lend(self, voice: Voice, screen: LendScreen) -> None:
        def answered(loan: Loan | None) -> None:
            if loan is not None:
                self.desk.await_clip(self.shelf)
                self.ask(wishes.LendClip(voice.server, voice.name, loan))

        self.app.push_screen(screen, answered)

    def action_put_back(self) -> None:
        take = self.take_at_cursor
        if take is not None:
            self.desk.put_back(take)
            self.query_one("#words", TextArea).load_text(self.desk.text)
            self.show_all()
            self.notify(self.say("tui.talk.put_back"), timeout=3)

    def action_save_take(self) -> None:
        take = self.take_at_cursor
        if take is not None and take.wav is not None:
            self.ask(wishes.SaveTake(Path(take.wav), Path.cwd()))

    def action_copy_take(self) -> None:
        take = self.take_at_cursor
        if take is not None and take.wav is not None:
            self.deck.copy(take.wav)

    def action_read_shelf(self) -> None:
        voice = self.voice
        if voice is not None:
            self.ask(wishes.ReadShelf(voice.server, voice.name))

    def action_reset_field(self) -> None:
        field = field_of(self.focused)
        if field is not None:
            field.reset()
