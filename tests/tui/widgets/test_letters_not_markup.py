"""A str on screen is letters: no name of a server is read as markup, wherever it stands."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.content import Content

from sovdeck.tui.widgets.border_text import set_border_subtitle, set_border_title
from sovdeck.tui.widgets.diff_table import DiffTable
from sovdeck.tui.widgets.plain_button import PlainButton
from sovdeck.tui.widgets.steady_text import SteadyText

NAMES = ("x [/nope] y", "[bold]m[/]", "[@click=app.quit]q[/]", "a :bomb: b", "[train.params]", "[")
TUI = Path(__file__).resolve().parents[3] / "tui"


class Stage(App[None]):
    """One of each widget that shows a text."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.text = name

    def compose(self) -> ComposeResult:
        yield SteadyText(self.text, id="text")
        yield PlainButton(self.text)
        yield DiffTable()

    def on_mount(self) -> None:
        self.query_one(DiffTable).fill({"name": self.text}, [("one", {"name": self.text})])
        set_border_title(self.query_one("#text"), self.text)
        set_border_subtitle(self.query_one("#text"), self.text)


@pytest.mark.parametrize("name", NAMES)
async def test_every_widget_shows_the_letters(name: str) -> None:
    app = Stage(name)
    async with app.run_test() as pilot:
        await pilot.pause()
        text, table = app.query_one(SteadyText), app.query_one(DiffTable)
        assert name in text.render_line(0).text
        for title in (text.border_title, text.border_subtitle):  # Textual gives them escaped
            assert Content.from_markup(str(title)).plain == name
        assert str(app.query_one(PlainButton).label) == name
        assert [name in table.render_line(y).text for y in (0, 1)] == [True, True]
        table.fill({"name": name}, [("one", {"name": f"{name}!"})])  # one cell put into its place
        await pilot.pause()
        assert f"{name}!" in table.render_line(1).text
        app.query_one(PlainButton).label = f"{name}?"
        assert str(app.query_one(PlainButton).label) == f"{name}?"


def _calls(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found.append(node.func.id if isinstance(node.func, ast.Name) else "")
            found += [f"{keyword.arg}=" for keyword in node.keywords]
        elif isinstance(node, ast.Attribute):
            found.append(f".{node.attr}")
    return found


def test_no_other_widget_of_textual_is_given_a_str() -> None:
    homes = {
        "Static": "steady_text.py",
        "Button": "plain_button.py",
        "Label": "",
        "OptionList": "",
        "Select": "",
        "Tab": "",
        ".from_markup": "",
        ".border_title": "border_text.py",
        ".border_subtitle": "border_text.py",
    }
    strays = [
        f"{path.name}: {call}"
        for path in TUI.rglob("*.py")
        for call in _calls(ast.parse(path.read_text("utf-8")))
        if call in homes and path.name != homes[call]
    ]
    assert strays == []
