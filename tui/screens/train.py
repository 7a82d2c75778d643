"""The form of a run, made from the parameter table, with its plan beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from textual import events
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.contract.params import PARAMS
from engine.contract.problem import Problem
from engine.contract.spec import PRESETS
from tui.actions import bindings
from tui.language import language_of
from tui.screens.ask_name import AskName
from tui.screens.confirm import Confirm
from tui.screens.deck_screen import DeckScreen
from tui.screens.train_parts import field_help, plan_brief, plan_lines, recipe_help
from tui.state import wishes
from tui.state.recipes import BUILT_IN, OWN, RESERVED, all_recipes, recipe_of
from tui.state.state import State, Topics
from tui.state.work import TrainDraft
from tui.widgets.choice import Choice
from tui.widgets.empty_state import EmptyState
from tui.widgets.panel import Panel
from tui.widgets.param_field import ParamField

SECTIONS = {
    "sovits": "tui.train.section_sovits",
    "gpt": "tui.train.section_gpt",
    "train": "tui.train.section_train",
}
PLAN_AFTER_S = 0.3


class TrainScreen(DeckScreen):
    TAB = "train"
    TOPICS: ClassVar[tuple[str, ...]] = ("plan", "chosen", "servers", "dataset")
    BINDINGS = bindings("train")
    CSS_PATH = "../styles/train.tcss"
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, Any] = {}
        self.voice = ""
        self.preset = PRESETS[0]
        self._later: Timer | None = None
        self._begun = False

    def _begin(self) -> None:
        """Once, before the form is drawn: what deploy.toml asks for."""
        wish = self.deck.draft
        if wish is not None and not self._begun:
            self.voice, self.preset, self.values = wish.voice, wish.preset, dict(wish.params)
        self._begun = True

    def body(self) -> Iterable[Widget]:
        self._begin()
        with Horizontal(id="room"):
            with VerticalScroll(id="form", can_focus=False):
                with Horizontal(classes="line"):
                    yield Static(self.say("tui.train.voice"), classes="title")
                    yield Input(self.voice, id="voice", compact=True)
                with Horizontal(classes="line"):
                    yield Static(self.say("tui.train.preset"), classes="title")
                    yield Choice(PRESETS, self.preset, id="preset")
                with Horizontal(classes="line"):
                    yield Static(self.say("tui.train.recipe"), classes="title")
                    yield Choice(*self._recipes(), labels=self._labels(), id="recipe")
                for group, words in SECTIONS.items():
                    yield Static(self.say(words), classes="section", id=f"section-{group}")
                    for param in PARAMS.values():
                        if param.group == group:
                            yield ParamField(param, self.values.get(param.name))
            with Vertical(id="side"):
                yield Panel(id="plan")
                yield Static(id="help")
        yield EmptyState("tui.train.no_server", id="empty")

    def on_mount(self) -> None:
        self.query_one("#help", Static).update(self.say("tui.train.start_here"))

    def on_screen_resume(self) -> None:
        """To the name of the voice while there is none; then nothing needs typing first."""
        named = self.voice or self.deck.state.dataset is not None
        if self.focused is None:
            self.query_one("#preset" if named else "#voice").focus()

    def show(self, state: State, topics: Topics | None) -> None:
        self.set_class(state.server is None, "-empty")
        if not self.voice and state.dataset is not None:
            self.query_one("#voice", Input).value = state.dataset.voice
        plan = self.query_one("#plan", Panel)
        plan.border_title = self.say("tui.train.plan", server=state.server or "")
        short = self.has_class("-short")
        plan.draw(
            lambda width, _: plan_brief(self, state) if short else plan_lines(self, state, width)
        )
        if topics is None or "chosen" in topics:
            self._plan_soon()

    @property
    def draft(self) -> TrainDraft:
        return TrainDraft(self.deck.state.server or "", self.voice, self.preset, dict(self.values))

    @property
    def faults(self) -> list[Problem]:
        return [f.problem for f in self.query(ParamField) if f.problem is not None]

    def on_param_field_changed(self, event: ParamField.Changed) -> None:
        field = event.field
        if field.problem is None:
            if field.changed:
                self.values[field.param.name] = field.value
            else:
                self.values.pop(field.param.name, None)
            self._show_recipe()
            self._plan_soon()
        if field.has_focus_within:
            self._help(field)

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "voice":
            self.voice = event.value.strip()
            self._plan_soon()

    def on_choice_changed(self, event: Choice.Changed) -> None:
        if event.choice.id == "preset":
            self.preset = event.value
            self._plan_soon()
        elif event.choice.id == "recipe":
            self._follow(event.value)

    # Recipes

    @property
    def saved(self) -> Mapping[str, Mapping[str, Any]]:
        return self.deck.settings.recipes

    def _recipes(self) -> tuple[tuple[str, ...], str]:
        """What can be chosen, and what the form follows now."""
        now = recipe_of(self.values, self.saved)
        names = tuple(all_recipes(self.saved))
        return (names if now in names else (*names, now)), now

    def _labels(self) -> dict[str, str]:
        return {name: self.say(f"tui.train.recipe_{name}") for name in (*BUILT_IN, OWN)}

    def _show_recipe(self) -> None:
        self.query_one("#recipe", Choice).offer(*self._recipes(), self._labels())

    def _follow(self, name: str) -> None:
        """Put a recipe's values into the form; what it does not name goes to its default."""
        params = all_recipes(self.saved).get(name)
        if params is not None:
            for field in self.query(ParamField):
                field.put(params.get(field.param.name, field.param.default))
            self.values = dict(params)
            self._plan_soon()
        panel = self.query_one("#help", Static)
        panel.border_title = self.say("tui.train.recipe")
        panel.update(recipe_help(self, name, len(params or ())))

    def action_save_recipe(self) -> None:
        if self.faults:
            self.notify(self.faults[0].sentence(language_of(self)), severity="error", markup=False)
            return
        values = dict(self.values)

        def fault(name: str) -> str:
            return self.say("tui.train.recipe_taken", name=name) if name in RESERVED else ""

        def named(name: str | None) -> None:
            if name:
                self._keep_recipes({**self.saved, name: values})

        now = recipe_of(values, self.saved)
        proposed = now if now in self.saved else self.voice
        self.app.push_screen(AskName("tui.train.recipe_name", proposed, fault), named)

    def action_forget_recipe(self) -> None:
        name = recipe_of(self.values, self.saved)
        if name not in self.saved:
            self.notify(self.say("tui.train.recipe_ours"), severity="warning")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                left = {one: self.saved[one] for one in self.saved if one != name}
                self._keep_recipes(left)

        self.app.push_screen(Confirm("tui.train.recipe_forget", {"name": name}), answered)

    def _keep_recipes(self, recipes: Mapping[str, Mapping[str, Any]]) -> None:
        self.deck.keep(self.deck.settings.with_(recipes=recipes))
        self._show_recipe()

    def _plan_soon(self) -> None:
        """Ask for the plan once typing has paused."""
        if self._later is not None:
            self._later.stop()
        self._later = self.set_timer(PLAN_AFTER_S, self._plan_now)

    def _plan_now(self) -> None:
        if self.deck.state.server and not self.faults:
            self.ask(wishes.PlanTraining(self.draft))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        field = self._field_of(event.widget)
        if field is not None:
            self._help(field)

    def _field_of(self, widget: Widget | None) -> ParamField | None:
        if widget is None:
            return None
        return next((n for n in widget.ancestors_with_self if isinstance(n, ParamField)), None)

    def _help(self, field: ParamField) -> None:
        panel = self.query_one("#help", Static)
        panel.border_title = field.param.name
        panel.update(field_help(self, field.param, field.problem))

    def action_reset_field(self) -> None:
        field = self._field_of(self.focused)
        if field is not None:
            field.reset()

    def action_next_section(self) -> None:
        field = self._field_of(self.focused)
        groups = list(SECTIONS)
        here = groups.index(field.param.group) if field is not None else -1
        group = groups[(here + 1) % len(groups)]
        first = next(f for f in self.query(ParamField) if f.param.group == group)
        self.set_focus(first.query("Input, Choice").first())

    def action_start(self) -> None:
        state = self.deck.state
        faults = self.faults
        if faults:
            self.notify(faults[0].sentence(language_of(self)), severity="error", markup=False)
            return
        if not state.server or not self.voice:
            self.notify(self.say("tui.train.no_voice"), severity="warning")
            self.query_one("#voice", Input).focus()
            return
        bad = state.plan is not None and any(r.level == "bad" for r in state.plan.remarks)
        draft = self.draft

        def answered(yes: bool | None) -> None:
            if yes:
                self.ask(wishes.StartTraining(draft))
                self.app.switch_mode("monitor")

        words = "tui.train.start_bad" if bad else "tui.train.start"
        facts = {"voice": self.voice, "server": state.server}
        self.app.push_screen(Confirm(words, facts), answered)
