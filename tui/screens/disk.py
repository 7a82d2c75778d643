"""The Disk screen: what lies on a server by kind, and removing what was ticked after a preview."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable

from sovdeck.engine.contract.format import format_bytes
from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.dialogs.name_prompt import NamePromptScreen
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state import commands
from sovdeck.tui.state.server_models import DiskRow
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.text.disk_words import disk_age_text, disk_mark_text
from sovdeck.tui.text.i18n import translate_text
from sovdeck.tui.widgets.diff_table import DiffTable, TableCell, columns_that_fit, shorten_to_fit
from sovdeck.tui.widgets.status_labels import tick_mark
from sovdeck.tui.widgets.steady_text import SteadyText

COLUMNS = {
    "tick": "",
    "kind": "tui.clean.head_kind",
    "path": "tui.clean.head_path",
    "size": "tui.clean.head_size",
    "age": "tui.clean.head_age",
    "mark": "tui.clean.head_mark",
}
_OPTIONAL_COLUMNS = ("age", "kind")
_MARK_STYLES = {"safe": "$success", "resume": "$warning", "only_copy": "bold $error"}
_MARGIN_CELLS = 4
_MAX_PREVIEWED = 6
_LONGEST_PATH = 400


class DiskScreen(AppScreen):
    """The disk of one server; an only copy goes when its path was typed."""

    TAB = "servers"
    SCOPE = "disk"
    TOPICS: ClassVar[tuple[str, ...]] = ("disks",)
    BINDINGS = bindings("disk")
    CSS_PATH = "../styles/disk.tcss"

    def __init__(self, server: str) -> None:
        super().__init__()
        self.server = server
        self._ticked: set[str] = set()

    def compose_body(self) -> Iterable[Widget]:
        with Vertical(id="list"):
            yield SteadyText(id="title")
            yield DiffTable(id="items")
        yield SteadyText(id="chosen")

    @property
    def table(self) -> DiffTable:
        """The table of what lies there."""
        return self.query_one(DiffTable)

    @property
    def items(self) -> tuple[DiskRow, ...]:
        """What lies there by kind, the largest first; empty before the answer."""
        seen = self.base_app.state.disks.get(self.server)
        return seen.items if seen is not None else ()

    @property
    def chosen(self) -> tuple[DiskRow, ...]:
        """What is ticked of it."""
        return tuple(item for item in self.items if item.path in self._ticked)

    def on_mount(self) -> None:
        self.action_list_disk()

    def on_resize(self) -> None:
        self.redraw_after_refresh(self.redraw_all)

    def show(self, state: State, topics: Topics | None) -> None:
        seen = state.disks.get(self.server)
        title = self.translate("tui.disk.title", name=self.server)
        self.query_one("#title", SteadyText).update(Content.styled(title, "bold $primary"))
        if seen is None:
            waiting = self.translate("tui.disk.asking")
        elif not seen.items:
            waiting = self.translate("tui.clean.empty")
        else:
            waiting = self._choice_line()
        self._ticked &= {item.path for item in self.items if not item.used_by}
        rows = [(item.path, self._cells(item, seen.now if seen else 0)) for item in self.items]
        titles = {name: self.translate(key) if key else " " for name, key in COLUMNS.items()}
        width = self.app.size.width - _MARGIN_CELLS
        shown = columns_that_fit(titles, rows, width, _OPTIONAL_COLUMNS)
        self.table.fill(shown, shorten_to_fit(shown, rows, width, "path"))
        self.query_one("#chosen", SteadyText).update(waiting)

    def _choice_line(self) -> str:
        chosen = self.chosen
        if not chosen:
            return self.translate("tui.disk.none_ticked")
        return self.translate("tui.disk.ticked", count=len(chosen), size=_size(chosen))

    def _cells(self, item: DiskRow, now: int) -> dict[str, TableCell]:
        mark = translate_text(self, disk_mark_text(item.mark, item.used_by))
        return {
            "tick": tick_mark(item.path in self._ticked),
            "kind": self.translate(f"tui.clean.kind_{item.kind}"),
            "path": item.label,
            "size": format_bytes(item.bytes),
            "age": translate_text(self, disk_age_text(now - item.changed)),
            "mark": Content.styled(mark, "$faint" if item.used_by else _MARK_STYLES[item.mark]),
        }

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_tick()

    def action_cursor(self, by: int) -> None:
        self.table.move_cursor(row=self.table.cursor_row + by)

    def action_list_disk(self) -> None:
        self.post_command(commands.ListDisk(self.server))

    def action_back(self) -> None:
        self.dismiss()

    def action_tick(self) -> None:
        """Tick the row under the cursor; what a run works with cannot be ticked."""
        key = self.table.cursor_key
        item = next((one for one in self.items if one.path == key), None)
        if item is None:
            return
        if item.used_by:
            facts = {"path": item.label, "run": item.used_by}
            self.notify(self.translate("tui.disk.in_use", **facts), severity="warning")
        else:
            self._ticked ^= {item.path}
            self.redraw_all()

    def action_tick_safe(self) -> None:
        """Tick all whose removal loses nothing; none when just those are ticked."""
        safe = {item.path for item in self.items if item.mark == "safe" and not item.used_by}
        self._ticked = set() if self._ticked == safe else safe
        self.redraw_all()

    def action_remove(self) -> None:
        """Let the path of each only copy be typed, then show what goes, ask, and remove it."""
        chosen = self.chosen
        if chosen:
            self._ask_names(chosen, [item for item in chosen if item.mark == "only_copy"])

    def _ask_names(self, chosen: Sequence[DiskRow], unnamed: Sequence[DiskRow]) -> None:
        if not unnamed:
            self._confirm(chosen)
            return
        path = unnamed[0].label

        def name_error(typed: str) -> str:
            return "" if typed == path else self.translate("tui.disk.other_name")

        def typed(name: str | None) -> None:
            if name is not None:
                self._ask_names(chosen, unnamed[1:])

        facts = {"path": path}
        prompt = NamePromptScreen(
            "tui.disk.type_name", "", name_error, facts=facts, max_length=_LONGEST_PATH
        )
        self.app.push_screen(prompt, typed)

    def _confirm(self, chosen: Sequence[DiskRow]) -> None:
        lines = [f"{item.label}  {format_bytes(item.bytes)}" for item in chosen[:_MAX_PREVIEWED]]
        if len(chosen) > _MAX_PREVIEWED:
            lines.append(self.translate("tui.disk.more", count=len(chosen) - _MAX_PREVIEWED))
        named = tuple(item.path for item in chosen if item.mark == "only_copy")
        facts = {
            "count": len(chosen),
            "size": _size(chosen),
            "server": self.server,
            "list": "\n".join(lines),
        }

        def answered(yes: bool | None) -> None:
            if yes:
                paths = tuple(item.path for item in chosen)
                self.post_command(commands.CleanDisk(self.server, paths, named))

        question = ConfirmScreen("tui.disk.confirm", facts, dangerous=bool(named))
        self.app.push_screen(question, answered)


def _size(items: Iterable[DiskRow]) -> str:
    return format_bytes(sum(item.bytes for item in items))
