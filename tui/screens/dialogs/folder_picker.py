"""A dialog to choose a folder of this computer, its list, or one recording, by keys alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import DirectoryTree

from sovdeck.engine.contract.dataset.recordings import AUDIO_SUFFIXES, is_junk
from sovdeck.tui.screens.base.composed_screen import Dialog
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.text.i18n import translate
from sovdeck.tui.widgets.border_text import set_border_title
from sovdeck.tui.widgets.steady_text import SteadyText


class FolderTree(DirectoryTree):
    """Folders, lists and recordings; hidden files and what systems leave behind are not shown."""

    BINDINGS = bindings("tree")

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        return (
            path
            for path in paths
            if not is_junk(path.name)
            and (path.suffix.lower() in AUDIO_SUFFIXES | {".list"} or path.is_dir())
        )

    def action_open(self) -> None:
        """Open the folder under the cursor."""
        if self.cursor_node is not None and self.cursor_node.allow_expand:
            self.cursor_node.expand()

    def action_close(self) -> None:
        """Close the folder under the cursor; a closed one leads to the folder it is in."""
        node = self.cursor_node
        if node is not None and node.is_expanded and node is not self.root:
            node.collapse()
        elif node is not None and node.parent is not None:
            self.move_cursor(node.parent)


class FolderPickerScreen(Dialog[Path | None]):
    """The result is what was chosen; None when left. Begins in `start`."""

    CSS_PATH = "../../styles/folder_picker.tcss"
    BINDINGS = bindings("picker")

    def __init__(self, start: Path) -> None:
        super().__init__()
        self.start = start if start.is_dir() else Path.home()

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield SteadyText(str(self.start), id="here")
            yield FolderTree(self.start)
            yield SteadyText(translate(self, "tui.picker.keys"), classes="more")

    def on_mount(self) -> None:
        super().on_mount()
        set_border_title(self.query_one(".box"), translate(self, "tui.picker.title"))
        self.query_one(FolderTree).focus()

    def on_directory_tree_directory_selected(self, event: DirectoryTree.DirectorySelected) -> None:
        self.dismiss(event.path)

    def on_directory_tree_file_selected(self, event: DirectoryTree.FileSelected) -> None:
        self.dismiss(event.path)

    def action_up(self) -> None:
        """Begin one folder further up."""
        self.start = self.start.resolve().parent
        self.query_one("#here", SteadyText).update(str(self.start))
        self.query_one(FolderTree).path = self.start

    def action_leave(self) -> None:
        self.dismiss(None)
