"""The dialog with the doubtful sentences of read books: hear them, redo or keep them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import DataTable

from sovdeck.engine.contract.format import format_duration
from sovdeck.tui.screens.base.composed_screen import LiveDialog
from sovdeck.tui.screens.speak.text import shorten
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.shell.base_app import app_of
from sovdeck.tui.shell.messages import CommandPosted
from sovdeck.tui.state import commands
from sovdeck.tui.state.speech_models import DoubtfulRow, ReadBooksState
from sovdeck.tui.state.state import State
from sovdeck.tui.text.i18n import translate, translate_hint
from sovdeck.tui.widgets.diff_table import DiffTable, TableCell
from sovdeck.tui.widgets.plain_button import PlainButton
from sovdeck.tui.widgets.steady_text import SteadyText

# Why a sentence is doubtful; an engine of tomorrow may know more reasons.
_DOUBTS = frozenset(("unspoken", "lost", "added", "different", "unclear", "cut", "unread"))


class DoubtfulScreen(LiveDialog[None]):
    """One row a sentence, of all books of the voice, the book read last first."""

    CSS_PATH = ["../../styles/modal.tcss", "../../styles/doubtful.tcss"]
    BINDINGS = bindings("doubtful")

    def __init__(self, server: str, voice: str) -> None:
        super().__init__()
        self.server, self.voice = server, voice

    def compose(self) -> ComposeResult:
        key = "tui.doubtful.title"
        with Vertical(classes="box"):
            yield SteadyText(translate(self, key, voice=self.voice), classes="question")
            yield DiffTable(id="sentences")
            yield SteadyText(id="words")
            yield SteadyText(translate_hint(self, key), classes="more")
            with Horizontal(classes="buttons"):
                yield PlainButton(translate(self, "tui.columns.close"), id="close")

    def on_mount(self) -> None:
        super().on_mount()
        self.post_message(CommandPosted(commands.ListReadBooks(self.server, self.voice)))
        self.query_one(DiffTable).focus()

    @property
    def books(self) -> ReadBooksState | None:
        """What is known of this voice's books; None before they are listed."""
        found = app_of(self).state.read_books
        mine = found is not None and (found.server, found.voice) == (self.server, self.voice)
        return found if mine else None

    @property
    def row_at_cursor(self) -> DoubtfulRow | None:
        """The sentence under the cursor."""
        key = self.query_one(DiffTable).cursor_key
        rows = self.books.doubtful if self.books is not None else ()
        return next((row for row in rows if row.key == key), None)

    def show(self, state: State) -> None:
        books = self.books
        columns = {
            "mark": " ",
            "book": translate(self, "tui.doubtful.book"),
            "place": translate(self, "tui.doubtful.place"),
            "why": translate(self, "tui.doubtful.why"),
            "text": translate(self, "tui.speak_screen.text"),
        }
        rows = books.doubtful if books is not None else ()
        table = self.query_one(DiffTable)
        table.display = bool(rows)
        table.fill(columns, [(row.key, self._cells(row)) for row in rows])
        self._show_words()

    def _cells(self, row: DoubtfulRow) -> dict[str, TableCell]:
        books = self.books
        working = books is not None and row.key in books.working
        return {
            "mark": Content.styled("●" if working else " ", "bold $secondary"),
            "book": shorten(row.book, 16),
            "place": f"{row.chapter:03d} {format_duration(row.start)}",
            "why": Content.styled(self._why(row), "$warning"),
            "text": shorten(row.text, 44),
        }

    def _why(self, row: DoubtfulRow) -> str:
        known = [one for one in row.doubts if one in _DOUBTS]
        return ", ".join(translate(self, f"tui.read.doubt_{doubt}") for doubt in known)

    def _show_words(self) -> None:
        """Show the whole sentence under the cursor, and what was heard; or why there is none."""
        panel, row, books = self.query_one("#words", SteadyText), self.row_at_cursor, self.books
        if row is None:
            key = "listing"
            if books is not None:
                key = "none" if books.books else "no_book"
            panel.update(Content.styled(translate(self, f"tui.doubtful.{key}"), "$faint"))
            return
        lines = [Content(row.text)]
        if row.heard:
            heard = translate(self, "tui.doubtful.heard", heard=row.heard)
            lines.append(Content.styled(heard, "$warning"))
        if row.redo:
            again = translate(self, "tui.doubtful.redone", count=row.redo)
            lines.append(Content.styled(again, "$faint"))
        if books is not None and row.key in books.working:
            lines.append(Content.styled(translate(self, "tui.doubtful.working"), "$secondary"))
        panel.update(Content("\n").join(lines))

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._show_words()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_play()

    def on_button_pressed(self) -> None:
        self.action_leave()

    def action_cursor(self, by: int) -> None:
        table = self.query_one(DiffTable)
        table.move_cursor(row=table.cursor_row + by)

    def action_play(self) -> None:
        """Play the sentence under the cursor; stop what plays."""
        row = self.row_at_cursor
        if app_of(self).state.playing is not None:
            self.post_message(CommandPosted(commands.StopSound()))
        elif row is not None:
            self.post_message(CommandPosted(commands.PlaySentence(self.server, self.voice, row)))

    def action_redo(self) -> None:
        self._revise(keep=False)

    def action_keep(self) -> None:
        self._revise(keep=True)

    def _revise(self, *, keep: bool) -> None:
        row = self.row_at_cursor
        if row is not None:
            command = commands.ReviseSentence(self.server, self.voice, row, keep)
            self.post_message(CommandPosted(command))

    def action_refresh_books(self) -> None:
        self.post_message(CommandPosted(commands.ListReadBooks(self.server, self.voice)))

    def action_leave(self) -> None:
        self.dismiss(None)
