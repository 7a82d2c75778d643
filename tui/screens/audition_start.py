"""What an audition shall render: which epochs, which sentences, how many references."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, DataTable, Input, Static, TextArea

from engine.contract.params import PARAMS
from engine.contract.speak_table import LANGUAGES
from tui.actions import bindings
from tui.figures import size
from tui.language import say, say_hint
from tui.state.pair_grid import label
from tui.state.speech import AuditionDraft, Shelf, Weight
from tui.widgets.choice import Choice
from tui.widgets.fact_table import Cell, FactTable
from tui.widgets.states import tick_mark

NEWEST = 3  # epochs of each stage that are taken unless the person says otherwise
REROLLS = tuple(str(times) for times in range(int(PARAMS["infer.max_rerolls"].high or 0) + 1))
SENTENCES = 2  # what the engine takes from the data when none are given


class AuditionStart(ModalScreen[AuditionDraft | None]):
    """The size of the grid is told as it changes, since every rendering takes GPU time."""

    CSS_PATH = ["../styles/modal.tcss", "../styles/audition_start.tcss"]
    BINDINGS = bindings("new_audition")

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self.shelf = shelf
        self.weights = {"gpt": shelf.gpt, "sovits": shelf.sovits}
        self.ticked = {w.name for some in self.weights.values() for w in some[-NEWEST:]}

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            facts = {"voice": self.shelf.voice, "server": self.shelf.server}
            yield Static(say(self, "tui.compare.new", **facts), classes="question")
            with Horizontal(id="epochs"):
                for name in self.weights:
                    yield FactTable(id=name)
            yield TextArea(id="sentences", compact=True)
            with Horizontal(classes="row"):
                yield Static(say(self, "tui.talk.language"), classes="name")
                yield Choice(LANGUAGES, "auto", id="language")
                yield Static(say(self, "tui.compare.references"), classes="name")
                yield Choice(("1", "2", "3"), "1", id="references")
                yield Static(say(self, "tui.talk.seed"), classes="name")
                yield Input("1234", id="seed", type="integer", compact=True)
                yield Static(say(self, "tui.compare.rerolls"), classes="name")
                yield Choice(REROLLS, REROLLS[0], id="rerolls")
            yield Static(id="size")
            yield Static(say_hint(self, "tui.compare.new", **facts), classes="more", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(say(self, "tui.lend.leave"), id="leave")
                yield Button(say(self, "tui.compare.start"), id="start", variant="success")

    def on_mount(self) -> None:
        self.query_one("#gpt").border_title = "GPT"
        self.query_one("#sovits").border_title = "SoVITS"
        sentences = self.query_one("#sentences", TextArea)
        sentences.border_title = say(self, "tui.compare.sentences")
        sentences.placeholder = say(self, "tui.compare.sentences_none")
        self._draw()

    def _draw(self) -> None:
        for name, weights in self.weights.items():
            columns = {"mark": " ", "epoch": say(self, "tui.talk.epoch")}
            columns["size"] = say(self, "tui.voices.size")
            rows = [(weight.name, self._row(weight)) for weight in weights]
            self.query_one(f"#{name}", FactTable).fill(columns, rows)
        self._count()

    def _row(self, weight: Weight) -> dict[str, Cell]:
        ticked = weight.name in self.ticked
        return {
            "mark": tick_mark(ticked),
            "epoch": Content.styled(label(weight.name), "bold" if ticked else "$faint"),
            "size": Content.styled(size(weight.bytes or None), "$faint"),
        }

    def _taken(self, name: str) -> tuple[str, ...]:
        """In the order of the shelf, however they were ticked."""
        return tuple(w.name for w in self.weights[name] if w.name in self.ticked)

    @property
    def texts(self) -> tuple[str, ...]:
        lines = self.query_one("#sentences", TextArea).text.splitlines()
        return tuple(line.strip() for line in lines if line.strip())

    @property
    def draft(self) -> AuditionDraft:
        seed = self.query_one("#seed", Input).value
        return AuditionDraft(
            self.shelf.server,
            self.shelf.voice,
            self._taken("gpt"),
            self._taken("sovits"),
            self.texts,
            self.query_one("#language", Choice).value,
            int(self.query_one("#references", Choice).value),
            int(seed) if seed.isdigit() else AuditionDraft.seed,
            int(self.query_one("#rerolls", Choice).value),
        )

    def _count(self) -> None:
        draft = self.draft
        sentences = len(draft.texts) or SENTENCES
        count = len(draft.gpt) * len(draft.sovits) * sentences * draft.references
        words = say(
            self, "tui.compare.size", gpt=len(draft.gpt), sovits=len(draft.sovits),
            sentences=sentences, references=draft.references, count=count,
        )  # fmt: skip
        self.query_one("#size", Static).update(words)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_tick()

    def action_tick(self) -> None:
        """Take the epoch under the cursor, or leave it out."""
        table = self.focused
        if isinstance(table, FactTable) and table.chosen_key is not None:
            self.ticked ^= {table.chosen_key}
            self._draw()

    def on_text_area_changed(self) -> None:
        self._count()

    def on_choice_changed(self) -> None:
        self._count()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "start":
            self.action_start()
        else:
            self.dismiss(None)

    def action_start(self) -> None:
        draft = self.draft
        if draft.gpt and draft.sovits:
            self.dismiss(draft)
        else:
            self.notify(say(self, "tui.compare.tick_one"), severity="warning")

    def action_leave(self) -> None:
        self.dismiss(None)
