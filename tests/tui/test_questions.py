"""Questions of a service: answered by arrows and Enter, gone when nobody waits any more."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import pytest
from pilot_waits import settled, until

from tui.app import SovdeckApp
from tui.messages import Question
from tui.screens.confirm import Confirm
from tui.screens.help import HelpScreen
from tui.screens.question_modal import QuestionModal
from tui.screens.questions import HostKeyScreen, SecretScreen
from tui.services.fakes import FakeWorld
from tui.services.protocols import HostKeyQuestion, OfferQuestion, SecretQuestion

Make = Callable[..., SovdeckApp]
KEY = HostKeyQuestion("lab", "root@lab:22", "ssh-ed25519", "SHA256:abc")
QUESTIONS = {
    "key": (KEY, HostKeyScreen),
    "secret": (SecretQuestion("lab", "root@lab:22", "Password:"), SecretScreen),
    "offer": (OfferQuestion("lab", "key"), Confirm),
}


@pytest.mark.parametrize(
    ("keys", "trusted"),
    [
        (("enter",), False), (("right", "enter"), True), (("l", "enter"), True),
        (("right", "left", "enter"), False), (("left", "enter"), True), (("escape",), False),
        (("y", "right", "enter"), True),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else str(value),
)  # fmt: skip
async def test_arrows_go_between_trusting_and_not(
    make_app: Make, world: FakeWorld, keys: tuple[str, ...], trusted: bool
) -> None:
    app = make_app(world)
    async with app.run_test(size=(80, 24)) as pilot:
        given: Future[bool] = Future()
        app.post_message(Question(KEY, given))
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
        app.post_message(Question(question, given))
        await until(pilot, lambda: isinstance(app.screen, screen))
        given.cancel()
        await until(pilot, lambda: not isinstance(app.screen, QuestionModal), "it has gone")
        await pilot.press("2")
        assert app.current_mode == "monitor"


async def test_below_another_it_goes_when_that_one_has_gone(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world)
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(pilot, app, world)
        given: Future[bool] = Future()
        app.post_message(Question(KEY, given))
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
        app.post_message(Question(KEY, given))
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
            answers.append(app.controller.ask(KEY, answer, cancel, False))  # type: ignore[arg-type]

        app.controller.jobs.run("login", ask)
        await until(pilot, lambda: isinstance(app.screen, HostKeyScreen))
        app.controller.jobs.cancel("login")
        await until(pilot, lambda: len(app.screen_stack) == 1, "it has gone")
        assert answers == [False]
