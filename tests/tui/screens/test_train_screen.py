"""The Train screen: recipes, the guide's advice, and what differs from the defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from pilot_waits import settled, until
from textual.widgets import Input, Static

from sovdeck.engine.contract.params import PARAMS, check_value
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.dialogs.name_prompt import NamePromptScreen
from sovdeck.tui.screens.train.screen import SECTIONS, TrainScreen
from sovdeck.tui.screens.train.text import datasets_line, hint_lines
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state.events import FactsSeen
from sovdeck.tui.state.models import TrainDraft
from sovdeck.tui.state.recipes import BUILT_IN, OWN, all_recipes, recipe_of
from sovdeck.tui.text.param_values import choice_labels, range_text
from sovdeck.tui.widgets.click_row import ClickRow
from sovdeck.tui.widgets.form_input import FormInput
from sovdeck.tui.widgets.key_bar import KeyBar
from sovdeck.tui.widgets.option_stepper import OptionStepper
from sovdeck.tui.widgets.param_field import ParamField
from sovdeck.tui.widgets.weights_line import lacking_weights, weights_line

Make = Callable[..., SovdeckApp]
SIZE = (120, 36)


def shown(app: SovdeckApp) -> TrainScreen:
    assert isinstance(app.screen, TrainScreen)
    return app.screen


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_recipe_holds_only_legal_values_that_differ(name: str) -> None:
    for param, value in BUILT_IN[name].items():
        assert check_value(param, value) == value and value != PARAMS[param].default
    assert recipe_of(BUILT_IN[name], {}) == name


def test_a_saved_recipe_cannot_hide_ours() -> None:
    saved = {"quick": {"gpt.epochs": 3}, "mine": {"gpt.epochs": 4}}
    assert all_recipes(saved)["quick"] == BUILT_IN["quick"]
    assert recipe_of({"gpt.epochs": 4}, saved) == "mine"
    assert recipe_of({"gpt.epochs": 5}, saved) == OWN


async def test_the_form_begins_with_what_deploy_toml_asks_for(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="train")
    asked = {"sovits.epochs": 7, "gpt.dpo": True}
    app.default_draft = TrainDraft("", "Bella", "tiny", asked)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: app.state.plan is not None, "its plan")
        assert app.screen.query_one("#voice", Input).value == "Bella"
        assert app.screen.query_one("#preset", OptionStepper).value == "tiny"
        epochs = app.screen.query_one("#field-sovits-epochs", ParamField)
        assert epochs.query_one(Input).value == "7" and epochs.changed
        assert app.screen.query_one("#recipe", OptionStepper).value == OWN
        assert shown(app).draft == TrainDraft("tokyo-4090", "Bella", "tiny", asked)
        epochs.reset()
        await until(pilot, lambda: shown(app).values == {"gpt.dpo": True})
        await pilot.press("f2")
        await until(pilot, lambda: "声音" in str(app.screen.query_one(".title", Static).content))
        assert app.screen.query_one("#voice", Input).value == "Bella"
        assert shown(app).values == {"gpt.dpo": True}  # what was changed is not begun anew


async def test_a_recipe_fills_the_form_and_a_change_makes_it_own(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        recipe = app.screen.query_one("#recipe", OptionStepper)
        assert recipe.value == "standard"
        recipe.value = "beginner"
        await until(pilot, lambda: shown(app).values == BUILT_IN["beginner"], "the guide's values")
        epochs = app.screen.query_one("#field-sovits-epochs", ParamField)
        assert epochs.query_one(Input).value == "20" and epochs.changed
        assert "first voice" in str(app.screen.query_one("#help", Static).content)
        epochs.query_one(Input).value = "21"
        await until(pilot, lambda: recipe.value == OWN, "no recipe any more")
        recipe.value = "standard"
        await until(pilot, lambda: shown(app).values == {}, "the defaults")
        assert not any(field.changed for field in app.screen.query(ParamField))


async def test_a_form_is_kept_chosen_again_and_forgotten(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        app.screen.query_one("#field-gpt-epochs", ParamField).query_one(Input).value = "12"
        await until(pilot, lambda: shown(app).values == {"gpt.epochs": 12})
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(app.screen, NamePromptScreen))
        app.screen.query_one("#name", Input).value = "quick"
        await pilot.press("enter")
        assert "one of ours" in str(app.screen.query_one("#fault", Static).content)
        app.screen.query_one("#name", Input).value = "mine"
        await pilot.press("enter")
        await until(pilot, lambda: app.settings.recipes == {"mine": {"gpt.epochs": 12}}, "kept")
        recipe = app.screen.query_one("#recipe", OptionStepper)
        assert recipe.value == "mine"
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: app.settings.recipes == {}, "forgotten")
        assert recipe.value == OWN and shown(app).values == {"gpt.epochs": 12}


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_parameter_shows_meaning_range_default_and_advice(
    make_app: Make, world: FakeWorld, language: str
) -> None:
    app = make_app(world, start="train", language=language)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        fields = list(app.screen.query(ParamField))
        in_form = {field.param.name for field in fields}
        assert in_form == {name for name, param in PARAMS.items() if param.group in SECTIONS}
        for field in fields:
            shown(app)._show_help(field)
            said = str(app.screen.query_one("#help", Static).content)
            param = field.param
            for words in (param.help, param.recommended, param.advice):
                assert words.get(language) in said, param.name  # type: ignore[arg-type]
            assert range_text(app, param) in said, param.name


async def test_no_choice_is_shown_in_another_language(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="train", language="zh")
    names = {"CPU", "IPv4", "IPv6", "bf16", "fp16", "fp32"}  # the same in every language
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        for param in PARAMS.values():
            for choice, label in choice_labels(app, param).items():
                assert label in names or not label.isascii(), (param.name, choice)
        preset = app.screen.query_one("#preset", OptionStepper)
        assert "自动" in preset.render().plain
        batch = app.screen.query_one("#field-gpt-batch_size", ParamField)
        assert "自动选择" in str(batch.query_one(".note", Static).content)


async def test_letters_move_between_choices_and_stay_letters_in_fields(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        recipe = app.screen.query_one("#recipe", OptionStepper)
        recipe.focus()
        await pilot.press("k")
        assert isinstance(app.focused, OptionStepper) and app.focused.id == "preset"
        await pilot.press("j")
        assert app.focused is recipe
        voice = app.screen.query_one("#voice", FormInput)
        voice.value = ""
        voice.focus()
        await pilot.press("enter", "j", "k", "1")
        assert voice.value == "jk1" and app.current_mode == "train"


async def test_numbers_switch_screens_until_a_field_is_edited(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        footer, tabs = app.screen.query_one(KeyBar), app.screen.query_one("#tabs", ClickRow)
        field = app.screen.query_one("#field-sovits-epochs FormInput", FormInput)
        field.focus()
        await until(pilot, lambda: str(footer.content).startswith(" ⏎ Type here"), "the way in")
        assert "3 Voices" in str(tabs.content)
        before = field.value
        await pilot.press("3")
        await until(pilot, lambda: app.current_mode == "voices", "the screen that was promised")
        await pilot.press("4")
        await until(pilot, lambda: app.current_mode == "train")
        field.focus()
        await pilot.press("enter")
        await until(pilot, lambda: str(footer.content).startswith(" Esc Done typing"), "a way out")
        assert "3 Voices" not in str(tabs.content)
        await pilot.press("1", "2", "escape")
        assert field.value == "12" != before and app.focused is field
        assert shown(app).values["sovits.epochs"] == 12
        await pilot.press("backspace", "delete")
        assert field.value == "12", "what is not edited is not taken away either"
        await pilot.press("enter", "9", "enter")
        assert not field.editing and field.value == "129"
        await pilot.press("3")
        await until(pilot, lambda: app.current_mode == "voices", "it switches again")


async def test_what_is_to_know_before_a_run_is_a_hint_beside_the_form(
    make_app: Make, world: FakeWorld
) -> None:
    world.datasets = ("Anna", "Bella")
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: bool(app.state.datasets), "the server's answer")
        running = next(run for run in app.state.runs_of("tokyo-4090") if not run.ended)

        def hints(voice: str) -> str:
            return " ".join(map(str, hint_lines(app, app.state, voice)))

        assert "Name the voice" in hints("") and "starts after it" in hints("Anna")
        assert '"Anna" is there already' in hints("anna") and "in case" not in hints("Anna")
        assert "is being trained already" in hints(running.voice)
        assert "a/b" in hints("a/b")
        plan = app.screen.query_one("#plan", Static)
        await until(pilot, lambda: "Name the voice" in str(plan.content), "the hint on screen")
        assert not app._notifications, "nothing red on opening"
        refused = Problem("tui.dataset.not_checked", ExitCode.DATA, voice="Anna")
        world.plan_problem = refused
        app.screen.query_one("#voice", FormInput).value = "Anna"
        await until(
            pilot, lambda: "not been looked at" in str(plan.content), "why there is no plan"
        )
        assert not app._notifications
        server = app.state.servers["tokyo-4090"]
        assert server.facts is not None
        without = replace(server.facts, gpus=())
        app.controller.emit(FactsSeen("tokyo-4090", without, world.now()))
        await until(pilot, lambda: "has no GPU" in str(plan.content), "no GPU")
        world.plan_problem = None


async def test_weights_that_lack_are_fetched_before_a_run_is_asked_for(
    make_app: Make, world: FakeWorld
) -> None:
    world.lacking_weights = frozenset({"v2Pro"})
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: app.state.weights is not None, "the server's answer")
        shown(app).query_one("#voice", Input).value = "Anna"
        await until(pilot, lambda: shown(app).voice == "Anna", "the name")
        assert "missing (1391 MB) · press F8" in str(
            weights_line(app, app.state, "tokyo-4090", "auto")
        )
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen), "the offer")
        await pilot.press("n")
        assert not any(call.startswith(("train", "fetch")) for call in world.calls)
        await pilot.press("f8")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen), "the offer again")
        await pilot.press("y")
        await until(pilot, lambda: lacking_weights(app.state, "tokyo-4090", "auto") is None, "them")
        assert "fetch weights tokyo-4090 auto" in world.calls
        assert "all there" in str(weights_line(app, app.state, "tokyo-4090", "auto"))


async def test_a_run_beside_a_running_one_is_queued(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        assert any(not run.ended for run in app.state.runs_of("tokyo-4090"))
        shown(app).query_one("#voice", Input).value = "Anna"
        await until(pilot, lambda: shown(app).voice == "Anna", "the name")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen), "the question")
        assert "after it?" in str(app.screen.query_one(".question", Static).content)
        await pilot.press("y")
        await until(pilot, lambda: app.current_mode == "monitor", "Monitor, once it is launched")
        assert any(call.startswith("train") and call.endswith("queued") for call in world.calls)


async def test_the_datasets_of_the_server_are_listed(make_app: Make, world: FakeWorld) -> None:
    world.datasets = ("Anna", "Bella")
    app = make_app(world, start="train")
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: bool(app.state.datasets), "the server's answer")
        assert "Datasets there: Anna, Bella" in str(datasets_line(app, app.state, "Anna"))
        missing = str(datasets_line(app, app.state, "Cleo"))
        assert 'No recordings of "Cleo"' in missing and "Anna, Bella" in missing
