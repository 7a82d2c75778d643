"""`--lang` reaches the dashboards that other commands open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from sovdeck.engine.contract.catalogue import LANGUAGES, Language
from sovdeck.tui.cli.demo import dashboard as demo_dashboard
from sovdeck.tui.cli.main import main
from sovdeck.tui.web import page_process, server


class Page:
    """In place of the page's server: what it would start for each tab."""

    opened: Page | None = None

    def __init__(self, command: Sequence[str], host: str, port: int, language: Language) -> None:
        self.command, self.language = list(command), language
        self.request_guard = SimpleNamespace(url="http://127.0.0.1:1/?token=x")
        Page.opened = self

    def run(self, on_listening: Callable[[], None]) -> None:
        on_listening()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_and_its_dashboards(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: Language
) -> None:
    monkeypatch.setattr(server, "GuardedServer", Page)
    assert main(["--lang", language, "web"]) == 0
    page = Page.opened
    assert page is not None and page.language == language

    given: list[Any] = []
    monkeypatch.setattr("sys.argv", page.command[2:])
    monkeypatch.setattr(
        "sovdeck.tui.dashboard.open_dashboard.open_dashboard", lambda *args: given.append(args)
    )
    monkeypatch.delenv("TEXTUAL_DRIVER", raising=False)
    with monkeypatch.context() as patch:
        patch.setenv("TEXTUAL_DRIVER", "")  # put back afterwards
        page_process.main()
    assert given == [(None, language)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_demos_dashboard(monkeypatch: pytest.MonkeyPatch, language: Language) -> None:
    given: list[Any] = []

    def note(_project: object, chosen: Language, **_: object) -> None:
        given.append(chosen)

    monkeypatch.setattr(demo_dashboard, "open_dashboard", note)
    environment: Any = SimpleNamespace(project=None, app_paths=None)
    demo_dashboard.show_dashboard(environment, language)
    assert given == [language]
