"""The rooms themselves over a real server: keys pressed here, sounds made there."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import Place
from textual.pilot import Pilot
from textual.widgets import TextArea
from tiny_voice import VOICE
from trip_ground import laptop

from remote.studio import Studio
from tui.app import SovdeckApp
from tui.screens.audition import AuditionScreen
from tui.screens.audition_start import AuditionStart
from tui.services.live import live_services
from tui.services.protocols import HostKeyQuestion, SecretQuestion, ServerDraft
from tui.settings import Settings

HUNG_S = 240


class Person:
    def host_key(self, question: HostKeyQuestion) -> bool:
        return True

    def secret(self, question: SecretQuestion) -> str | None:
        return None


async def until(pilot: Pilot[None], condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + HUNG_S
    while not condition():
        state = pilot.app.state  # type: ignore[attr-defined]
        told = ([notice.text.en for notice in state.notices], list(state.takes.values()))
        assert time.monotonic() < deadline, f"waited in vain for {what}; told: {told}"
        await pilot.pause(0.1)


@pytest.mark.slow
@pytest.mark.timeout(900)  # rendering a grid on a busy machine
def test_a_sentence_is_spoken_and_a_pair_is_chosen(
    desk: Studio, embedded: Place, work: Path, tmp_path: Path
) -> None:
    """`desk` has deployed the server."""
    places, project = laptop(tmp_path, work)
    with live_services(project, places) as services:
        draft = ServerDraft(embedded.spec.format(), "box")
        services.servers.add(draft, Person(), lambda event: None, threading.Event())
        settings = Settings(language="en", theme="night", play_takes=False)
        asyncio.run(visit(SovdeckApp(services, settings=settings, start="speak"), tmp_path))
    (work / "logs" / VOICE / "chosen.json").unlink()


async def visit(app: SovdeckApp, folder: Path) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        key = f"box/{VOICE}"
        await until(pilot, lambda: key in app.state.shelves, "the shelf")
        await until(pilot, lambda: app.screen.desk.weight("gpt") == f"{VOICE}-e10.ckpt", "the pair")
        area = app.screen.query_one("#words", TextArea)
        area.focus()
        area.text = "おはようございます。"
        await pilot.pause()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: any(take.ended for take in app.state.takes.values()), "the take")
        take = next(iter(app.state.takes.values()))
        assert take.state == "done", take
        assert take.wav is not None and Path(take.wav).is_relative_to(folder / "voices")
        assert Path(take.wav).stat().st_size > 44 and take.pieces[0].seconds > 0

        await pilot.press("escape", "7")
        await until(pilot, lambda: isinstance(app.screen, AuditionScreen), "the room")
        await until(pilot, lambda: key in app.state.auditions, "that there is none")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, AuditionStart), "the form")
        app.screen.query_one("#sentences", TextArea).text = "さようなら。"
        await pilot.press("ctrl+s")

        def ranked() -> bool:
            audition = app.state.auditions[key]
            return bool(audition.standings) and not audition.running

        await until(pilot, ranked, "the standings")
        cells = [cell for cell in app.state.auditions[key].cells if cell.kind == "cell"]
        assert len(cells) == 4 and all(Path(str(cell.wav)).is_file() for cell in cells)
        await until(pilot, lambda: app.screen.pair is not None, "the grid")
        await pilot.press("enter")
        await until(pilot, lambda: app.state.auditions[key].chosen == app.screen.pair, "the choice")
