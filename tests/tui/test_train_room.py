"""The Train room: recipes, the guide's advice, and what differs from the defaults."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pilot_waits import settled, until
from textual.widgets import Input, Static

from engine.contract.params import PARAMS, check
from tui.app import SovdeckApp
from tui.screens.ask_name import AskName
from tui.screens.confirm import Confirm
from tui.screens.train import SECTIONS, TrainScreen
from tui.services.fake_world import FakeWorld
from tui.state.recipes import BUILT_IN, OWN, all_recipes, recipe_of
from tui.state.work import TrainDraft
from tui.widgets.choice import Choice
from tui.widgets.param_field import ParamField

Make = Callable[..., SovdeckApp]
SIZE = (120, 36)


def room(app: SovdeckApp) -> TrainScreen:
    assert isinstance(app.screen, TrainScreen)
    return app.screen


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_recipe_holds_only_legal_values_that_differ(name: str) -> None:
    for param, value in BUILT_IN[name].items():
        assert check(param, value) == value and value != PARAMS[param].default
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
    app.draft = TrainDraft("", "Bella", "tiny", asked)
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: app.state.plan is not None, "its plan")
        assert app.screen.query_one("#voice", Input).value == "Bella"
        assert app.screen.query_one("#preset", Choice).value == "tiny"
        epochs = app.screen.query_one("#field-sovits-epochs", ParamField)
        assert epochs.query_one(Input).value == "7" and epochs.changed
        assert app.screen.query_one("#recipe", Choice).value == OWN
        assert room(app).draft == TrainDraft("tokyo-4090", "Bella", "tiny", asked)
        epochs.reset()
        await until(pilot, lambda: room(app).values == {"gpt.dpo": True})
        await pilot.press("f2")
        await until(pilot, lambda: "声音" in str(app.screen.query_one(".title", Static).content))
        assert app.screen.query_one("#voice", Input).value == "Bella"
        assert room(app).values == {"gpt.dpo": True}  # what was changed is not begun anew


async def test_a_recipe_fills_the_form_and_a_change_makes_it_own(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        recipe = app.screen.query_one("#recipe", Choice)
        assert recipe.value == "standard"
        recipe.value = "beginner"
        await until(pilot, lambda: room(app).values == BUILT_IN["beginner"], "the guide's values")
        epochs = app.screen.query_one("#field-sovits-epochs", ParamField)
        assert epochs.query_one(Input).value == "20" and epochs.changed
        assert "first voice" in str(app.screen.query_one("#help", Static).content)
        epochs.query_one(Input).value = "21"
        await until(pilot, lambda: recipe.value == OWN, "no recipe any more")
        recipe.value = "standard"
        await until(pilot, lambda: room(app).values == {}, "the defaults")
        assert not any(field.changed for field in app.screen.query(ParamField))


async def test_a_form_is_kept_chosen_again_and_forgotten(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        app.screen.query_one("#field-gpt-epochs", ParamField).query_one(Input).value = "12"
        await until(pilot, lambda: room(app).values == {"gpt.epochs": 12})
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(app.screen, AskName))
        app.screen.query_one("#name", Input).value = "quick"
        await pilot.press("enter")
        assert "one of ours" in str(app.screen.query_one("#fault", Static).content)
        app.screen.query_one("#name", Input).value = "mine"
        await pilot.press("enter")
        await until(pilot, lambda: app.settings.recipes == {"mine": {"gpt.epochs": 12}}, "kept")
        recipe = app.screen.query_one("#recipe", Choice)
        assert recipe.value == "mine"
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: app.settings.recipes == {}, "forgotten")
        assert recipe.value == OWN and room(app).values == {"gpt.epochs": 12}


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
            room(app)._help(field)
            said = str(app.screen.query_one("#help", Static).content)
            param = field.param
            for words in (param.help, param.recommended, param.advice):
                assert words.get(language) in said, param.name  # type: ignore[arg-type]
            assert param.range_text() in said, param.name


async def test_letters_move_between_choices_and_stay_letters_in_fields(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="train")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        recipe = app.screen.query_one("#recipe", Choice)
        recipe.focus()
        await pilot.press("k")
        assert isinstance(app.focused, Choice) and app.focused.id == "preset"
        await pilot.press("j")
        assert app.focused is recipe
        voice = app.screen.query_one("#voice", Input)
        voice.focus()
        voice.value = ""
        await pilot.press("j", "k", "1")
        assert voice.value == "jk1" and app.current_mode == "train"
