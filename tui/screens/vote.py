"""Blind comparison: two renderings of one sentence, heard in an order that tells nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Static

from engine.contract.audition import AuditionCell
from tui.actions import bindings
from tui.figures import bar
from tui.language import say, say_hint
from tui.messages import Asked
from tui.screens.audition_parts import pair_label
from tui.screens.watching import WatchingModal
from tui.state import wishes
from tui.state.blind import Duel, tally
from tui.state.speech import Audition
from tui.state.state import State

Side = Literal["a", "b"]


class VoteScreen(WatchingModal[None]):
    """A sounds, then B; the answer counts at once, but who was who is told only at the end."""

    CSS_PATH = ["../styles/modal.tcss", "../styles/vote.tcss"]
    AUTO_FOCUS = ""
    BINDINGS = bindings("vote")

    def __init__(self, audition: Audition, found: Sequence[Duel]) -> None:
        super().__init__()
        self.audition = audition
        self.duels = tuple(found)
        self.at = 0
        self.votes: list[tuple[AuditionCell, AuditionCell]] = []
        self.over = False
        self._sounding: Side | None = None
        self._then_b = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(say(self, "tui.vote.title"), classes="question")
            yield Static(id="progress")
            yield Static(id="sentence", markup=False)
            with Horizontal(id="sides"):
                yield Button("A", id="hear-a", classes="side")
                yield Button("B", id="hear-b", classes="side")
            yield Static(id="result")
            yield Static(say_hint(self, "tui.vote.title"), classes="more", markup=False)
            with Horizontal(classes="buttons", id="answers"):
                yield Button(say(self, "tui.vote.a_better"), id="vote-a", variant="primary")
                yield Button(say(self, "tui.vote.neither"), id="vote-none")
                yield Button(say(self, "tui.vote.b_better"), id="vote-b", variant="primary")

    def on_mount(self) -> None:
        self._draw()
        self.action_both()

    @property
    def duel(self) -> Duel:
        return self.duels[self.at]

    def _cell(self, side: Side) -> AuditionCell:
        return self.duel.a if side == "a" else self.duel.b

    def _draw(self) -> None:
        done = len(self.duels) if self.over else self.at
        words = say(self, "tui.vote.progress", number=min(done + 1, len(self.duels)),
                    of=len(self.duels))  # fmt: skip
        line = Content.assemble(bar(done / len(self.duels), 24), f" {'' if self.over else words}")
        self.query_one("#progress", Static).update(line)
        self.query_one("#sentence", Static).update("" if self.over else self.duel.a.text)
        for side in ("a", "b"):
            note = " ♪" if self._sounding == side else ""
            self.query_one(f"#hear-{side}", Button).label = f"{side.upper()}{note}"
        for name in ("#sides", "#answers", ".more", "#sentence"):
            self.query_one(name).display = not self.over
        self.query_one("#result", Static).update(self._result() if self.over else "")

    def _result(self) -> Content:
        """Who was heard and how often each was preferred."""
        if not self.votes:
            return Content.styled(say(self, "tui.vote.no_vote"), "$faint")
        rows = [Content.styled(say(self, "tui.vote.result", count=len(self.votes)), "bold")]
        for pair, won, lost in tally(self.votes):
            rows.append(
                Content.assemble(
                    (f"{pair_label(pair):<16}", "bold"), bar(won / (won + lost), 16, "$success"),
                    f"  {won}:{lost}",
                )
            )  # fmt: skip
        rows.append(Content.styled(say(self, "tui.vote.leave"), "$faint"))
        return Content("\n").join(rows)

    def show(self, state: State) -> None:
        """When A has ended, B begins by itself."""
        if self.over:
            return
        heard = {self._cell(side).wav: side for side in ("a", "b")}  # type: ignore[arg-type]
        before = self._sounding
        path = str(state.playing) if state.playing is not None else None
        self._sounding = heard.get(path)  # type: ignore[assignment]
        if before == "a" and self._sounding is None and self._then_b:
            self.action_hear("b")
        if before != self._sounding:
            self._draw()

    def action_hear(self, side: Side) -> None:
        wav = self._cell(side).wav
        if not self.over and wav is not None:
            self._then_b = False
            self.post_message(Asked(wishes.PlaySound(Path(wav), unasked=True, veil=side.upper())))

    def action_both(self) -> None:
        self.action_hear("a")
        self._then_b = True

    def action_vote(self, side: str) -> None:
        if self.over:
            return
        if side:
            a, b = self.duel.a, self.duel.b
            better, worse = (a, b) if side == "a" else (b, a)
            self.votes.append((better, worse))
            place = (self.audition.server, self.audition.voice)
            self.post_message(Asked(wishes.CastVote(*place, better, worse)))
        if self.at + 1 < len(self.duels):
            self.at += 1
            self._draw()
            self.action_both()
        else:
            self._finish()

    def _finish(self) -> None:
        self.over = True
        self.post_message(Asked(wishes.StopSound()))
        self._draw()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        name = str(event.button.id)
        if name in ("hear-a", "hear-b"):
            self.action_hear("a" if name == "hear-a" else "b")
        else:
            self.action_vote({"vote-a": "a", "vote-b": "b"}.get(name, ""))
        self.set_focus(None)

    def action_leave(self) -> None:
        """The first Esc shows what the votes so far say, the second leaves."""
        if self.over or not self.votes:
            self.post_message(Asked(wishes.StopSound()))
            self.dismiss(None)
        else:
            self._finish()
