"""The form of a new audition: which epochs, which sentences, how many references."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, DataTable, Input, TextArea

from sovdeck.engine.contract.foreign_values import parse_whole_number
from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.speak_table import LANGUAGE_MODES
from sovdeck.engine.contract.voice_assets import WeightFile
from sovdeck.tui.screens.base.composed_screen import Dialog
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state.pair_grid import weight_label
from sovdeck.tui.state.speak_form import first_usable
from sovdeck.tui.state.speech_models import AuditionDraft, VoiceAssetsState
from sovdeck.tui.text.i18n import translate, translate_hint, translate_text
from sovdeck.tui.text.param_values import choice_labels
from sovdeck.tui.widgets.border_text import set_border_title
from sovdeck.tui.widgets.diff_table import DiffTable, TableCell
from sovdeck.tui.widgets.option_stepper import OptionStepper
from sovdeck.tui.widgets.plain_button import PlainButton
from sovdeck.tui.widgets.status_labels import level_mark, tick_mark
from sovdeck.tui.widgets.steady_text import SteadyText

DEFAULT_EPOCHS = 3  # newest epochs of each stage, ticked at first
REROLL_CHOICES = tuple(
    str(times) for times in range(int(PARAMS["infer.max_rerolls"].high or 0) + 1)
)
_PITCH = PARAMS["infer.pitch"]
# Semitones; finer steps than whole ones are no question for a comparison.
PITCH_CHOICES = tuple(
    f"{semitones:+d}" if semitones else "0"
    for semitones in range(int(_PITCH.low or 0), int(_PITCH.high or 0) + 1)
)
WHEN = ("beside", "after")
DEFAULT_SENTENCES = 2  # the engine takes so many from the dataset when none are typed


class NewAuditionScreen(Dialog[AuditionDraft | None]):
    """Shows the size of the grid as it changes, since every rendering takes GPU time."""

    CSS_PATH = ["../../styles/modal.tcss", "../../styles/new_audition.tcss"]
    BINDINGS = bindings("new_audition")

    def __init__(self, voice_assets: VoiceAssetsState, active_run: str = "") -> None:
        """active_run: a run that goes on on the server; the form then asks whether to wait."""
        super().__init__()
        self.voice_assets = voice_assets
        self.active_run = active_run
        self.weights = {"gpt": voice_assets.gpt, "sovits": voice_assets.sovits}
        self.ticked = {w.name for some in self.weights.values() for w in some[-DEFAULT_EPOCHS:]}

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            facts = {"voice": self.voice_assets.voice, "server": self.voice_assets.server}
            yield SteadyText(
                translate(self, "tui.audition_screen.new", **facts), classes="question"
            )
            with Horizontal(id="epochs"):
                for name in self.weights:
                    yield DiffTable(id=name)
            yield TextArea(id="sentences", compact=True)
            with Horizontal(classes="row"):
                yield SteadyText(translate(self, "tui.speak_screen.language"), classes="name")
                labels = choice_labels(self, PARAMS["infer.text_lang"])
                yield OptionStepper(LANGUAGE_MODES, "auto", labels=labels, id="language")
                yield SteadyText(translate(self, "tui.audition_screen.references"), classes="name")
                yield OptionStepper(("1", "2", "3"), "1", id="references")
                yield SteadyText(translate(self, "tui.speak_screen.seed"), classes="name")
                yield Input("1234", id="seed", type="integer", compact=True)
            with Horizontal(classes="row"):
                yield SteadyText(translate(self, "tui.audition_screen.rerolls"), classes="name")
                yield OptionStepper(REROLL_CHOICES, REROLL_CHOICES[0], id="rerolls")
                yield SteadyText(translate_text(self, _PITCH.title), classes="name")
                yield OptionStepper(PITCH_CHOICES, "0", id="pitch")
            if self.active_run:
                with Horizontal(classes="row"):
                    when = translate(self, "tui.audition_screen.when", run=self.active_run)
                    yield SteadyText(when, classes="name")
                    labels = {one: translate(self, f"tui.audition_screen.{one}") for one in WHEN}
                    yield OptionStepper(WHEN, WHEN[0], labels=labels, id="when")
            if not first_usable(self.voice_assets.references):
                lacking = translate(self, "tui.audition_screen.no_reference")
                yield SteadyText(
                    Content.assemble(level_mark("warning"), f" {lacking}"), id="lacking"
                )
            yield SteadyText(id="size")
            yield SteadyText(
                translate_hint(self, "tui.audition_screen.new", **facts),
                classes="more",
            )
            with Horizontal(classes="buttons"):
                yield PlainButton(translate(self, "tui.trim_reference.leave"), id="leave")
                yield PlainButton(
                    translate(self, "tui.audition_screen.start"), id="start", variant="success"
                )

    def on_mount(self) -> None:
        set_border_title(self.query_one("#gpt"), "GPT")
        set_border_title(self.query_one("#sovits"), "SoVITS")
        sentences = self.query_one("#sentences", TextArea)
        set_border_title(sentences, translate(self, "tui.audition_screen.sentences"))
        sentences.placeholder = Content(translate(self, "tui.audition_screen.sentences_none"))
        self._draw()

    def _draw(self) -> None:
        for name, weights in self.weights.items():
            columns = {"mark": " ", "epoch": translate(self, "tui.speak_screen.epoch")}
            columns["size"] = translate(self, "tui.voices.size")
            rows = [(weight.name, self._weight_cells(weight)) for weight in weights]
            self.query_one(f"#{name}", DiffTable).fill(columns, rows)
        self._show_grid_size()

    def _weight_cells(self, weight: WeightFile) -> dict[str, TableCell]:
        ticked = weight.name in self.ticked
        return {
            "mark": tick_mark(ticked),
            "epoch": Content.styled(weight_label(weight.name), "bold" if ticked else "$faint"),
            "size": Content.styled(format_bytes(weight.bytes or None), "$faint"),
        }

    def _ticked_weights(self, name: str) -> tuple[str, ...]:
        """The ticked weights, in the order they are listed."""
        return tuple(w.name for w in self.weights[name] if w.name in self.ticked)

    @property
    def texts(self) -> tuple[str, ...]:
        """The typed sentences, one a line."""
        lines = self.query_one("#sentences", TextArea).text.splitlines()
        return tuple(line.strip() for line in lines if line.strip())

    @property
    def draft(self) -> AuditionDraft:
        """The audition as the form describes it."""
        seed = parse_whole_number(self.query_one("#seed", Input).value)
        return AuditionDraft(
            self.voice_assets.server,
            self.voice_assets.voice,
            self._ticked_weights("gpt"),
            self._ticked_weights("sovits"),
            self.texts,
            self.query_one("#language", OptionStepper).value,
            int(self.query_one("#references", OptionStepper).value),
            AuditionDraft.seed if seed is None else seed,
            int(self.query_one("#rerolls", OptionStepper).value),
            pitch=float(self.query_one("#pitch", OptionStepper).value),
            queue=any(one.value == "after" for one in self.query("#when").results(OptionStepper)),
        )

    def _show_grid_size(self) -> None:
        draft = self.draft
        sentences = len(draft.texts) or DEFAULT_SENTENCES
        count = len(draft.gpt) * len(draft.sovits) * sentences * draft.references
        text = translate(
            self,
            "tui.audition_screen.size",
            gpt=len(draft.gpt),
            sovits=len(draft.sovits),
            sentences=sentences,
            references=draft.references,
            count=count,
        )
        self.query_one("#size", SteadyText).update(text)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_tick()

    def action_tick(self) -> None:
        """Tick the epoch under the cursor, or untick it."""
        table = self.focused
        if isinstance(table, DiffTable) and table.cursor_key is not None:
            self.ticked ^= {table.cursor_key}
            self._draw()

    def on_text_area_changed(self) -> None:
        self._show_grid_size()

    def on_option_stepper_changed(self) -> None:
        self._show_grid_size()

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
            self.notify(translate(self, "tui.audition_screen.tick_one"), severity="warning")

    def action_leave(self) -> None:
        self.dismiss(None)
