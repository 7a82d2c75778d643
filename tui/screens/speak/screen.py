"""The Speak screen: weights, a reference clip, a text, settings, and the takes made of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable, TextArea

from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.reference_segment import MIN_REFERENCE_S
from sovdeck.engine.contract.voice_assets import ReferenceClip
from sovdeck.tui.screens.base.voice_screen import VoiceScreen
from sovdeck.tui.screens.dialogs.name_prompt import NamePromptScreen
from sovdeck.tui.screens.dialogs.record_reference import RecordReferenceScreen
from sovdeck.tui.screens.dialogs.trim_reference import TrimReferenceScreen
from sovdeck.tui.screens.speak.doubtful import DoubtfulScreen
from sovdeck.tui.screens.speak.reading_line import ReadingLine
from sovdeck.tui.screens.speak.text import (
    active_take_line,
    clip_help,
    draft_pair_name,
    reference_cells,
    reference_name_error,
    summarise_text,
    take_cells,
    take_detail,
    weight_cells,
)
from sovdeck.tui.screens.train.text import field_help
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state import commands
from sovdeck.tui.state.models import Voice
from sovdeck.tui.state.speak_form import FORM_FIELDS, SpeakForm, first_usable
from sovdeck.tui.state.speech_models import ReadingRequest, ReferenceUpload, TakeRow
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.text.i18n import language_of
from sovdeck.tui.widgets.border_text import set_border_subtitle, set_border_title
from sovdeck.tui.widgets.click_row import ClickPart, ClickRow
from sovdeck.tui.widgets.diff_table import DiffTable
from sovdeck.tui.widgets.empty_state import EmptyState
from sovdeck.tui.widgets.form_input import FormText
from sovdeck.tui.widgets.panel import Panel
from sovdeck.tui.widgets.param_field import ParamField, param_field_of
from sovdeck.tui.widgets.steady_text import SteadyText
from sovdeck.tui.widgets.waveform import Waveform
from sovdeck.tui.widgets.whole_rows import WholeRows

PAGES = {
    "words": "tui.speak_screen.page_words",
    "pair": "tui.speak_screen.page_pair",
    "refs": "tui.speak_screen.page_refs",
    "form": "tui.speak_screen.page_form",
    "takes": "tui.speak_screen.page_takes",
}
_LEFT_PAGES = ("words", "refs", "takes")
_MIN_UNPAGED_HEIGHT = 20


class SpeakScreen(VoiceScreen):
    """Speaks a text with a voice. A small screen shows one page: the one that has the focus."""

    TAB = "speak"
    BINDINGS = bindings("speak")
    CSS_PATH = "../../styles/speak.tcss"
    AUTO_FOCUS = "#words"
    TOPICS: ClassVar[tuple[str, ...]] = (
        "voices",
        "voice",
        "saves",
        "voice_assets",
        "takes",
        "reading",
        "playing",
        "chosen",
        "servers",
        "auditions",
    )

    def __init__(self) -> None:
        super().__init__()
        self.form = SpeakForm()
        self.page = "words"
        self.last_played_clip = ""  # path of the clip played last
        self._shown_takes: set[str] = set()  # ended takes that were shown already

    # Layout

    def compose_body(self) -> Iterable[Widget]:
        yield SteadyText(id="head")
        yield ClickRow(id="strip")
        with Horizontal(id="content"):
            with Vertical(id="left"):
                yield FormText(self.form.text, id="words", compact=True)
                yield ReadingLine(self.post_command, id="reading")
                with Vertical(id="refs"):
                    yield DiffTable(id="clips")
                    yield Waveform(id="wave")
                yield DiffTable(id="takes")
            with Vertical(id="right"):
                with Horizontal(id="pair"):
                    yield DiffTable(id="gpt")
                    yield DiffTable(id="sovits")
                with VerticalScroll(id="form", can_focus=False):
                    for name in FORM_FIELDS:
                        yield ParamField(PARAMS[name], self.form.values.get(name))
                yield WholeRows(id="help")
        yield Panel(id="now")
        yield EmptyState("tui.speak_screen.no_voice", id="empty")

    @property
    def paged(self) -> bool:
        """Whether the screen is too small for all pages at once."""
        return self.app.size.width < 100 or self.app.size.height < _MIN_UNPAGED_HEIGHT

    def on_resize(self) -> None:
        self.redraw_after_refresh(self.redraw_all)

    def _apply_page_layout(self) -> None:
        paged, left = self.paged, self.page in _LEFT_PAGES
        self.set_class(paged, "-paged")
        self.set_class(paged and left, "-left")
        for name in PAGES:
            beside = name == "takes" and self.page == "words" and not self.has_class("-short")
            self.query_one(f"#{name}").display = not paged or self.page == name or beside
        self.query_one("#left").display = not paged or left
        strip = self.query_one("#strip", ClickRow)
        strip.display = paged
        strip.show_parts([self._page_part(name, key) for name, key in PAGES.items()])

    def _page_part(self, name: str, key: str) -> ClickPart:
        style = "bold $background on $secondary" if name == self.page else "$foreground"
        return ClickPart(
            Content.styled(f" {self.translate(key)} ", style), f"screen.page('{name}')"
        )

    # Drawing

    def show(self, state: State, topics: Topics | None) -> None:
        self.request_voices(state)
        voice, was_empty = self.voice, self.has_class("-empty")
        self.set_class(voice is None, "-empty")
        if voice is None:
            self.show_empty_reason(self.query_one(EmptyState), state, "tui.speak_screen.no_voice")
            self.set_focus(None)  # else the hidden text field would take the proposed key
            return
        if was_empty and self.is_current and self.focused is None:
            self.set_focus(self.query_one("#words"))  # it was hidden when the screen opened
        if self.form.set_voice(voice.key, self.voice_assets, self.audition):
            self.post_command(commands.ReadVoiceAssets(voice.server, voice.name))
        self._apply_page_layout()
        self._show_head()
        self._show_titles()
        self._show_reading(state)
        self._show_weights()
        self._show_clips(state)
        self._show_takes(state)
        self._update_fields()
        self._play_new_takes(seen=topics is not None)
        self._show_help()

    def _show_head(self) -> None:
        voice, voices = self.voice, self.base_app.state.all_voices()
        assert voice is not None
        pair = draft_pair_name(self.form.params())
        line = Content.assemble(
            (voice.name, "bold $primary"), (f" · {voice.server}   ", "$faint"), (pair, "bold")
        )
        if len(voices) > 1:
            more = self.translate("tui.speak_screen.other_voices", count=len(voices))
            line = Content.assemble(line, (f"   {more}", "$faint"))
        self.query_one("#head", SteadyText).update(line)

    def _show_titles(self) -> None:
        text = self.query_one("#words", TextArea)
        set_border_title(text, self.translate("tui.speak_screen.page_words"))
        language = str(self.form.params().get("text_lang", "auto"))
        set_border_subtitle(text, summarise_text(self, self.form.text.strip(), language))
        text.placeholder = Content(self.translate("tui.speak_screen.placeholder"))
        for name in ("refs", "takes", "form"):
            set_border_title(self.query_one(f"#{name}"), self.translate(PAGES[name]))
        set_border_title(self.query_one("#gpt"), self.translate("tui.speak_screen.gpt"))
        set_border_title(self.query_one("#sovits"), self.translate("tui.speak_screen.sovits"))

    def _show_reading(self, state: State) -> None:
        """Show how the text is read, and have the server asked where the text is a new one."""
        line = self.query_one("#reading", ReadingLine)
        voice, text = self.voice, self.form.text
        # Before its voice is listed, a server may not be there to ask.
        asked = voice is not None and self.voice_assets is not None and bool(text.strip())
        language = str(self.form.params().get("text_lang", PARAMS["infer.text_lang"].default))
        line.ask(
            ReadingRequest(voice.server, voice.name, text, language)
            if asked and voice is not None
            else None
        )
        if line.show(state.reading):
            line.display = bool(self.query_one("#words").display)
            # The server knows better than the scripts what has no sound.
            count = self.translate("tui.speak_screen.characters", count=len(text.strip()))
            set_border_subtitle(self.query_one("#words", TextArea), count)

    def _show_weights(self) -> None:
        voice_assets = self.voice_assets
        for kind in ("gpt", "sovits"):
            weights = (
                (voice_assets.gpt if kind == "gpt" else voice_assets.sovits)
                if voice_assets is not None
                else ()
            )
            chosen = self.form.weight(kind)
            columns = {"mark": " ", "epoch": self.translate("tui.speak_screen.epoch"), "size": ""}
            columns["size"] = self.translate("tui.voices.size")
            table = self.query_one(f"#{kind}", DiffTable)
            set_border_subtitle(table, "" if weights else self._why_empty())
            rows = [(w.name, weight_cells(self, w, w.name == chosen)) for w in weights]
            table.fill(columns, rows, chosen or None)

    def _why_empty(self) -> str:
        if self.voice_assets is not None:
            return self.translate("tui.voices.none_saved")
        refused = (
            self.voice is not None and self.voice.key in self.base_app.state.voice_assets_errors
        )
        return self.translate(
            "tui.speak_screen.not_listed" if refused else "tui.speak_screen.listing"
        )

    def _show_clips(self, state: State) -> None:
        voice_assets = self.voice_assets
        clips = voice_assets.references if voice_assets is not None else ()
        columns = {
            "mark": " ",
            "score": self.translate("tui.speak_screen.score"),
            "seconds": self.translate("tui.speak_screen.length"),
            "language": self.translate("tui.speak_screen.language"),
            "text": self.translate("tui.speak_screen.said"),
        }
        rows = [
            (
                clip.path,
                reference_cells(
                    self,
                    clip,
                    clip.path == self.form.clip,
                    clip.path in self.form.aux_references,
                    state.playing is not None and clip.path == self.last_played_clip,
                ),
            )
            for clip in clips
        ]
        self.query_one("#clips", DiffTable).fill(columns, rows)
        known = voice_assets is not None and not first_usable(clips)
        lacking = "tui.speak_screen.trim_one" if clips else "tui.speak_screen.no_clip"
        set_border_subtitle(self.query_one("#refs"), self.translate(lacking) if known else "")
        self._show_waveform()

    @property
    def clip_at_cursor(self) -> ReferenceClip | None:
        """The reference clip under the cursor."""
        voice_assets = self.voice_assets
        key = self.query_one("#clips", DiffTable).cursor_key
        clips = voice_assets.references if voice_assets is not None else ()
        return next((clip for clip in clips if clip.path == key), None)

    def _show_waveform(self) -> None:
        clip = self.clip_at_cursor
        waveform = self.query_one("#wave", Waveform)
        marker = self.base_app.settings.marker
        if clip is None:
            waveform.show((), 0.0, None, marker)
        else:
            waveform.show(clip.peaks, clip.seconds, clip.window, marker)

    def _show_takes(self, state: State) -> None:
        takes = self.takes
        columns = {
            "mark": " ",
            "pair": self.translate("tui.speak_screen.pair"),
            "seconds": self.translate("tui.speak_screen.length"),
            "seed": self.translate("tui.speak_screen.seed"),
            "text": self.translate("tui.speak_screen.text"),
        }
        playing = str(state.playing) if state.playing is not None else None
        rows = [
            (take.id, take_cells(self, take, take.wav is not None and take.wav == playing))
            for take in takes
        ]
        table = self.query_one("#takes", DiffTable)
        newest = takes[0].id if takes else None
        table.fill(columns, rows, newest if newest not in table.keys else None)
        set_border_subtitle(table, "" if takes else self.translate("tui.speak_screen.no_take"))
        active = next(iter(self.active_takes), None)
        now = self.query_one("#now", Panel)
        now.display = active is not None
        if active is not None:
            now.draw(lambda width, _: active_take_line(self, active, width))

    @property
    def takes(self) -> list[TakeRow]:
        """The takes of the voice on screen, newest first."""
        voice = self.voice
        if voice is None:
            return []
        return [
            take
            for take in reversed(tuple(self.base_app.state.takes.values()))
            if (take.draft.server, take.draft.voice) == (voice.server, voice.name)
        ]

    @property
    def active_takes(self) -> list[TakeRow]:
        """Takes that wait or are spoken on this server, of whichever voice."""
        voice = self.voice
        return [
            take
            for take in self.base_app.state.takes.values()
            if voice is not None and take.draft.server == voice.server and not take.ended
        ]

    @property
    def take_at_cursor(self) -> TakeRow | None:
        """The take under the cursor while the list has the focus, else the newest."""
        table = self.query_one("#takes", DiffTable)
        key = table.cursor_key if table.has_focus else None
        return next((t for t in self.takes if key is None or t.id == key), None)

    def _update_fields(self) -> None:
        for name in self.form.pop_changed_fields():
            field = self.query_one(f"#field-{name.replace('.', '-')}", ParamField)
            field.set_value(self.form.values.get(name, PARAMS[name].default))

    def _play_new_takes(self, *, seen: bool) -> None:
        """Play takes that ended while the screen was visible; not those that ended before."""
        for take in self.takes:
            if take.ended and take.id not in self._shown_takes:
                self._shown_takes.add(take.id)
                wanted = seen and self.base_app.settings.play_takes and not take.aloud
                if wanted and take.wav is not None:
                    self.last_played_clip = ""
                    self.post_command(commands.PlaySound(Path(take.wav), automatic=True))

    def _show_help(self) -> None:
        panel = self.query_one("#help", SteadyText)
        focused = self.focused
        field = param_field_of(focused)
        if field is not None:
            set_border_title(panel, field.param.name)
            panel.update(field_help(self, field.param, field.problem))
            return
        name = focused.id if focused is not None else ""
        clip, take = self.clip_at_cursor, self.take_at_cursor
        set_border_title(panel, "")
        if name == "clips" and clip is not None:
            panel.update(clip_help(self, clip, self.voice.name if self.voice else ""))
        elif name == "takes" and take is not None:
            panel.update(take_detail(self, take))
        elif name in ("gpt", "sovits"):
            panel.update(field_help(self, PARAMS[f"infer.{name}_weight"], None))
        else:
            length = "short" if self.has_class("-short") else "here"
            start = self.translate(f"tui.speak_screen.start_{length}")
            panel.update(Content.styled(start, "$faint"))

    # Events

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        for widget in event.widget.ancestors_with_self:
            if widget.id in PAGES and widget.id != self.page:
                self.page = widget.id
                self._apply_page_layout()
        self._show_help()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        self.form.text = event.text_area.text
        self._show_titles()
        self._show_reading(self.base_app.state)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        kind, key = str(event.data_table.id), event.row_key.value if event.row_key else None
        if kind in ("gpt", "sovits") and key and event.data_table.has_focus:
            self.form.select_weight(kind, key)
            self._show_weights()
            self._show_head()
        elif kind == "clips":
            self._show_waveform()
        self._show_help()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if event.data_table.id == "clips":
            self.action_imitate()
        elif event.data_table.id == "takes":
            self.action_put_back()

    def on_param_field_changed(self, event: ParamField.Changed) -> None:
        field = event.field
        if field.problem is None:
            self.form.set_value(field.param.name, field.value)
            self._show_reading(self.base_app.state)
        self._show_help()

    # Actions

    def action_page(self, name: str) -> None:
        """Show a page and put the focus on it."""
        self.page = name
        self._apply_page_layout()
        chain = [widget for widget in self.focus_chain if self._page_of(widget) == name]
        if chain:
            self.set_focus(chain[0])  # at once, so that a second key press starts from there

    def _page_of(self, widget: Widget | None) -> str:
        nodes = widget.ancestors_with_self if widget is not None else ()
        return next((node.id for node in nodes if node.id in PAGES), "")

    def action_next_page(self) -> None:
        names = list(PAGES)
        here = self._page_of(self.focused)
        self.action_page(names[(names.index(here) + 1) % len(names)] if here else self.page)

    def action_cursor(self, by: int) -> None:
        table = self.focused if isinstance(self.focused, DiffTable) else None
        table = table or self.query_one("#takes", DiffTable)
        table.move_cursor(row=table.cursor_row + by)

    @property
    def field_problems(self) -> list[Problem]:
        """The problems of the fields that hold no valid value."""
        return [f.problem for f in self.query(ParamField) if f.problem is not None]

    def _check_ready(self) -> bool:
        """Whether a take can be requested; if not, say why and show the page concerned.

        A voice without a listed clip may still have the reference it was trained with. Before its
        weights are listed a take can be requested as well; it is spoken once they are.
        """
        voice, problems = self.voice, self.field_problems
        if voice is None:
            return False
        if problems:
            self.notify(problems[0].sentence(language_of(self)), severity="error")
            return False
        listed = self.voice_assets is not None
        if not self.form.text.strip():
            self._warn_on_page("tui.speak_screen.no_text", "words")
        elif listed and not (self.form.weight("gpt") and self.form.weight("sovits")):
            self._warn_on_page("tui.speak_screen.no_pair", "pair")
        elif any(
            listed or not take.awaits_weights or take not in self.takes
            for take in self.active_takes
        ):
            self.notify(self.translate("tui.speak_screen.busy"), severity="warning")
        else:
            return True
        return False

    def _warn_on_page(self, key: str, page: str) -> None:
        self.notify(self.translate(key), severity="warning")
        self.action_page(page)

    def action_speak(self) -> None:
        if self._check_ready():
            listed, aloud = self.voice_assets is not None, self.base_app.settings.play_takes
            self.post_command(
                commands.Speak(self.form.draft(), aloud)
                if listed
                else commands.SpeakWhenListed(self.form.copy(), aloud)
            )

    def action_rerender(self) -> None:
        """Speak the last take again with the same prosody: only speed and timbre may differ."""
        if not any(take.state == "done" for take in self.takes):
            self.notify(self.translate("tui.speak_screen.nothing_to_rerender"), severity="warning")
        elif self._check_ready():
            aloud = self.base_app.settings.play_takes
            self.post_command(commands.Speak(self.form.draft(rerender=True), aloud))

    def action_cancel_take(self) -> None:
        for take in self.active_takes:
            self.post_command(commands.CancelTake(take.draft.server))

    def action_play(self) -> None:
        """Play the clip or take under the cursor, else the newest take; stop what plays."""
        voice, clip = self.voice, self.clip_at_cursor
        if self.base_app.state.playing is not None:
            self.post_command(commands.StopSound())
        elif self._page_of(self.focused) == "refs" and clip is not None and voice is not None:
            self.last_played_clip = clip.path
            self.post_command(commands.PlayReference(voice.server, voice.name, clip.path))
        elif self.take_at_cursor is not None and self.take_at_cursor.wav is not None:
            self.last_played_clip = ""
            self.post_command(commands.PlaySound(Path(self.take_at_cursor.wav)))

    def action_imitate(self) -> None:
        clip = self.clip_at_cursor
        if clip is not None:
            self.form.select_reference(clip)
            self.redraw_all()

    def action_extra(self) -> None:
        clip = self.clip_at_cursor
        if clip is not None:
            self.form.toggle_aux_reference(clip.path)
            self.redraw_all()

    def action_use_own_recording(self) -> None:
        voice = self.voice
        if voice is None:
            return

        self._open_trim_dialog(voice, TrimReferenceScreen())

    def action_record_own(self) -> None:
        """Record a reference with a microphone of this computer."""
        voice = self.voice
        if voice is not None:
            self._open_trim_dialog(voice, RecordReferenceScreen())

    def action_trim(self) -> None:
        """Trim the clip under the cursor; the trimmed part becomes a reference of its own."""
        voice, clip = self.voice, self.clip_at_cursor
        if voice is None or clip is None:
            return
        if clip.seconds < MIN_REFERENCE_S:
            self.notify(self.translate("tui.speak_screen.bad_length"), severity="warning")
        else:
            self._open_trim_dialog(
                voice,
                TrimReferenceScreen(commands.FetchClipToTrim(voice.server, voice.name, clip.path)),
            )

    def action_name_reference(self) -> None:
        """Ask what the clip under the cursor shall be called."""
        voice, clip = self.voice, self.clip_at_cursor
        if voice is None or clip is None:
            return

        def named(name: str | None) -> None:
            if name is not None and name != clip.name:
                self.form.expect_new_clip(self.voice_assets)
                self.post_command(commands.NameReference(voice.server, voice.name, clip.path, name))

        others = () if self.voice_assets is None else self.voice_assets.references
        prompt = NamePromptScreen(
            "tui.speak_screen.name_clip",
            clip.name,
            lambda name: reference_name_error(self, name, clip, others),
            facts={"voice": voice.name},
        )
        self.app.push_screen(prompt, named)

    def action_doubtful(self) -> None:
        """Hear the doubtful sentences of the books that the voice has read."""
        if self.voice is not None:
            self.app.push_screen(DoubtfulScreen(self.voice.server, self.voice.name))

    def _open_trim_dialog(
        self, voice: Voice, screen: TrimReferenceScreen | RecordReferenceScreen
    ) -> None:
        def answered(upload: ReferenceUpload | None) -> None:
            if upload is not None:
                self.form.expect_new_clip(self.voice_assets)
                self.post_command(commands.UploadReference(voice.server, voice.name, upload))

        self.app.push_screen(screen, answered)

    def action_put_back(self) -> None:
        take = self.take_at_cursor
        if take is not None:
            self.form.restore_take(take)
            self.query_one("#words", TextArea).load_text(self.form.text)
            self.redraw_all()
            self.notify(self.translate("tui.speak_screen.put_back"), timeout=3)

    def action_save_take(self) -> None:
        take = self.take_at_cursor
        if take is not None and take.wav is not None:
            self.post_command(commands.SaveTake(Path(take.wav), Path.cwd()))

    def action_copy_take(self) -> None:
        take = self.take_at_cursor
        if take is not None and take.wav is not None:
            self.base_app.copy_text(take.wav)

    def action_refresh_assets(self) -> None:
        voice = self.voice
        if voice is not None:
            self.post_command(commands.ReadVoiceAssets(voice.server, voice.name))

    def action_reset_field(self) -> None:
        field = param_field_of(self.focused)
        if field is not None:
            field.reset()
