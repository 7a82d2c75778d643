"""The blind vote: two renderings of one sentence in random order, their weights hidden."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button

from sovdeck.engine.contract.audition import AuditionCell
from sovdeck.tui.screens.audition.text import pair_name
from sovdeck.tui.screens.base.composed_screen import LiveDialog
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.shell.messages import CommandPosted
from sovdeck.tui.state import commands
from sovdeck.tui.state.blind_test import AbComparison, tally
from sovdeck.tui.state.speech_models import AuditionState
from sovdeck.tui.state.state import State
from sovdeck.tui.text.i18n import translate, translate_hint
from sovdeck.tui.widgets.plain_button import PlainButton
from sovdeck.tui.widgets.progress_bar import progress_bar
from sovdeck.tui.widgets.steady_text import SteadyText

Side = Literal["a", "b"]


class BlindVoteScreen(LiveDialog[None]):
    """Plays A, then B; each vote counts at once, the weights are shown at the end."""

    CSS_PATH = ["../../styles/modal.tcss", "../../styles/blind_vote.tcss"]
    AUTO_FOCUS = ""
    BINDINGS = bindings("vote")

    def __init__(self, audition: AuditionState, comparisons: Sequence[AbComparison]) -> None:
        super().__init__()
        self.audition = audition
        self.comparisons = tuple(comparisons)
        self.comparison_index = 0
        self.votes: list[tuple[AuditionCell, AuditionCell]] = []
        self.finished = False
        self._playing_side: Side | None = None
        self._play_b_next = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield SteadyText(translate(self, "tui.blind_vote_screen.title"), classes="question")
            yield SteadyText(id="progress")
            yield SteadyText(id="sentence")
            with Horizontal(id="sides"):
                yield PlainButton("A", id="hear-a", classes="side")
                yield PlainButton("B", id="hear-b", classes="side")
            yield SteadyText(id="result")
            yield SteadyText(translate_hint(self, "tui.blind_vote_screen.title"), classes="more")
            with Horizontal(classes="buttons", id="answers"):
                yield PlainButton(
                    translate(self, "tui.blind_vote_screen.a_better"),
                    id="vote-a",
                    variant="primary",
                )
                yield PlainButton(translate(self, "tui.blind_vote_screen.neither"), id="vote-none")
                yield PlainButton(
                    translate(self, "tui.blind_vote_screen.b_better"),
                    id="vote-b",
                    variant="primary",
                )

    def on_mount(self) -> None:
        self._draw()
        self.action_play_both()

    @property
    def current_comparison(self) -> AbComparison:
        """The comparison that is voted on."""
        return self.comparisons[self.comparison_index]

    def _cell_of(self, side: Side) -> AuditionCell:
        return self.current_comparison.a if side == "a" else self.current_comparison.b

    def _draw(self) -> None:
        done = len(self.comparisons) if self.finished else self.comparison_index
        progress = translate(
            self,
            "tui.blind_vote_screen.progress",
            number=min(done + 1, len(self.comparisons)),
            of=len(self.comparisons),
        )
        line = Content.assemble(
            progress_bar(done / len(self.comparisons), 24), f" {'' if self.finished else progress}"
        )
        self.query_one("#progress", SteadyText).update(line)
        self.query_one("#sentence", SteadyText).update(
            "" if self.finished else self.current_comparison.a.text
        )
        for side in ("a", "b"):
            note = " ♪" if self._playing_side == side else ""
            self.query_one(f"#hear-{side}", Button).label = f"{side.upper()}{note}"
        for name in ("#sides", "#answers", ".more", "#sentence"):
            self.query_one(name).display = not self.finished
        self.query_one("#result", SteadyText).update(self._result() if self.finished else "")

    def _result(self) -> Content:
        """The compared pairs and how often each was preferred."""
        if not self.votes:
            return Content.styled(translate(self, "tui.blind_vote_screen.no_vote"), "$faint")
        rows = [
            Content.styled(
                translate(self, "tui.blind_vote_screen.result", count=len(self.votes)), "bold"
            )
        ]
        for pair, won, lost in tally(self.votes):
            rows.append(
                Content.assemble(
                    (f"{pair_name(pair):<16}", "bold"),
                    progress_bar(won / (won + lost), 16, "$success"),
                    f"  {won}:{lost}",
                )
            )
        rows.append(Content.styled(translate(self, "tui.blind_vote_screen.leave"), "$faint"))
        return Content("\n").join(rows)

    def show(self, state: State) -> None:
        """Play B when A has ended."""
        if self.finished:
            return
        sides = {self._cell_of(side).wav: side for side in ("a", "b")}  # type: ignore[arg-type]
        before = self._playing_side
        path = str(state.playing) if state.playing is not None else None
        self._playing_side = sides.get(path)  # type: ignore[assignment]
        if before == "a" and self._playing_side is None and self._play_b_next:
            self.action_play_side("b")
        if before != self._playing_side:
            self._draw()

    def action_play_side(self, side: Side) -> None:
        wav = self._cell_of(side).wav
        if not self.finished and wav is not None:
            self._play_b_next = False
            self.post_message(
                CommandPosted(commands.PlaySound(Path(wav), automatic=True, alias=side.upper()))
            )

    def action_play_both(self) -> None:
        self.action_play_side("a")
        self._play_b_next = True

    def action_vote(self, side: str) -> None:
        if self.finished:
            return
        if side:
            a, b = self.current_comparison.a, self.current_comparison.b
            better, worse = (a, b) if side == "a" else (b, a)
            self.votes.append((better, worse))
            voice_key = (self.audition.server, self.audition.voice)
            self.post_message(CommandPosted(commands.CastVote(*voice_key, better, worse)))
        if self.comparison_index + 1 < len(self.comparisons):
            self.comparison_index += 1
            self._draw()
            self.action_play_both()
        else:
            self._finish()

    def _finish(self) -> None:
        self.finished = True
        self.post_message(CommandPosted(commands.StopSound()))
        self._draw()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        name = str(event.button.id)
        if name in ("hear-a", "hear-b"):
            self.action_play_side("a" if name == "hear-a" else "b")
        else:
            self.action_vote({"vote-a": "a", "vote-b": "b"}.get(name, ""))
        self.set_focus(None)

    def action_leave(self) -> None:
        """The first Esc shows the result of the votes so far, the second leaves."""
        if self.finished or not self.votes:
            self.post_message(CommandPosted(commands.StopSound()))
            self.dismiss(None)
        else:
            self._finish()
