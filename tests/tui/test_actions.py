"""Every action has title and help in both languages, no two share a key, all really exist."""

from __future__ import annotations

import pytest

from tui.actions import ACTIONS, BY_ID, Action, of_scope
from tui.app import SovdeckApp
from tui.screens.deploy import DeployScreen
from tui.screens.help import ABOUT
from tui.screens.index import make_screen

SCOPES = sorted({action.scope for action in ACTIONS})


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.id)
def test_words_in_both_languages(action: Action) -> None:
    for words in (action.title, action.help):
        assert words.en.strip() and words.zh.strip()
    assert action.help.en.endswith(".") and action.help.zh.endswith("。")


def test_ids_are_unique() -> None:
    assert len(BY_ID) == len(ACTIONS)


@pytest.mark.parametrize("scope", SCOPES)
def test_no_key_clash_within_a_screen(scope: str) -> None:
    everywhere = of_scope("app") if scope != "app" else ()
    keys = [key for action in (*of_scope(scope), *everywhere) for key in action.keys.split(",")]
    assert sorted(keys) == sorted(set(keys))


def test_nothing_risky_on_a_bare_letter_and_nothing_on_alt() -> None:
    for action in ACTIONS:
        for key in action.keys.split(","):
            assert not key.startswith("alt+"), action.id
            assert not (action.risky and len(key) == 1), action.id


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.id)
def test_its_handler_exists(action: Action) -> None:
    name = "action_" + action.do.split("(")[0]
    if action.scope == "app":
        owner: object = SovdeckApp
    else:
        owner = DeployScreen if action.scope == "deploy" else type(make_screen(action.scope))
    assert hasattr(owner, name)


def test_every_screen_explains_itself() -> None:
    assert set(ABOUT) >= set(SovdeckApp.MODES) | {"deploy"}
