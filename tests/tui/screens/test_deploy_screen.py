"""The Deploy screen: its plan and steps, and the weights that training starts from."""

from __future__ import annotations

from collections.abc import Callable

from pilot_waits import until
from textual.widgets import Static

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.deploy import DeployScreen
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.services.fakes.world import FakeWorld

Make = Callable[..., SovdeckApp]


async def test_a_deploy_ends_with_an_offer_of_the_weights(make_app: Make, world: FakeWorld) -> None:
    world.lacking_weights = frozenset({"v2Pro"})
    app = make_app(world)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.state.server is not None)
        server = app.state.server
        await app.push_screen(DeployScreen(str(server)))
        await until(pilot, lambda: str(server) in app.state.deploys, "the plan")
        screen = app.screen
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen), "a question")
        await pilot.press("enter")

        def offered() -> bool:
            return (
                isinstance(app.screen, ConfirmScreen) and app.screen.text_key == "tui.train.fetch"
            )

        await until(pilot, offered, "the offer")
        await pilot.press("n")
        await until(pilot, lambda: app.screen is screen, "the plan again")
        shown = screen.query_one("#weights", Static)
        assert "missing (1391 MB) · press F8" in str(shown.content)
        await pilot.press("f8")
        await until(pilot, offered, "asked for by its key")
        await pilot.press("enter")
        await until(pilot, lambda: "all there" in str(shown.content), "fetched")
        assert f"fetch weights {server} auto" in world.calls
