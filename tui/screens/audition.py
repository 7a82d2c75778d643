"""Epochs against epochs: a grid of pairs, what each sounds like, and which one the pack takes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import ClassVar

from textual import events
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable, Static

from engine.contract.audition import AuditionCell
from tui.actions import bindings
from tui.screens.audition_parts import cell_detail, cell_row, pair_label, progress, standing_row
from tui.screens.audition_start import AuditionStart
from tui.screens.voice_room import VoiceRoom
from tui.screens.vote import VoteScreen
from tui.state import wishes
from tui.state.blind import duels
from tui.state.pair_grid import Pair, beside, cells_of, pair_grid
from tui.state.speech import Audition, AuditionDraft
from tui.state.state import State, Topics
from tui.widgets.empty_state import EmptyState
from tui.widgets.fact_table import FactTable
from tui.widgets.pair_table import PairTable
from tui.widgets.panel import Panel

_PARTS = ("grid", "cells", "standings")


class AuditionScreen(VoiceRoom):
    TAB = "audition"
    TOPICS: ClassVar[tuple[str, ...]] = (
        "voices", "voice", "saves", "auditions", "shelves", "playing", "chosen", "servers",
    )  # fmt: skip
    BINDINGS = bindings("audition")
    CSS_PATH = "../styles/audition.tcss"
    AUTO_FOCUS = "#grid"

    def __init__(self) -> None:
        super().__init__()
        self._recalled = ""

    def body(self) -> Iterable[Widget]:
        yield Panel(id="head")
        with Horizontal(id="room"):
            with Vertical(id="left"):
                yield PairTable(id="grid")
                yield FactTable(id="cells")
            with Vertical(id="right"):
                yield FactTable(id="standings")
                yield Static(id="detail")
        yield EmptyState("tui.compare.empty", id="empty")
        yield EmptyState("tui.talk.no_voice", id="no-voice")

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_all)

    # Drawing

    def show(self, state: State, topics: Topics | None) -> None:
        self.seek_voices(state)
        voice, audition = self.voice, self.audition
        self.set_class(voice is None, "-no-voice")
        bare = audition is None or not (audition.cells or audition.running)
        self.set_class(voice is not None and bare, "-empty")
        if voice is None:
            self.say_why_none(self.query_one("#no-voice", EmptyState), state, "tui.talk.no_voice")
            return
        if voice.key != self._recalled:
            self._recalled = voice.key
            self.ask(wishes.RecallAudition(voice.server, voice.name))
            self.ask(wishes.ReadShelf(voice.server, voice.name))
        self.query_one("#head", Panel).draw(lambda width, _: self._head(width))
        if audition is not None and not bare:
            self._grid(audition)
            self._cells(audition, state)
            self._standings(audition)
            self._detail()

    def _head(self, width: int) -> Content:
        voice, audition = self.voice, self.audition
        assert voice is not None
        line = Content.assemble((voice.name, "bold $primary"), (f" · {voice.server}   ", "$faint"))
        if audition is not None and (audition.cells or audition.running):
            line += progress(self, audition, width)
        voices = len(self.deck.state.all_voices())
        if voices > 1:
            more = self.say("tui.talk.other_voices", count=voices)
            line = Content.assemble(line, (f"   {more}", "$faint"))
        return line

    @property
    def grid(self) -> PairTable:
        return self.query_one("#grid", PairTable)

    @property
    def pair(self) -> Pair | None:
        """The pair under the grid's cursor."""
        return self.grid.pair

    def _grid(self, audition: Audition) -> None:
        first = audition.standings[0] if audition.standings else None
        best = (first.gpt, first.sovits) if first is not None else None
        self.grid.show(pair_grid(audition), best, audition.chosen)
        self.grid.border_title = self.say("tui.compare.grid")
        base = [cell.penalty for cell in audition.cells if cell.kind == "base"]
        legend = [self.say("tui.compare.legend")]
        if base:
            mean = f"{sum(base) / len(base):.2f}"
            legend.append(self.say("tui.compare.base", penalty=mean))
        self.grid.border_subtitle = "  ".join(legend)

    def _cells(self, audition: Audition, state: State) -> None:
        """The renderings of this pair, each sentence with its recording and the base beside."""
        names = ["mark", "kind", "seconds", "penalty"]
        if self.app.size.width >= 100:
            names += ["cer", "similarity"]
        titles = {
            "mark": " ", "kind": self.say("tui.compare.what"),
            "seconds": self.say("tui.talk.length"), "penalty": self.say("tui.compare.penalty"),
            "cer": self.say("tui.compare.mark_cer"),
            "similarity": self.say("tui.compare.mark_similarity"),
            "text": self.say("tui.talk.text"),
        }  # fmt: skip
        sounding = str(state.playing) if state.playing is not None else None
        rows = [
            (cell.name, cell_row(self, cell, cell.wav is not None and cell.wav == sounding))
            for cell in self._shown(audition)
        ]
        table = self.query_one("#cells", FactTable)
        spot = table.cursor_row
        table.fill({name: titles[name] for name in (*names, "text")}, rows)
        if table.chosen_key is not None and table.cursor_row != spot < len(rows):
            table.move_cursor(row=spot)  # another pair, the same sentence
        table.border_title = pair_label(self.pair) if self.pair is not None else ""

    def _shown(self, audition: Audition) -> list[AuditionCell]:
        cells = cells_of(audition, self.pair) if self.pair is not None else []
        rows: list[AuditionCell] = []
        for sentence in sorted({cell.sentence for cell in cells}):
            rows += [cell for cell in cells if cell.sentence == sentence]
            rows += beside(audition, sentence)
        return rows + beside(audition)

    @property
    def cell(self) -> AuditionCell | None:
        """The rendering under the cursor of the list."""
        key = self.query_one("#cells", FactTable).chosen_key
        cells = self.audition.cells if self.audition is not None else ()
        return next((cell for cell in cells if cell.name == key), None)

    def _standings(self, audition: Audition) -> None:
        columns = {
            "mark": " ", "place": "#", "pair": self.say("tui.talk.pair"),
            "penalty": self.say("tui.compare.penalty"), "votes": self.say("tui.compare.votes"),
        }  # fmt: skip
        rows = [
            (
                f"{one.gpt}/{one.sovits}",
                standing_row(place, one, (one.gpt, one.sovits) == audition.chosen),
            )
            for place, one in enumerate(audition.standings, 1)
        ]
        table = self.query_one("#standings", FactTable)
        table.fill(columns, rows)
        table.border_title = self.say("tui.compare.standings")

    def _detail(self) -> None:
        cell = self.cell
        panel = self.query_one("#detail", Static)
        panel.update(cell_detail(self, cell) if cell is not None else "")

    # What the person does

    def on_pair_table_moved(self, event: PairTable.Moved) -> None:
        if self.audition is not None:
            self._cells(self.audition, self.deck.state)
            self._detail()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._detail()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if event.data_table.id == "cells":
            self.action_play()
        elif event.row_key.value is not None:
            gpt, sovits = event.row_key.value.split("/", 1)
            self.grid.go((gpt, sovits))
            self.grid.focus()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.set_class(event.widget.id == "standings", "-ranks")

    def action_next_page(self) -> None:
        name = self.focused.id if self.focused is not None else ""
        after = _PARTS[(_PARTS.index(name) + 1) % len(_PARTS)] if name in _PARTS else _PARTS[0]
        self.set_class(after == "standings", "-ranks")
        self.set_focus(self.query_one(f"#{after}"))

    def action_cursor(self, by: int) -> None:
        if isinstance(self.focused, FactTable):
            self.focused.move_cursor(row=self.focused.cursor_row + by)

    def action_play(self) -> None:
        self._play(self.cell)

    def action_play_beside(self, kind: str) -> None:
        """The recording or the base model, saying the sentence under the cursor."""
        cell = self.cell
        if cell is not None and self.audition is not None:
            near = beside(self.audition, cell.sentence) + beside(self.audition)
            found = [c for c in near if c.kind == kind]
            self._play(found[0] if found else None)

    def _play(self, cell: AuditionCell | None) -> None:
        playing = self.deck.state.playing
        if cell is None or cell.wav is None:
            self.notify(self.say("tui.compare.no_sound"), severity="warning")
        elif playing is not None and str(playing) == cell.wav:
            self.ask(wishes.StopSound())
        else:
            self.ask(wishes.PlaySound(Path(cell.wav)))

    def action_start(self) -> None:
        voice, shelf = self.voice, self.shelf
        if voice is None:
            return
        if shelf is None or not (shelf.gpt and shelf.sovits):
            self.notify(self.say("tui.talk.no_pair"), severity="warning")
            return
        if self.audition is not None and self.audition.running:
            self.notify(self.say("tui.compare.busy"), severity="warning")
            return

        def answered(draft: AuditionDraft | None) -> None:
            if draft is not None:
                self.ask(wishes.RenderAudition(draft))

        self.app.push_screen(AuditionStart(shelf), answered)

    def action_vote(self) -> None:
        audition = self.audition
        found = duels(audition, Random()) if audition is not None else []
        if audition is None or not found:
            self.notify(self.say("tui.compare.nothing_to_compare"), severity="warning")
        else:
            self.app.push_screen(VoteScreen(audition, found))

    def action_choose(self) -> None:
        voice, pair = self.voice, self.pair
        if voice is not None and pair is not None and not self.has_class("-empty"):
            self.ask(wishes.ChoosePair(voice.server, voice.name, *pair))

    def action_cancel_audition(self) -> None:
        voice = self.voice
        if voice is not None:
            self.ask(wishes.CancelAudition(voice.server, voice.name))

    def action_recall(self) -> None:
        voice = self.voice
        if voice is not None:
            self.ask(wishes.RecallAudition(voice.server, voice.name))
            self.ask(wishes.ReadShelf(voice.server, voice.name))
