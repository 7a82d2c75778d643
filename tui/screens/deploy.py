"""What deploying would do to a server, and then its steps as they happen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui.actions import bindings
from tui.figures import bar, duration
from tui.language import tell
from tui.screens.confirm import Confirm
from tui.screens.deck_screen import DeckScreen
from tui.state import wishes
from tui.state.state import State, Topics
from tui.state.work import DeployStep

_MARKS = {
    "waiting": ("·", "$faint"), "running": ("▶", "$primary"), "done": ("✓", "$success"),
    "skipped": ("–", "$faint"), "failed": ("✗", "$error"),
}  # fmt: skip


class DeployScreen(DeckScreen):
    TAB = "servers"
    TOPICS: ClassVar[tuple[str, ...]] = ("deploys", "servers")
    BINDINGS = bindings("deploy")
    CSS_PATH = "../styles/deploy.tcss"

    def __init__(self, server: str) -> None:
        super().__init__()
        self.server = server

    def body(self) -> Iterable[Widget]:
        with VerticalScroll(id="plan"):
            yield Static(id="title")
            yield Static(id="steps")
            yield Static(id="outcome")

    def on_mount(self) -> None:
        self.ask(wishes.PlanDeploy(self.server))

    def show(self, state: State, topics: Topics | None) -> None:
        steps = state.deploys.get(self.server)
        title = Content.styled(self.say("tui.deploy.title", name=self.server), "bold $primary")
        self.query_one("#title", Static).update(title)
        outcome = self.query_one("#outcome", Static)
        if steps is None:
            waiting = Content.styled(self.say("tui.deploy.asking"), "$faint")
            self.query_one("#steps", Static).update(waiting)
            outcome.update("")
            return
        self.query_one("#steps", Static).update(
            Content("\n").join(self._step(step) for step in steps)
        )
        outcome.update(self._outcome(steps))

    def _step(self, step: DeployStep) -> Content:
        mark, colour = _MARKS[step.state]
        took = duration(step.seconds) if step.seconds is not None else ""
        return Content.assemble(
            (f" {mark} ", f"bold {colour}"),
            (tell(self, step.title), "bold" if step.state == "running" else ""),
            (f"  {took}", "$faint"), (f"  {step.detail}", "$faint"),
        )  # fmt: skip

    def _outcome(self, steps: tuple[DeployStep, ...]) -> Content:
        wanted = [step for step in steps if step.state != "skipped"]
        done = sum(step.state == "done" for step in wanted)
        if any(step.state == "failed" for step in steps):
            return Content.styled(self.say("tui.deploy.failed"), "bold $error")
        if not wanted:
            return Content.styled(self.say("tui.deploy.nothing"), "bold $success")
        if done == len(wanted):
            return Content.styled(self.say("tui.deploy.done"), "bold $success")
        if done or any(step.state == "running" for step in steps):
            return Content.assemble(bar(done / len(wanted), 32), f"  {done}/{len(wanted)}")
        return Content.styled(self.say("tui.deploy.ready"), "$faint")

    def action_plan(self) -> None:
        self.ask(wishes.PlanDeploy(self.server))

    def action_apply(self) -> None:
        steps = self.deck.state.deploys.get(self.server)
        if not steps or not any(step.state in ("waiting", "failed") for step in steps):
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.ask(wishes.ApplyDeploy(self.server))

        self.app.push_screen(Confirm("tui.deploy.confirm", {"name": self.server}), answered)

    def action_back(self) -> None:
        self.dismiss()
