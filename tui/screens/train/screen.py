"""The Train screen: a form made from the parameter table, with the plan of the run beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from textual import events
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.contract.spec import PRESETS
from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.dialogs.name_prompt import NamePromptScreen
from sovdeck.tui.screens.train.text import (
    datasets_line,
    field_help,
    hint_lines,
    plan_text,
    recipe_help,
    short_plan_text,
)
from sovdeck.tui.shell.actions import bindings
from sovdeck.tui.state import commands
from sovdeck.tui.state.models import TrainDraft, WeightsRow
from sovdeck.tui.state.recipes import BUILT_IN, OWN, RESERVED_NAMES, all_recipes, recipe_of
from sovdeck.tui.state.runs import RunKey
from sovdeck.tui.state.state import State, Topics
from sovdeck.tui.text.i18n import language_of
from sovdeck.tui.widgets.border_text import set_border_title
from sovdeck.tui.widgets.empty_state import EmptyState
from sovdeck.tui.widgets.form_input import FormInput
from sovdeck.tui.widgets.option_stepper import OptionStepper
from sovdeck.tui.widgets.panel import Panel
from sovdeck.tui.widgets.param_field import ParamField, param_field_of
from sovdeck.tui.widgets.steady_text import SteadyText
from sovdeck.tui.widgets.weights_line import lacking_weights, weights_facts, weights_line
from sovdeck.tui.widgets.whole_rows import WholeRows, fitting_rows

SECTIONS = {
    "sovits": "tui.train.section_sovits",
    "gpt": "tui.train.section_gpt",
    "train": "tui.train.section_train",
}
PLAN_DELAY_S = 0.3
SHORT_PLAN_LINES = 5  # the height that train.tcss gives it on a short screen


class TrainScreen(AppScreen):
    """The form of a run on the chosen server."""

    TAB = "train"
    TOPICS: ClassVar[tuple[str, ...]] = ("plan", "chosen", "servers", "dataset")
    BINDINGS = bindings("train")
    CSS_PATH = "../../styles/train.tcss"
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, Any] = {}
        self.voice = ""
        self.preset = PRESETS[0]
        self._plan_timer: Timer | None = None
        self._defaults_loaded = False
        self._weights_asked = ("", "")
        self._starting = False
        self._run_before_start: RunKey | None = None

    def _load_defaults(self) -> None:
        """Take the values of deploy.toml, once, before the form is composed."""
        defaults = self.base_app.default_draft
        if defaults is not None and not self._defaults_loaded:
            self.voice, self.preset, self.values = (
                defaults.voice,
                defaults.preset,
                dict(defaults.params),
            )
        self._defaults_loaded = True

    def compose_body(self) -> Iterable[Widget]:
        self._load_defaults()
        with Horizontal(id="content"):
            with VerticalScroll(id="form", can_focus=False):
                with Horizontal(classes="line"):
                    yield SteadyText(self.translate("tui.train.voice"), classes="title")
                    yield FormInput(self.voice, id="voice", compact=True)
                with Horizontal(classes="line"):
                    yield SteadyText(self.translate("tui.train.preset"), classes="title")
                    labels = {PRESETS[0]: self.translate("tui.choices.auto")}
                    yield OptionStepper(PRESETS, self.preset, labels=labels, id="preset")
                with Horizontal(classes="line"):
                    yield SteadyText(self.translate("tui.train.recipe"), classes="title")
                    yield OptionStepper(
                        *self._recipe_choices(), labels=self._recipe_labels(), id="recipe"
                    )
                for group, key in SECTIONS.items():
                    yield SteadyText(self.translate(key), classes="section", id=f"section-{group}")
                    for param in PARAMS.values():
                        if param.group == group:
                            yield ParamField(param, self.values.get(param.name))
            with Vertical(id="side"):
                yield Panel(id="plan")
                yield WholeRows(id="help")
        yield EmptyState("tui.train.no_server", id="empty")

    def on_mount(self) -> None:
        self.query_one("#help", SteadyText).update(self.translate("tui.train.start_here"))

    def on_screen_resume(self) -> None:
        """Focus the preset, where number keys switch screens, unless a dialog has just focused."""
        if self.focused is None:
            for preset in self.query("#preset"):  # none while the screen is composed anew
                preset.focus()

    def show(self, state: State, topics: Topics | None) -> None:
        self.set_class(state.server is None, "-empty")
        if not self.voice and state.dataset is not None:
            self.query_one("#voice", Input).value = state.dataset.voice
        plan = self.query_one("#plan", Panel)
        set_border_title(plan, self.translate("tui.train.plan", server=state.server or ""))
        short = self.has_class("-short")

        def draw(width: int, height: int) -> Content:
            text = (
                short_plan_text(self, state, self.voice)
                if short
                else plan_text(self, state, self.voice, width)
            )
            weights = weights_line(self, state, self.draft.server, self.preset)
            datasets = datasets_line(self, state, self.voice)
            hints = hint_lines(self, state, self.voice)
            lines = [*hints, datasets, weights, text]
            if short:  # few rows: the plan itself first
                lines = [text, weights, *hints, datasets]
            rows = [row for line in lines if line for row in line.split("\n")]
            if short or self.has_class("-narrow"):  # the style sheet gives its height
                rows = fitting_rows(rows, width, SHORT_PLAN_LINES if short else height)
            return Content("\n").join(rows)

        plan.draw(draw)
        if topics is None or "chosen" in topics:
            self._schedule_plan()
        if self._starting and state.run != self._run_before_start:
            self._starting = False
            self.app.switch_mode("monitor")

    @property
    def draft(self) -> TrainDraft:
        """The run as the form describes it."""
        return TrainDraft(
            self.base_app.state.server or "", self.voice, self.preset, dict(self.values)
        )

    @property
    def field_problems(self) -> list[Problem]:
        """The problems of the fields that hold no valid value."""
        return [f.problem for f in self.query(ParamField) if f.problem is not None]

    def on_param_field_changed(self, event: ParamField.Changed) -> None:
        field = event.field
        if field.problem is None:
            if field.changed:
                self.values[field.param.name] = field.value
            else:
                self.values.pop(field.param.name, None)
            self._show_recipe()
            self._schedule_plan()
        if field.has_focus_within:
            self._show_help(field)

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "voice":
            self.voice = event.value.strip()
            self._schedule_plan()
            self.show(self.base_app.state, frozenset({"plan"}))

    def on_option_stepper_changed(self, event: OptionStepper.Changed) -> None:
        if event.stepper.id == "preset":
            self.preset = event.value
            self._schedule_plan()
        elif event.stepper.id == "recipe":
            self._apply_recipe(event.value)

    # Recipes

    @property
    def saved_recipes(self) -> Mapping[str, Mapping[str, Any]]:
        """The person's own recipes, by name."""
        return self.base_app.settings.recipes

    def _recipe_choices(self) -> tuple[tuple[str, ...], str]:
        """The names of all recipes, and the one that the form equals now."""
        now = recipe_of(self.values, self.saved_recipes)
        names = tuple(all_recipes(self.saved_recipes))
        return (names if now in names else (*names, now)), now

    def _recipe_labels(self) -> dict[str, str]:
        return {name: self.translate(f"tui.train.recipe_{name}") for name in (*BUILT_IN, OWN)}

    def _show_recipe(self) -> None:
        self.query_one("#recipe", OptionStepper).set_choices(
            *self._recipe_choices(), self._recipe_labels()
        )

    def _apply_recipe(self, name: str) -> None:
        """Put a recipe's values into the form; other fields return to their defaults."""
        params = all_recipes(self.saved_recipes).get(name)
        if params is not None:
            for field in self.query(ParamField):
                field.set_value(params.get(field.param.name, field.param.default))
            self.values = dict(params)
            self._schedule_plan()
        panel = self.query_one("#help", SteadyText)
        set_border_title(panel, self.translate("tui.train.recipe"))
        panel.update(recipe_help(self, name, len(params or ())))

    def action_save_recipe(self) -> None:
        if self.field_problems:
            self.notify(self.field_problems[0].sentence(language_of(self)), severity="error")
            return
        values = dict(self.values)

        def name_error(name: str) -> str:
            return (
                self.translate("tui.train.recipe_taken", name=name)
                if name in RESERVED_NAMES
                else ""
            )

        def save_as(name: str | None) -> None:
            if name:
                self._save_recipes({**self.saved_recipes, name: values})

        now = recipe_of(values, self.saved_recipes)
        proposed = now if now in self.saved_recipes else self.voice
        self.app.push_screen(
            NamePromptScreen("tui.train.recipe_name", proposed, name_error), save_as
        )

    def action_forget_recipe(self) -> None:
        name = recipe_of(self.values, self.saved_recipes)
        if name not in self.saved_recipes:
            self.notify(self.translate("tui.train.recipe_ours"), severity="warning")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                remaining = {
                    one: self.saved_recipes[one] for one in self.saved_recipes if one != name
                }
                self._save_recipes(remaining)

        self.app.push_screen(ConfirmScreen("tui.train.recipe_forget", {"name": name}), answered)

    def _save_recipes(self, recipes: Mapping[str, Mapping[str, Any]]) -> None:
        self.base_app.save_settings(self.base_app.settings.with_changes(recipes=recipes))
        self._show_recipe()

    def _schedule_plan(self) -> None:
        """Request the plan once typing has paused."""
        if self._plan_timer is not None:
            self._plan_timer.stop()
        self._plan_timer = self.set_timer(PLAN_DELAY_S, self._request_plan)

    def _request_plan(self) -> None:
        if self.base_app.state.server and not self.field_problems:
            self.post_command(commands.PlanTraining(self.draft))
            if self._weights_asked != (self.draft.server, self.preset):
                self._weights_asked = (self.draft.server, self.preset)
                self.post_command(commands.ReadWeights(self.draft.server, self.preset))
                self.post_command(commands.ListDatasets(self.draft.server))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        field = param_field_of(event.widget)
        if field is not None:
            self._show_help(field)

    def _show_help(self, field: ParamField) -> None:
        panel = self.query_one("#help", SteadyText)
        set_border_title(panel, field.param.name)
        panel.update(field_help(self, field.param, field.problem))

    def action_reset_field(self) -> None:
        field = param_field_of(self.focused)
        if field is not None:
            field.reset()

    def action_next_section(self) -> None:
        field = param_field_of(self.focused)
        groups = list(SECTIONS)
        here = groups.index(field.param.group) if field is not None else -1
        group = groups[(here + 1) % len(groups)]
        first = next(f for f in self.query(ParamField) if f.param.group == group)
        self.set_focus(first.query("Input, OptionStepper").first())

    def action_fetch_weights(self) -> None:
        """Let the server fetch the weights that the preset lacks."""
        weights = lacking_weights(self.base_app.state, self.draft.server, self.preset)
        if weights is not None and not weights.fetching:
            self._offer_weights(weights)

    def _offer_weights(self, weights: WeightsRow) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self.post_command(commands.FetchWeights(weights.server, weights.preset))

        facts = weights_facts(weights)
        self.app.push_screen(ConfirmScreen("tui.train.fetch", facts), answered)

    def action_start(self) -> None:
        state = self.base_app.state
        problems = self.field_problems
        if problems:
            self.notify(problems[0].sentence(language_of(self)), severity="error")
            return
        if not state.server or not self.voice:
            self.notify(self.translate("tui.train.no_voice"), severity="warning")
            self.query_one("#voice", FormInput).begin_edit()
            return
        weights = lacking_weights(state, self.draft.server, self.preset)
        if weights is not None:
            self._offer_weights(weights)
            return
        active = [run for run in state.runs_of(state.server) if not run.ended]
        bad = state.plan is not None and any(r.level == "bad" for r in state.plan.remarks)
        draft = replace(self.draft, queue=bool(active))

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_command(commands.StartTraining(draft))
                self._starting, self._run_before_start = True, self.base_app.state.run
                self.notify(self.translate("tui.train.checking", server=draft.server), timeout=4)

        key = "tui.train.start_bad" if bad else "tui.train.start"
        if active and not bad:
            key = "tui.train.start_after"
        facts = {
            "voice": self.voice,
            "server": state.server,
            "run": active[-1].voice if active else "",
        }
        self.app.push_screen(ConfirmScreen(key, facts), answered)
