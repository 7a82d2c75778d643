"""The Deploy screen: what a deploy would do to a server, then its steps as they happen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget

from sovdeck.engine.contract.format import format_duration
from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state import commands
from sovdeck.tui.state.models import DeployStepRow
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.text.i18n import translate_text
from sovdeck.tui.widgets.progress_bar import progress_bar
from sovdeck.tui.widgets.steady_text import SteadyText
from sovdeck.tui.widgets.weights_line import lacking_weights, weights_facts, weights_line

_STEP_MARKS = {
    "waiting": ("·", "$faint"),
    "running": ("▶", "$primary"),
    "done": ("✓", "$success"),
    "skipped": ("–", "$faint"),
    "failed": ("✗", "$error"),
}


class DeployScreen(AppScreen):
    """The plan of a deploy and its progress, of one server."""

    TAB = "servers"
    SCOPE = "deploy"
    TOPICS: ClassVar[tuple[str, ...]] = ("deploys", "servers", "plan")
    BINDINGS = bindings("deploy")
    CSS_PATH = "../styles/deploy.tcss"

    def __init__(self, server: str) -> None:
        super().__init__()
        self.server = server
        self._weights_asked = False
        self._weights_offered = False

    @property
    def preset(self) -> str:
        """The preset of deploy.toml: its weights are offered."""
        draft = self.base_app.default_draft
        return draft.preset if draft is not None else "auto"

    def compose_body(self) -> Iterable[Widget]:
        with VerticalScroll(id="plan"):
            yield SteadyText(id="title")
            yield SteadyText(id="steps")
            yield SteadyText(id="outcome")
            yield SteadyText(id="weights")

    def on_mount(self) -> None:
        self.post_command(commands.PlanDeploy(self.server))

    def show(self, state: State, topics: Topics | None) -> None:
        steps = state.deploys.get(self.server)
        title = Content.styled(
            self.translate("tui.deploy.title", name=self.server), "bold $primary"
        )
        self.query_one("#title", SteadyText).update(title)
        outcome = self.query_one("#outcome", SteadyText)
        if steps is None:
            waiting = Content.styled(self.translate("tui.deploy.asking"), "$faint")
            self.query_one("#steps", SteadyText).update(waiting)
            outcome.update("")
            return
        self.query_one("#steps", SteadyText).update(
            Content("\n").join(self._step(step) for step in steps)
        )
        outcome.update(self._outcome(steps))
        if all(step.state in ("done", "skipped") for step in steps):
            self._show_weights(state)

    def _show_weights(self, state: State) -> None:
        """What training starts from is part of a deploy: look, say, and offer it once."""
        if not self._weights_asked:
            self._weights_asked = True
            self.post_command(commands.ReadWeights(self.server, self.preset))
        line = weights_line(self, state, self.server, self.preset)
        self.query_one("#weights", SteadyText).update(line or "")
        lacking = lacking_weights(state, self.server, self.preset)
        if lacking is not None and not self._weights_offered and self.is_current:
            self._weights_offered = True
            self.action_fetch_weights()

    def action_fetch_weights(self) -> None:
        """Let the server fetch the weights that training starts from."""
        weights = lacking_weights(self.base_app.state, self.server, self.preset)
        if weights is None or weights.fetching:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_command(commands.FetchWeights(weights.server, weights.preset))

        question = ConfirmScreen("tui.train.fetch", weights_facts(weights))
        self.app.push_screen(question, answered)

    def _step(self, step: DeployStepRow) -> Content:
        mark, colour = _STEP_MARKS[step.state]
        took = format_duration(step.seconds) if step.seconds is not None else ""
        return Content.assemble(
            (f" {mark} ", f"bold {colour}"),
            (translate_text(self, step.title), "bold" if step.state == "running" else ""),
            (f"  {took}", "$faint"),
            (f"  {step.detail}", "$faint"),
        )

    def _outcome(self, steps: tuple[DeployStepRow, ...]) -> Content:
        wanted = [step for step in steps if step.state != "skipped"]
        done = sum(step.state == "done" for step in wanted)
        if any(step.state == "failed" for step in steps):
            return Content.styled(self.translate("tui.deploy.failed"), "bold $error")
        if not wanted:
            return Content.styled(self.translate("tui.deploy.nothing"), "bold $success")
        if done == len(wanted):
            return Content.styled(self.translate("tui.deploy.done"), "bold $success")
        if done or any(step.state == "running" for step in steps):
            return Content.assemble(progress_bar(done / len(wanted), 32), f"  {done}/{len(wanted)}")
        return Content.styled(self.translate("tui.deploy.ready"), "$faint")

    def action_plan(self) -> None:
        self.post_command(commands.PlanDeploy(self.server))

    def action_apply(self) -> None:
        steps = self.base_app.state.deploys.get(self.server)
        if not steps or not any(step.state in ("waiting", "failed") for step in steps):
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_command(commands.ApplyDeploy(self.server))

        self.app.push_screen(ConfirmScreen("tui.deploy.confirm", {"name": self.server}), answered)

    def action_back(self) -> None:
        self.dismiss()
