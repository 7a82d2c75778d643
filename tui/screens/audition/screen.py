"""The Audition screen: a grid of weight pairs, their recordings, and the chosen pair."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import ClassVar

from textual import events
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable

from sovdeck.engine.contract.audition import AuditionCell
from sovdeck.tui.screens.audition.blind_vote import BlindVoteScreen
from sovdeck.tui.screens.audition.new_audition import NewAuditionScreen
from sovdeck.tui.screens.audition.text import (
    cell_detail,
    cell_row,
    pair_name,
    progress_line,
    standing_row,
)
from sovdeck.tui.screens.base.voice_screen import VoiceScreen
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state import commands
from sovdeck.tui.state.blind_test import has_comparison, make_comparisons
from sovdeck.tui.state.pair_grid import WeightPair, cells_of, comparison_cells, pair_grid
from sovdeck.tui.state.speech_models import AuditionDraft, AuditionState
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.widgets.border_text import set_border_subtitle, set_border_title
from sovdeck.tui.widgets.diff_table import DiffTable
from sovdeck.tui.widgets.empty_state import EmptyState
from sovdeck.tui.widgets.pair_table import PairTable
from sovdeck.tui.widgets.panel import Panel
from sovdeck.tui.widgets.steady_text import SteadyText
from sovdeck.tui.widgets.whole_rows import WholeRows

_PANES = ("grid", "cells", "standings")


class AuditionScreen(VoiceScreen):
    """The last audition of one voice."""

    TAB = "audition"
    TOPICS: ClassVar[tuple[str, ...]] = (
        "voices",
        "voice",
        "saves",
        "auditions",
        "voice_assets",
        "playing",
        "chosen",
        "servers",
    )
    BINDINGS = bindings("audition")
    CSS_PATH = "../../styles/audition.tcss"
    AUTO_FOCUS = "#grid"

    def __init__(self) -> None:
        super().__init__()
        self._requested_voice = ""

    def compose_body(self) -> Iterable[Widget]:
        yield Panel(id="head")
        with Horizontal(id="content"):
            with Vertical(id="left"):
                yield PairTable(id="grid")
                yield DiffTable(id="cells")
            with Vertical(id="right"):
                yield DiffTable(id="standings")
                yield WholeRows(id="detail")
        yield EmptyState("tui.audition_screen.empty", id="empty")
        yield EmptyState("tui.speak_screen.no_voice", id="no-voice")

    def on_resize(self) -> None:
        self.redraw_after_refresh(self.redraw_all)

    # Drawing

    def show(self, state: State, topics: Topics | None) -> None:
        self.request_voices(state)
        voice, audition = self.voice, self.audition
        self.set_class(voice is None, "-no-voice")
        empty = audition is None or not (audition.cells or audition.running)
        self.set_class(voice is not None and empty, "-empty")
        if voice is None:
            self.show_empty_reason(
                self.query_one("#no-voice", EmptyState), state, "tui.speak_screen.no_voice"
            )
            return
        if voice.key != self._requested_voice:
            self._requested_voice = voice.key
            self.post_command(commands.RecallAudition(voice.server, voice.name))
            self.post_command(commands.ReadVoiceAssets(voice.server, voice.name))
        self.query_one("#head", Panel).draw(lambda width, _: self._head_line(width))
        if audition is not None and not empty:
            self._show_grid(audition)
            self._show_cells(audition, state)
            self._show_standings(audition)
            self._show_detail()

    def _head_line(self, width: int) -> Content:
        voice, audition = self.voice, self.audition
        assert voice is not None
        line = Content.assemble((voice.name, "bold $primary"), (f" · {voice.server}   ", "$faint"))
        if audition is not None and (audition.cells or audition.running):
            line += progress_line(self, audition, width)
        voices = len(self.base_app.state.all_voices())
        if voices > 1:
            more = self.translate("tui.speak_screen.other_voices", count=voices)
            line = Content.assemble(line, (f"   {more}", "$faint"))
        return line

    @property
    def grid(self) -> PairTable:
        """The grid of weight pairs."""
        return self.query_one("#grid", PairTable)

    @property
    def pair(self) -> WeightPair | None:
        """The pair under the grid's cursor."""
        return self.grid.pair

    def _show_grid(self, audition: AuditionState) -> None:
        first = audition.standings[0] if audition.standings else None
        best = (first.gpt, first.sovits) if first is not None else None
        self.grid.show(pair_grid(audition), best, audition.chosen)
        set_border_title(self.grid, self.translate("tui.audition_screen.grid"))
        base_penalties = [cell.penalty for cell in audition.cells if cell.kind == "base"]
        legend = [self.translate("tui.audition_screen.legend")]
        if base_penalties:
            mean = f"{sum(base_penalties) / len(base_penalties):.2f}"
            legend.append(self.translate("tui.audition_screen.base", penalty=mean))
        set_border_subtitle(self.grid, "  ".join(legend))

    def _show_cells(self, audition: AuditionState, state: State) -> None:
        """The renderings of this pair, each sentence with its recording and the base model."""
        names = ["mark", "kind", "seconds", "penalty"]
        if self.app.size.width >= 100:
            names += ["cer", "similarity"]
        titles = {
            "mark": " ",
            "kind": self.translate("tui.audition_screen.what"),
            "seconds": self.translate("tui.speak_screen.length"),
            "penalty": self.translate("tui.audition_screen.penalty"),
            "cer": self.translate("tui.audition_screen.mark_cer"),
            "similarity": self.translate("tui.audition_screen.mark_similarity"),
            "text": self.translate("tui.speak_screen.text"),
        }
        playing = str(state.playing) if state.playing is not None else None
        rows = [
            (cell.name, cell_row(self, cell, cell.wav is not None and cell.wav == playing))
            for cell in self._listed_cells(audition)
        ]
        table = self.query_one("#cells", DiffTable)
        cursor_row = table.cursor_row
        table.fill({name: titles[name] for name in (*names, "text")}, rows)
        if table.cursor_key is not None and table.cursor_row != cursor_row < len(rows):
            table.move_cursor(row=cursor_row)  # another pair, the same sentence
        set_border_title(table, pair_name(self.pair) if self.pair is not None else "")

    def _listed_cells(self, audition: AuditionState) -> list[AuditionCell]:
        cells = cells_of(audition, self.pair) if self.pair is not None else []
        rows: list[AuditionCell] = []
        for sentence in sorted({cell.sentence for cell in cells}):
            rows += [cell for cell in cells if cell.sentence == sentence]
            rows += comparison_cells(audition, sentence)
        return rows + comparison_cells(audition)

    @property
    def cell(self) -> AuditionCell | None:
        """The rendering under the cursor of the list."""
        key = self.query_one("#cells", DiffTable).cursor_key
        cells = self.audition.cells if self.audition is not None else ()
        return next((cell for cell in cells if cell.name == key), None)

    def _show_standings(self, audition: AuditionState) -> None:
        columns = {
            "mark": " ",
            "place": "#",
            "pair": self.translate("tui.speak_screen.pair"),
            "penalty": self.translate("tui.audition_screen.penalty"),
            "votes": self.translate("tui.audition_screen.votes"),
        }
        rows = [
            (
                f"{standing.gpt}/{standing.sovits}",
                standing_row(rank, standing, (standing.gpt, standing.sovits) == audition.chosen),
            )
            for rank, standing in enumerate(audition.standings, 1)
        ]
        table = self.query_one("#standings", DiffTable)
        table.fill(columns, rows)
        set_border_title(table, self.translate("tui.audition_screen.standings"))
        set_border_subtitle(table, self._why_no_vote(audition))

    def _why_no_vote(self, audition: AuditionState) -> str:
        """What a vote waits for; empty where there is something to vote on."""
        if has_comparison(audition):
            return ""
        key = "vote_waits" if audition.running else "vote_needs"
        return self.translate(f"tui.audition_screen.{key}")

    def _show_detail(self) -> None:
        cell = self.cell
        panel = self.query_one("#detail", SteadyText)
        panel.update(cell_detail(self, cell) if cell is not None else "")

    # Events and actions

    def on_pair_table_moved(self, event: PairTable.Moved) -> None:
        if self.audition is not None:
            self._show_cells(self.audition, self.base_app.state)
            self._show_detail()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._show_detail()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if event.data_table.id == "cells":
            self.action_play()
        elif event.row_key.value is not None:
            gpt, sovits = event.row_key.value.split("/", 1)
            self.grid.move_to((gpt, sovits))
            self.grid.focus()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.set_class(event.widget.id == "standings", "-ranks")

    def action_next_page(self) -> None:
        name = self.focused.id if self.focused is not None else ""
        after = _PANES[(_PANES.index(name) + 1) % len(_PANES)] if name in _PANES else _PANES[0]
        self.set_class(after == "standings", "-ranks")
        self.set_focus(self.query_one(f"#{after}"))

    def action_cursor(self, by: int) -> None:
        if isinstance(self.focused, DiffTable):
            self.focused.move_cursor(row=self.focused.cursor_row + by)

    def action_play(self) -> None:
        self._play_cell(self.cell)

    def action_play_beside(self, kind: str) -> None:
        """Play the recording or the base model with the sentence under the cursor."""
        cell = self.cell
        if cell is not None and self.audition is not None:
            near = comparison_cells(self.audition, cell.sentence) + comparison_cells(self.audition)
            found = [c for c in near if c.kind == kind]
            self._play_cell(found[0] if found else None)

    def _play_cell(self, cell: AuditionCell | None) -> None:
        playing = self.base_app.state.playing
        if cell is None or cell.wav is None:
            self.notify(self.translate("tui.audition_screen.no_sound"), severity="warning")
        elif playing is not None and str(playing) == cell.wav:
            self.post_command(commands.StopSound())
        else:
            self.post_command(commands.PlaySound(Path(cell.wav)))

    def action_start(self) -> None:
        voice, voice_assets = self.voice, self.voice_assets
        if voice is None:
            return
        if voice_assets is None or not (voice_assets.gpt and voice_assets.sovits):
            self.notify(self.translate("tui.speak_screen.no_pair"), severity="warning")
            return
        if self.audition is not None and self.audition.running:
            self.notify(self.translate("tui.audition_screen.busy"), severity="warning")
            return

        def answered(draft: AuditionDraft | None) -> None:
            if draft is not None:
                self.post_command(commands.RenderAudition(draft))

        active = [run for run in self.base_app.state.runs_of(voice.server) if not run.ended]
        active_run = active[-1].run if active else ""
        self.app.push_screen(NewAuditionScreen(voice_assets, active_run), answered)

    def action_vote(self) -> None:
        audition = self.audition
        comparisons = make_comparisons(audition, Random()) if audition is not None else []
        if audition is None or not comparisons:
            running = audition is not None and audition.running
            key = "vote_waits" if running else "nothing_to_compare"
            self.notify(self.translate(f"tui.audition_screen.{key}"), severity="warning")
        else:
            self.app.push_screen(BlindVoteScreen(audition, comparisons))

    def action_choose(self) -> None:
        voice, pair = self.voice, self.pair
        if voice is not None and pair is not None and not self.has_class("-empty"):
            self.post_command(commands.ChoosePair(voice.server, voice.name, *pair))

    def action_cancel_audition(self) -> None:
        voice = self.voice
        if voice is not None:
            self.post_command(commands.CancelAudition(voice.server, voice.name))

    def action_recall(self) -> None:
        voice = self.voice
        if voice is not None:
            self.post_command(commands.RecallAudition(voice.server, voice.name))
            self.post_command(commands.ReadVoiceAssets(voice.server, voice.name))
