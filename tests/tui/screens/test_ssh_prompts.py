"""Questions of a service: answered by arrows and Enter, gone when nobody waits any more."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import pytest
from pilot_waits import settled, until

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.base.prompt_modal import PromptModal
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.dialogs.help import HelpScreen
from sovdeck.tui.screens.dialogs.ssh_prompts import HostKeyScreen, SecretScreen
from sovdeck.tui.services.fakes.services import FakeWorld
from sovdeck.tui.shell.messages import PromptRequested
from sovdeck.tui.state.prompts import HostKeyPrompt, OfferPrompt, SecretPrompt

Make = Callable[..., SovdeckApp]
KEY = HostKeyPrompt("lab", "root@lab:22", "ssh-ed25519", "SHA256:abc")
QUESTIONS: dict[str, tuple[HostKeyPrompt | SecretPrompt | OfferPrompt, type[PromptModal]]] = {
    "key": (KEY, HostKeyScreen),
    "secret": (SecretPrompt("lab", "root@lab:22", "Password:"), SecretScreen),
    "offer": (OfferPrompt("lab", "key"), ConfirmScreen),
}


@pytest.mark.parametrize(
    ("keys", "trusted"),
    [
        (("enter",), False),
        (("right", "enter"), True),
        (("l", "enter"), True),
        (("right", "left", "enter"), False),
        (("left", "enter"), True),
        (("escape",), False),
        (("y", "right", "enter"), True),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else str(value),
)
async def test_arrows_go_between_trusting_and_not(
    make_app: Make, world: FakeWorld, keys: tuple[str, ...], trusted: bool
) -> None:
    app = make_app(world)
    async with app.run_test(size=(80, 24)) as pilot:
        given: Future[bool] = Future()
        app.post_message(PromptRequested(KEY, given))
        await until(pilot, lambda: isinstance(app.screen, HostKeyScreen))
        await pilot.press(*keys)
        await until(pilot, given.done)
        assert given.result() is trusted


@pytest.mark.parametrize("kind", sorted(QUESTIONS))
async def test_a_question_nobody_waits_for_goes(
    make_app: Make, world: FakeWorld, kind: str
) -> None:
    question, screen = QUESTIONS[kind]
    app = make_app(world)
    async with app.run_test(size=(80, 24)) as pilot:
        given: Future[bool] = Future()
        app.post_message(PromptRequested(question, given))
        await until(pilot, lambda: isinstance(app.screen, screen))
        given.cancel()
        await until(pilot, lambda: not isinstance(app.screen, PromptModal), "it has gone")
        await pilot.press("2")
        assert app.current_mode == "monitor"


async def test_below_another_it_goes_when_that_one_has_gone(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(pilot, app, world)
        given: Future[bool] = Future()
        app.post_message(PromptRequested(KEY, given))
        await until(pilot, lambda: isinstance(app.screen, HostKeyScreen))
        app.push_screen(HelpScreen(app.screen_stack[0]))
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        given.cancel()
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1, "both have gone")


async def test_one_cancelled_before_it_was_shown_is_not(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world)
    async with app.run_test(size=(80, 24)) as pilot:
        given: Future[bool] = Future()
        given.cancel()
        app.post_message(PromptRequested(KEY, given))
        await pilot.pause()
        assert len(app.screen_stack) == 1


async def test_a_cancelled_log_in_takes_its_question_along(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world)
    answers: list[bool] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app, world)

        def ask(emit: object, cancel: object) -> None:
            answer: Future[bool] = Future()
            answers.append(app.controller.prompt(KEY, answer, cancel, False))  # type: ignore[arg-type]

        app.controller.tasks.run("login", ask)
        await until(pilot, lambda: isinstance(app.screen, HostKeyScreen))
        app.controller.tasks.cancel("login")
        await until(pilot, lambda: len(app.screen_stack) == 1, "it has gone")
        assert answers == [False]
