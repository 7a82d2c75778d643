"""Ctrl+Q leaves the dashboard from wherever a person is, also out of a dialog."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import pytest
from pilot_waits import settled, until
from textual.screen import ModalScreen
from textual.widgets import Input

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.base.prompt_modal import PromptModal
from sovdeck.tui.services.fakes.services import FakeWorld
from sovdeck.tui.shell.messages import PromptRequested
from sovdeck.tui.state.prompts import SecretPrompt

Make = Callable[..., SovdeckApp]


@pytest.mark.parametrize("opening", ["a", "f1", "f9", "ctrl+o", "delete", "v"])
async def test_ctrl_q_leaves_a_dialog_and_the_dashboard(
    make_app: Make, world: FakeWorld, opening: str
) -> None:
    app = make_app(world)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot, app, world)
        await pilot.press(opening)
        await until(pilot, lambda: isinstance(app.screen, ModalScreen), opening)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app._exit, "the end")
    assert app.return_code == 0


async def test_another_key_for_leaving_is_a_letter_in_the_fields_of_a_dialog(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, keys={"app.quit": "x"})
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot, app, world)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, ModalScreen), "the dialog")
        await pilot.press("x")
        field = app.screen.query(Input).first()
        await until(pilot, lambda: field.value == "x", "the letter")
        assert not app._exit
        await pilot.press("escape", "x")
        await until(pilot, lambda: app._exit, "the end")


async def test_ctrl_q_leaves_while_a_server_asks_for_a_password(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world)
    async with app.run_test(size=(80, 24)) as pilot:
        answer: Future[str | None] = Future()
        app.post_message(PromptRequested(SecretPrompt("lab", "root@lab:22", "Password:"), answer))
        await until(pilot, lambda: isinstance(app.screen, PromptModal), "the question")
        await pilot.press("s", "e", "ctrl+q")
        await until(pilot, lambda: app._exit, "the end")
    assert app.return_code == 0
    assert not answer.done() or answer.result() is None
