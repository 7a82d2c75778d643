"""The Voices screen: trained voices, their checkpoints, and their download."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable

from sovdeck.engine.contract.format import UNKNOWN, format_bytes, format_loss
from sovdeck.engine.contract.layout import VERSIONS
from sovdeck.tui.screens.base.sortable_table import SortableTableScreen
from sovdeck.tui.screens.base.voice_screen import VoiceRefreshScreen
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state import commands
from sovdeck.tui.state.freshness import freshness
from sovdeck.tui.state.models import CheckpointRow, Voice
from sovdeck.tui.state.runs import RunKey, saved_loss
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.state.table_layout import Value
from sovdeck.tui.widgets.border_text import set_border_subtitle, set_border_title
from sovdeck.tui.widgets.diff_table import DiffTable, TableCell
from sovdeck.tui.widgets.empty_state import EmptyState
from sovdeck.tui.widgets.panel import Panel
from sovdeck.tui.widgets.status_labels import age_text, stage_name
from sovdeck.tui.widgets.steady_text import SteadyText
from sovdeck.tui.widgets.transfer_row import transfers_text

COLUMNS = {
    "voice": "tui.voices.voice",
    "server": "tui.voices.server",
    "epochs": "tui.voices.epochs",
    "size": "tui.voices.size",
    "home": "tui.voices.home",
}
_VOICE_ACTIONS = (
    "download",
    "download_community",
    "cancel_transfer",
    "copy_path",
    "speak",
    "audition",
    "columns",
)
_MAX_CHECKPOINTS = 8
_EPOCH_CELLS, _LOSS_CELLS = 10, 15
_MAX_EPOCHS_LISTED = 6
_FILE_NAME_MIN_WIDTH = 76  # in narrower terminals a file name would wrap
_MAX_RUNS_READ = 3  # newest runs of a voice whose events are read for losses


class VoicesScreen(VoiceRefreshScreen, SortableTableScreen):
    """The table of voices; below it the checkpoints of one voice, and transfers."""

    TAB = "voices"
    COLUMNS = COLUMNS
    OPTIONAL_COLUMNS = ("size", "epochs", "server")
    TOPICS: ClassVar[tuple[str, ...]] = ("voices", "transfers", "ages", "servers", "saves")
    BINDINGS = bindings("voices")
    CSS_PATH = "../styles/voices.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._requested_runs: set[RunKey] = set()  # ended runs whose events were requested

    def compose_body(self) -> Iterable[Widget]:
        with Vertical(id="list"):
            yield DiffTable(id="voices")
        yield SteadyText(id="checkpoints")
        yield Panel(id="transfers")
        yield EmptyState("tui.voices.empty", id="empty")

    @property
    def table(self) -> DiffTable:
        """The table of voices."""
        return self.query_one(DiffTable)

    @property
    def voice_at_cursor(self) -> Voice | None:
        """The voice under the cursor."""
        key = self.table.cursor_key
        return next((voice for voice in self.base_app.state.all_voices() if voice.key == key), None)

    def on_resize(self) -> None:
        self.redraw_after_refresh(self.redraw_all)

    def show(self, state: State, topics: Topics | None) -> None:
        self.request_voices(state)
        voices = state.all_voices()
        self.set_class(not voices and not state.transfers, "-empty")
        self.show_empty_reason(self.query_one(EmptyState), state, "tui.voices.empty")
        self.refresh_bindings()
        rows = self.table_layout.sort_rows(voices, _sort_value)
        self.fill_table(COLUMNS, [(voice.key, self._cells(voice)) for voice in rows])
        self._show_checkpoints(state)
        self._show_transfers(state)

    def _cells(self, voice: Voice) -> dict[str, TableCell]:
        epochs = sorted({point.epoch for point in voice.checkpoints})
        if voice.safe:
            download_text = Content.styled(self.translate("tui.voices.safe"), "bold $success")
        elif voice.local_folder:
            download_text = Content.styled(self.translate("tui.voices.older"), "$warning")
        else:
            download_text = Content.styled(self.translate("tui.voices.not_home"), "$faint")
        return {
            "voice": Content.styled(voice.name, "bold"),
            "server": voice.server,
            "epochs": _epochs_text(epochs),
            "size": format_bytes(_voice_bytes(voice)),
            "home": download_text,
        }

    def _show_checkpoints(self, state: State) -> None:
        voice = self.voice_at_cursor
        panel = self.query_one("#checkpoints", SteadyText)
        panel.display = voice is not None
        if voice is None:
            return
        set_border_title(panel, self.translate("tui.voices.checkpoints", voice=voice.name))
        at = state.voices_at.get(voice.server)
        stale = freshness(at, state.now) != "live"
        set_border_subtitle(panel, age_text(self, at, state.now) if stale else "")
        shown = _newest_first(voice)[:_MAX_CHECKPOINTS]
        losses = [
            saved_loss(state.runs.values(), voice.server, checkpoint.path) for checkpoint in shown
        ]
        if None in losses:
            self._request_losses(state, voice)
        lines = [self._checkpoint_line(*row) for row in zip(shown, losses, strict=True)]
        if voice.local_folder:
            folder_line = Content.assemble(
                (self.translate("tui.voices.folder"), "$faint"), " ", voice.local_folder
            )
            lines.append(folder_line)
        nothing = Content.styled(self.translate("tui.voices.none_saved"), "$faint")
        panel.update(Content("\n").join(lines or [nothing]))

    def _request_losses(self, state: State, voice: Voice) -> None:
        """Read the newest runs of the voice, for the losses of its saved epochs."""
        runs = [run for run in state.runs_of(voice.server) if run.voice == voice.name]
        for run in sorted(runs, key=lambda run: run.run)[-_MAX_RUNS_READ:]:
            if run.state.seq < 0 and run.key not in self._requested_runs:
                self._requested_runs.add(run.key)
                self.post_command(commands.ReadRun(*run.key))

    def _checkpoint_line(self, checkpoint: CheckpointRow, value: float | None) -> Content:
        name = (
            checkpoint.path.rsplit("/", 1)[-1]
            if self.app.size.width >= _FILE_NAME_MIN_WIDTH
            else ""
        )
        epoch = self.translate("tui.voices.epoch", epoch=checkpoint.epoch)
        version = checkpoint.version if checkpoint.version != VERSIONS[0] else ""
        return Content.assemble(
            (f"{stage_name(self, checkpoint.stage):<7}", "bold $secondary"),
            set_cell_size(epoch, max(_EPOCH_CELLS, cell_len(epoch))),
            f" {format_bytes(checkpoint.bytes):>8}  ",
            set_cell_size(self.translate("tui.voices.loss", loss=format_loss(value)), _LOSS_CELLS),
            (" ".join(part for part in (version, name) if part), "$faint"),
        )

    def _show_transfers(self, state: State) -> None:
        panel = self.query_one("#transfers", Panel)
        transfers = list(state.transfers.values())[-3:]
        panel.display = bool(transfers)
        set_border_title(panel, self.translate("tui.voices.transfers"))
        panel.draw(lambda width, _: transfers_text(self, transfers, width))

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._show_checkpoints(self.base_app.state)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether an action applies: without a voice most do not."""
        return action not in _VOICE_ACTIONS or not self.has_class("-empty")

    def action_cursor(self, by: int) -> None:
        self.table.move_cursor(row=self.table.cursor_row + by)

    def action_download(self) -> None:
        self._download(community=False)

    def action_download_community(self) -> None:
        self._download(community=True)

    def _download(self, *, community: bool) -> None:
        voice = self.voice_at_cursor
        if voice is not None:
            self.post_command(commands.PullVoice(voice.server, voice.name, community))

    def action_refresh_voices(self) -> None:
        for name in self.base_app.state.servers:
            self.post_command(commands.RefreshVoices(name))

    def action_cancel_transfer(self) -> None:
        for transfer in self.base_app.state.transfers.values():
            if transfer.state == "running":
                self.post_command(commands.CancelTransfer(transfer.id))

    def action_speak(self) -> None:
        self._switch_to("speak")

    def action_audition(self) -> None:
        self._switch_to("audition")

    def _switch_to(self, mode: str) -> None:
        """Choose the voice under the cursor and switch to another screen."""
        if self.voice_at_cursor is not None:
            self.post_command(
                commands.ChooseVoice(self.voice_at_cursor.server, self.voice_at_cursor.name)
            )
        self.app.switch_mode(mode)

    def action_copy_path(self) -> None:
        if self.voice_at_cursor is not None and self.voice_at_cursor.local_folder:
            self.base_app.copy_text(self.voice_at_cursor.local_folder)


def _newest_first(voice: Voice) -> list[CheckpointRow]:
    return sorted(voice.checkpoints, key=lambda point: (-point.epoch, point.stage), reverse=False)


def _epochs_text(epochs: list[int]) -> str:
    """All epochs when they are few, else the first, the last and their number."""
    if len(epochs) <= _MAX_EPOCHS_LISTED:
        return ", ".join(map(str, epochs)) or UNKNOWN
    return f"{epochs[0]} … {epochs[-1]} ({len(epochs)})"


def _voice_bytes(voice: Voice) -> int | None:
    return voice.pack_bytes or sum(point.bytes for point in voice.checkpoints) or None


def _sort_value(voice: Voice, column: str) -> Value:
    """The value that a column sorts by."""
    if column == "epochs":
        return max((point.epoch for point in voice.checkpoints), default=None)
    if column == "size":
        return _voice_bytes(voice)
    if column == "home":
        return f"{not voice.safe}{not voice.local_folder}"
    return voice.server if column == "server" else voice.name
