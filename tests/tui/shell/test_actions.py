"""Every action has title and help in both languages, no two share a key, all really exist."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

from sovdeck.tui import screens, widgets
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.base.screen import AppScreen
from sovdeck.tui.screens.dialogs.help import SCREEN_TEXT_KEYS
from sovdeck.tui.shell.actions import (
    ACTIONS,
    ACTIONS_BY_ID,
    WIDGET_ACTIONS,
    Action,
    actions_in_scope,
)

SCOPES = sorted({action.scope for action in ACTIONS})
OF_PARTS = {action.scope for action in WIDGET_ACTIONS}


def with_keys() -> Iterator[type[DOMNode]]:
    """Every class of ours, on any screen, that has keys of its own."""
    for package in (screens, widgets):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            for found in vars(import_module(module.name)).values():
                if not isinstance(found, type) or found.__module__ != module.name:
                    continue
                if issubclass(found, DOMNode) and "BINDINGS" in vars(found):
                    yield found


CLASSES: tuple[type[DOMNode], ...] = (SovdeckApp, *with_keys())
OWNERS = {type_.__name__: type_ for type_ in CLASSES}


def bound(type_: type[DOMNode]) -> set[str]:
    assert all(isinstance(one, Binding) for one in type_.BINDINGS), type_
    return {str(one.id) for one in type_.BINDINGS if isinstance(one, Binding)}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.id)
def test_words_in_both_languages(action: Action) -> None:
    for words in (action.title, action.help):
        assert words.en.strip() and words.zh.strip()
    assert action.help.en.endswith(".") and action.help.zh.endswith("。")


def test_ids_are_unique() -> None:
    assert len(ACTIONS_BY_ID) == len(ACTIONS)


@pytest.mark.parametrize("scope", SCOPES)
def test_no_key_clash_within_a_screen(scope: str) -> None:
    everywhere = actions_in_scope("app") if scope != "app" and scope not in OF_PARTS else ()
    keys = [
        key for action in (*actions_in_scope(scope), *everywhere) for key in action.keys.split(",")
    ]
    assert sorted(keys) == sorted(set(keys))


def test_nothing_risky_on_a_bare_letter_and_nothing_on_alt() -> None:
    for action in ACTIONS:
        for key in action.keys.split(","):
            assert not key.startswith("alt+"), action.id
            assert not (action.risky and len(key) == 1), action.id


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.id)
def test_its_handler_exists(action: Action) -> None:
    where, _, do = action.textual_action.split("(")[0].rpartition(".")
    owners = [type_ for type_ in OWNERS.values() if action.id in bound(type_)]
    assert owners, "no class has this binding"
    for owner in owners:
        assert hasattr(SovdeckApp if where == "app" else owner, f"action_{do}"), owner


@pytest.mark.parametrize("name", sorted(OWNERS))
def test_every_key_has_an_id_that_a_keymap_can_name(name: str) -> None:
    assert bound(OWNERS[name]) <= set(ACTIONS_BY_ID)


def test_every_screen_explains_itself() -> None:
    assert {type_.SCOPE for type_ in AppScreen.__subclasses__() if type_.SCOPE} <= set(SCOPES)
    assert set(SCREEN_TEXT_KEYS) >= set(SovdeckApp.MODES) | {"deploy", "rent", "disk"}
