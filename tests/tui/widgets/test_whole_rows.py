"""A text in a low box: whole rows, and each of a screen's sentences to its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pilot_waits import drawn, settled, until
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from sovdeck.engine.contract.catalogue import Language
from sovdeck.engine.contract.params import PARAMS
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.audition.new_audition import NewAuditionScreen
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.shell.tabs import TABS
from sovdeck.tui.state.speak_form import FORM_FIELDS
from sovdeck.tui.widgets.param_field import ParamField
from sovdeck.tui.widgets.whole_rows import WholeRows

Make = Callable[..., SovdeckApp]
SPEAK_TITLE_WIDTH = 20  # of speak.tcss, less the space after it
# A list of short lines, the weightiest first: a low box shows as many whole ones as fit.
LISTS = {("servers", "detail")}


class Boxed(App[None]):
    CSS = "WholeRows { width: 10; height: 3; }"

    def compose(self) -> ComposeResult:
        yield WholeRows(id="rows")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo", "one\ntwo"),
        ("one\ntwo\nthree\nfour", "one\ntwo\nthree"),
        ("a row that takes two\nlast", "a row that takes two\nlast"),
        ("one\ntwo\na row that takes two", "one\ntwo"),
        (
            "one row that is much too long for this box\nlast",
            "one row that is much too long for this box",
        ),
    ],
)
async def test_rows_are_shown_whole_or_not_at_all(text: str, shown: str) -> None:
    app = Boxed()
    async with app.run_test() as pilot:
        rows = app.query_one(WholeRows)
        rows.update(text)
        await pilot.pause()
        assert str(rows.content) == shown
        rows.styles.height = 20
        await until(pilot, lambda: str(rows.content) == text, "all of it")


def cut_texts(screen: Screen[object]) -> list[str]:
    """The texts on the screen that need more lines, or more columns, than they have."""
    found = []
    for widget in screen.query(Static):
        if not (widget.is_on_screen and widget.display and widget.content_size.width):
            continue
        size, name = widget.content_size, widget.id or ""
        place = screen.find_widget(widget)
        lines = widget.get_content_height(screen.size, screen.size, size.width)
        narrow = place.visible_region.width < place.region.width and cell_len(str(widget.content))
        # Beside a field of a form stands its unit, which its help repeats.
        unit = widget.has_class("note") and isinstance(widget.parent, ParamField)
        if (lines > size.height or narrow) and not unit:
            found.append(f"{name}: {widget.content}")
    return found


@pytest.mark.parametrize(
    ("size", "language"),
    [
        ((80, 24), "zh"),
        pytest.param((60, 16), "en", marks=pytest.mark.long),
        pytest.param((60, 16), "zh", marks=pytest.mark.long),
        pytest.param((80, 24), "en", marks=pytest.mark.long),
    ],
    ids=["80x24-zh", "60x16-en", "60x16-zh", "80x24-en"],
)
async def test_no_screen_cuts_a_sentence(
    make_app: Make, world: FakeWorld, size: tuple[int, int], language: str
) -> None:
    app = make_app(world, language=language)
    async with app.run_test(size=size) as pilot:
        await settled(pilot, app, world)
        for tab in TABS:
            app.switch_mode(tab)
            await drawn(pilot)
            ids = {name for screen, name in LISTS if screen == tab}
            cut = [text for text in cut_texts(app.screen) if text.split(":")[0] not in ids]
            assert cut == [], tab


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_large_audition_says_its_whole_size(
    make_app: Make, world: FakeWorld, language: str
) -> None:
    app = make_app(world, start="audition", language=language)
    async with app.run_test(size=(60, 16)) as pilot:
        await settled(pilot, app, world)
        await pilot.press("escape", "right_square_bracket")
        await until(pilot, lambda: "lab-a100/Mika" in app.state.voice_assets)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, NewAuditionScreen), "the form")
        size = app.screen.query_one("#size", Static)
        size.update("GPT 15 × SoVITS 12 × sentences 100 × references 3 = 54000")
        await pilot.pause()
        box = size.parent
        assert (
            box is not None
            and size.content_size.width <= app.screen.query_one(".box").content_size.width
        )
        assert size.content_size.height == 2


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_titles_of_the_speak_form_fit(language: Language) -> None:
    titles = [PARAMS[name].title.get(language) for name in FORM_FIELDS]
    assert [title for title in titles if cell_len(title) > SPEAK_TITLE_WIDTH] == []
