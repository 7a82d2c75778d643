"""Trained voices: which epochs exist, the download with one key, and when it is safe to leave."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable, Static

from tui.actions import bindings
from tui.figures import NONE, loss, size
from tui.screens.arranged import ArrangedRoom
from tui.screens.voice_room import VoiceSeeker
from tui.state import wishes
from tui.state.ages import freshness
from tui.state.arrangement import Value
from tui.state.runs import RunKey, saved_loss
from tui.state.state import State, Topics
from tui.state.work import Checkpoint, Voice
from tui.widgets.empty_state import EmptyState
from tui.widgets.fact_table import Cell, FactTable
from tui.widgets.panel import Panel
from tui.widgets.states import age_words, stage_name
from tui.widgets.transfer_row import transfers_text

COLUMNS = {
    "voice": "tui.voices.voice", "server": "tui.voices.server", "epochs": "tui.voices.epochs",
    "size": "tui.voices.size", "home": "tui.voices.home",
}  # fmt: skip
_OF_A_VOICE = ("download", "cancel_transfer", "copy_path", "speak", "audition", "columns")
_ROWS_SHOWN = 8
_EPOCH_CELLS, _LOSS_CELLS = 10, 15
_EPOCHS_LISTED = 6
_NAMES_FROM = 76  # narrower, a file name would take a row of its own
_RUNS_READ = 3  # newest runs of a voice that are read for the losses of its saved epochs


class VoicesScreen(VoiceSeeker, ArrangedRoom):
    TAB = "voices"
    COLUMNS = COLUMNS
    SPARE = ("size", "epochs", "server")
    TOPICS: ClassVar[tuple[str, ...]] = ("voices", "transfers", "ages", "servers", "saves")
    BINDINGS = bindings("voices")
    CSS_PATH = "../styles/voices.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._read: set[RunKey] = set()  # ended runs that were asked for their losses

    def body(self) -> Iterable[Widget]:
        with Vertical(id="list"):
            yield FactTable(id="voices")
        yield Static(id="checkpoints")
        yield Panel(id="transfers")
        yield EmptyState("tui.voices.empty", id="empty")

    @property
    def table(self) -> FactTable:
        return self.query_one(FactTable)

    @property
    def chosen(self) -> Voice | None:
        """The voice under the cursor."""
        key = self.table.chosen_key
        return next((voice for voice in self.deck.state.all_voices() if voice.key == key), None)

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_all)

    def show(self, state: State, topics: Topics | None) -> None:
        self.seek_voices(state)
        voices = state.all_voices()
        self.set_class(not voices and not state.transfers, "-empty")
        self.say_why_none(self.query_one(EmptyState), state, "tui.voices.empty")
        self.refresh_bindings()
        rows = self.arrangement.rows(voices, _figure)
        self.fill(COLUMNS, [(voice.key, self._cells(voice)) for voice in rows])
        self._checkpoints(state)
        self._transfers(state)

    def _cells(self, voice: Voice) -> dict[str, Cell]:
        epochs = sorted({point.epoch for point in voice.checkpoints})
        if voice.safe:
            home = Content.styled(self.say("tui.voices.safe"), "bold $success")
        elif voice.home:
            home = Content.styled(self.say("tui.voices.older"), "$warning")
        else:
            home = Content.styled(self.say("tui.voices.not_home"), "$faint")
        return {
            "voice": Content.styled(voice.name, "bold"),
            "server": voice.server,
            "epochs": _listed(epochs),
            "size": size(_bytes(voice)),
            "home": home,
        }

    def _checkpoints(self, state: State) -> None:
        voice = self.chosen
        panel = self.query_one("#checkpoints", Static)
        panel.display = voice is not None
        if voice is None:
            return
        panel.border_title = self.say("tui.voices.checkpoints", voice=voice.name)
        at = state.voices_at.get(voice.server)
        stale = freshness(at, state.now) != "live"
        panel.border_subtitle = age_words(self, at, state.now) if stale else ""
        shown = _newest_first(voice)[:_ROWS_SHOWN]
        losses = [saved_loss(state.runs.values(), voice.server, point.path) for point in shown]
        if None in losses:
            self._seek_losses(state, voice)
        lines = [self._checkpoint(*row) for row in zip(shown, losses, strict=True)]
        if voice.home:
            where = Content.assemble((self.say("tui.voices.folder"), "$faint"), " ", voice.home)
            lines.append(where)
        nothing = Content.styled(self.say("tui.voices.none_saved"), "$faint")
        panel.update(Content("\n").join(lines or [nothing]))

    def _seek_losses(self, state: State, voice: Voice) -> None:
        """Read the newest runs of the voice that nobody has looked at: only they know."""
        runs = [run for run in state.runs_of(voice.server) if run.voice == voice.name]
        for run in sorted(runs, key=lambda run: run.run)[-_RUNS_READ:]:
            if run.state.seq < 0 and run.key not in self._read:
                self._read.add(run.key)
                self.ask(wishes.ReadRun(*run.key))

    def _checkpoint(self, point: Checkpoint, value: float | None) -> Content:
        name = point.path.rsplit("/", 1)[-1] if self.app.size.width >= _NAMES_FROM else ""
        epoch = self.say("tui.voices.epoch", epoch=point.epoch)
        return Content.assemble(
            (f"{stage_name(self, point.stage):<7}", "bold $secondary"),
            set_cell_size(epoch, max(_EPOCH_CELLS, cell_len(epoch))),
            f" {size(point.bytes):>8}  ",
            set_cell_size(self.say("tui.voices.loss", loss=loss(value)), _LOSS_CELLS),
            (name, "$faint"),
        )

    def _transfers(self, state: State) -> None:
        panel = self.query_one("#transfers", Panel)
        transfers = list(state.transfers.values())[-3:]
        panel.display = bool(transfers)
        panel.border_title = self.say("tui.voices.transfers")
        panel.draw(lambda width, _: transfers_text(self, transfers, width))

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._checkpoints(self.deck.state)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action not in _OF_A_VOICE or not self.has_class("-empty")

    def action_cursor(self, by: int) -> None:
        self.table.move_cursor(row=self.table.cursor_row + by)

    def action_download(self) -> None:
        if self.chosen is not None:
            self.ask(wishes.PullVoice(self.chosen.server, self.chosen.name))

    def action_refresh_voices(self) -> None:
        for name in self.deck.state.servers:
            self.ask(wishes.RefreshVoices(name))

    def action_cancel_transfer(self) -> None:
        for transfer in self.deck.state.transfers.values():
            if transfer.state == "running":
                self.ask(wishes.CancelTransfer(transfer.id))

    def action_speak(self) -> None:
        self._go("speak")

    def action_audition(self) -> None:
        self._go("audition")

    def _go(self, room: str) -> None:
        """To a room that is about the voice under the cursor."""
        if self.chosen is not None:
            self.ask(wishes.ChooseVoice(self.chosen.server, self.chosen.name))
        self.app.switch_mode(room)

    def action_copy_path(self) -> None:
        if self.chosen is not None and self.chosen.home:
            self.deck.copy(self.chosen.home)


def _newest_first(voice: Voice) -> list[Checkpoint]:
    return sorted(voice.checkpoints, key=lambda point: (-point.epoch, point.stage), reverse=False)


def _listed(epochs: list[int]) -> str:
    """All of a few; of many the first and last, and how many."""
    if len(epochs) <= _EPOCHS_LISTED:
        return ", ".join(map(str, epochs)) or NONE
    return f"{epochs[0]} … {epochs[-1]} ({len(epochs)})"


def _bytes(voice: Voice) -> int | None:
    return voice.pack_bytes or sum(point.bytes for point in voice.checkpoints) or None


def _figure(voice: Voice, column: str) -> Value:
    """What a column sorts by."""
    if column == "epochs":
        return max((point.epoch for point in voice.checkpoints), default=None)
    if column == "size":
        return _bytes(voice)
    if column == "home":
        return f"{not voice.safe}{not voice.home}"
    return voice.server if column == "server" else voice.name
