"""The Rent screen: offers, one order after a clear question, stations, and ends that ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from pilot_waits import until
from textual.pilot import Pilot
from textual.widgets import Input, Static

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.dialogs.name_prompt import NamePromptScreen
from sovdeck.tui.screens.rent.provider_key import ProviderKeyScreen
from sovdeck.tui.screens.rent.screen import RentScreen
from sovdeck.tui.services.fakes.rentals import GOOD_KEY, LEASE_NAME
from sovdeck.tui.services.fakes.world import FROZEN_NOW, FakeWorld
from sovdeck.tui.state.rent_models import LeaseRow

Make = Callable[..., SovdeckApp]
LEASE = LeaseRow(
    *(LEASE_NAME, "vast-ATRI", "vast", "ATRI", "RTX 3090", "running", 0.21, "USD"),
    *(FROZEN_NOW - 3_600_000, FROZEN_NOW + 3_600_000),
    is_home=False,
    can_stop=True,
)


def test_a_stopped_server_is_counted_until_its_stop() -> None:
    assert LEASE.cost_at(FROZEN_NOW) == pytest.approx(0.21)
    stopped = replace(LEASE, state="stopped", stopped_at=FROZEN_NOW)
    assert stopped.cost_at(FROZEN_NOW + 36_000_000) == pytest.approx(0.21)
    assert replace(LEASE, price_per_hour=None).cost_at(FROZEN_NOW) is None


def shown(app: SovdeckApp, widget: str = "#detail") -> str:
    """The text of a part of the Rent screen; lines are not broken."""
    screen = next(one for one in app.screen_stack if isinstance(one, RentScreen))
    return str(screen.query_one(widget, Static).content)


def asks(app: SovdeckApp, key: str) -> bool:
    return isinstance(app.screen, ConfirmScreen) and app.screen.text_key == key


async def open_screen(pilot: Pilot[None], app: SovdeckApp) -> None:
    await until(pilot, lambda: app.state.server is not None)
    await pilot.press("r")
    await until(pilot, lambda: isinstance(app.screen, RentScreen) and app.state.offers.at > 0)
    await until(pilot, lambda: app.state.leases_at is not None)


@pytest.mark.parametrize("size", [(130, 40), (80, 24), (60, 16)])
async def test_offers_say_what_is_agreed_to(
    make_app: Make, world: FakeWorld, size: tuple[int, int]
) -> None:
    app = make_app(world)
    async with app.run_test(size=size) as pilot:
        await open_screen(pilot, app)
        await until(pilot, lambda: "0.27-0.82 USD for this voice" in shown(app), "the agreement")
        assert "ATRI" in shown(app, "#title")
        said = shown(app)
        assert "it is stopped; its disk is paid for" in said and "± 50 %" in said
        assert "vast has not yet been run against the real service" in said
        assert "If this computer dies on the way" in said and "sovdeck rent ls" in said
        await pilot.press("e")
        await until(pilot, lambda: "DESTROYED with its disk" in shown(app), "the other end")
        await pilot.press("j")
        await until(pilot, lambda: "lambda cannot stop a server" in shown(app), "the other offer")
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "Mika" in shown(app, "#title"), "the other voice")


async def test_an_order_is_asked_for_with_its_cost_and_followed_to_its_end(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_screen(pilot, app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: asks(app, "tui.rent.order"), "a question")
        asked = " ".join(str(one.content) for one in app.screen.query(Static))
        assert "about 0.27-0.82 USD" in asked and "If this computer dies" in asked
        assert "not yet been run" in asked
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, RentScreen))
        assert not any(call.startswith("rent ") for call in world.calls)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: asks(app, "tui.rent.order"), "the question again")
        await pilot.press("y")
        await until(pilot, lambda: "▶ trained" in shown(app), "the stations")
        said = shown(app)
        assert "✓ own watch" in said and "So far 0.10 USD, after 30:00" in said
        assert "vast-ATRI costs 0.21 USD an hour until it is ended" in said
        assert "it is stopped" in said and "rent 1 stop" in world.calls
        await pilot.press("v", "ctrl+s")  # one at a time
        await pilot.press("ctrl+q")
        await until(pilot, lambda: asks(app, "tui.rent.leave"), "what leaving means")
        await pilot.press("ctrl+q")  # once more is no answer
        assert asks(app, "tui.rent.leave")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, RentScreen))
        assert world.calls.count("rent 1 stop") == 1
        await pilot.press("v")
        world.station.set()
        await until(pilot, lambda: "ATRI is home, verified" in shown(app), "the end")
        await pilot.press("ctrl+q")
    assert app.exit_code == 0


async def test_what_is_not_home_is_destroyed_by_its_name_alone(
    make_app: Make, world: FakeWorld
) -> None:
    world.leases = (LEASE,)
    app = make_app(world)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_screen(pilot, app)
        await pilot.press("v", "ctrl+x")
        await until(pilot, lambda: asks(app, "tui.rent.stop"), "a question")
        await pilot.press("y")
        await until(pilot, lambda: f"stop {LEASE_NAME}" in world.calls, "stopped")
        await until(pilot, lambda: app.state.leases[0].state == "stopped")
        await pilot.press("delete")
        await until(pilot, lambda: isinstance(app.screen, NamePromptScreen), "its name")
        await pilot.press(*"vast", "enter")
        fault = app.screen.query_one("#fault", Static)
        await until(pilot, lambda: "is not the name" in str(fault.content), "refused")
        assert not any(call.startswith("destroy") for call in world.calls)
        await pilot.press(*"-ATRI", "enter")
        await until(pilot, lambda: f"destroy {LEASE_NAME} confirmed" in world.calls, "destroyed")
        await until(pilot, lambda: app.state.leases == (), "gone")


async def test_what_is_home_is_destroyed_after_one_question(
    make_app: Make, world: FakeWorld
) -> None:
    world.leases = (replace(LEASE, is_home=True, can_stop=False, unasked=True),)
    app = make_app(world)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_screen(pilot, app)
        await pilot.press("v")
        await until(pilot, lambda: "costs money although nothing asks" in shown(app), "said")
        await pilot.press("ctrl+x")  # this provider has no stop
        await pilot.press("delete")
        await until(pilot, lambda: asks(app, "tui.rent.destroy_home"), "a question")
        await pilot.press("y")
        await until(pilot, lambda: f"destroy {LEASE_NAME}" in world.calls, "destroyed")
        assert not any(call.startswith("stop") for call in world.calls)


@pytest.mark.parametrize(
    ("state", "question"),
    [("running", "tui.rent.resume"), ("stopped", "tui.rent.resume_stopped")],
)
async def test_a_rental_that_nobody_follows_is_said_and_goes_on(
    make_app: Make, world: FakeWorld, state: str, question: str
) -> None:
    world.leases = (replace(LEASE, state=state, can_resume=True),)
    app = make_app(world)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: bool(app.state.notices), "a reminder at the start")
        assert "nobody follows it" in app.state.notices[-1].text.en
        await open_screen(pilot, app)
        await pilot.press("v")
        await until(pilot, lambda: "Press c to go on" in shown(app), "how")
        await pilot.press("c")
        await until(pilot, lambda: asks(app, question), "a question")
        await pilot.press("y")
        await until(pilot, lambda: "▶ trained" in shown(app), "it is followed")
        assert f"resume {LEASE_NAME}" in world.calls and "Press c" not in shown(app)
        await pilot.press("c")  # one at a time
        world.station.set()
        await until(pilot, lambda: "ATRI is home, verified" in shown(app), "the end")
        assert world.calls.count(f"resume {LEASE_NAME}") == 1


async def test_a_rental_of_another_computer_is_not_gone_on_with(
    make_app: Make, world: FakeWorld
) -> None:
    world.leases = (replace(LEASE, unasked=True),)
    app = make_app(world)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_screen(pilot, app)
        await pilot.press("v", "c")
        await until(pilot, lambda: asks_nothing(app))
        assert not any(call.startswith("resume") for call in world.calls)


def asks_nothing(app: SovdeckApp) -> bool:
    return isinstance(app.screen, RentScreen)


async def test_without_a_key_it_says_how_to_give_one_and_takes_it_unseen(
    make_app: Make, world: FakeWorld
) -> None:
    world.has_provider_key = False
    app = make_app(world)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_screen(pilot, app)
        await until(pilot, lambda: "Press p to give one" in shown(app, "#empty"), "how")
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, ProviderKeyScreen))
        fault = app.screen.query_one("#fault", Static)
        await pilot.press(*"planted", "enter")
        await until(pilot, lambda: "refused the key" in str(fault.content), "a wrong one")
        assert "planted" not in app.export_screenshot() and not world.has_provider_key
        app.screen.query_one("#key", Input).value = GOOD_KEY
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RentScreen), "taken")
        await until(pilot, lambda: "0.27-0.82 USD" in shown(app), "the offers")


async def test_nothing_is_rented_while_read_only(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, read_only=True)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_screen(pilot, app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: asks(app, "tui.rent.order"))
        await pilot.press("y")
        await until(pilot, lambda: bool(app.state.notices), "a refusal")
        assert not any(call.startswith("rent ") for call in world.calls)
