"""The screens themselves over a real server: keys pressed here, sounds made there."""

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
from trip_steps import laptop

from sovdeck.remote.servers.server import ServerSession
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.audition.new_audition import NewAuditionScreen
from sovdeck.tui.screens.audition.screen import AuditionScreen
from sovdeck.tui.screens.speak.screen import SpeakScreen
from sovdeck.tui.services.live.services import live_services
from sovdeck.tui.shell.settings import DashboardSettings
from sovdeck.tui.state.prompts import HostKeyPrompt, OfferPrompt, SecretPrompt
from sovdeck.tui.state.server_models import ServerDraft
from sovdeck.tui.widgets.param_field import ParamField

HUNG_S = 240


class Person:
    def confirm_host_key(self, prompt: HostKeyPrompt) -> bool:
        return True

    def ask_secret(self, prompt: SecretPrompt) -> str | None:
        return None

    def accept_offer(self, prompt: OfferPrompt) -> bool:
        return False


async def until(pilot: Pilot[None], condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + HUNG_S
    while not condition():
        state = pilot.app.state  # type: ignore[attr-defined]
        reported = ([notice.text.en for notice in state.notices], list(state.takes.values()))
        assert time.monotonic() < deadline, f"waited in vain for {what}; reported: {reported}"
        await pilot.pause(0.1)


@pytest.mark.long
@pytest.mark.timeout(900)  # rendering a grid on a busy machine
def test_a_sentence_is_spoken_and_a_pair_is_chosen(
    session: ServerSession, embedded: Place, work: Path, tmp_path: Path
) -> None:
    """The `session` fixture has deployed the server."""
    places, project = laptop(tmp_path, work)
    with live_services(project, places) as services:
        draft = ServerDraft(embedded.spec.format(), "box")
        services.servers.add(draft, Person(), lambda event: None, threading.Event())
        settings = DashboardSettings(language="en", theme="night", play_takes=False)
        asyncio.run(visit(SovdeckApp(services, settings=settings, start="speak"), tmp_path))
    (work / "logs" / VOICE / "chosen.json").unlink()


async def visit(app: SovdeckApp, folder: Path) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        key = f"box/{VOICE}"
        await until(pilot, lambda: key in app.state.voice_assets, "the assets of the voice")
        speak = app.screen
        assert isinstance(speak, SpeakScreen)
        await until(pilot, lambda: speak.form.weight("gpt") == f"{VOICE}-e10.ckpt", "the pair")
        area = app.screen.query_one("#words", TextArea)
        area.focus()
        area.text = "おはようございます。"
        app.screen.query_one("#field-infer-text_lang", ParamField).set_value("all_ja")
        await until(pilot, lambda: speak.form.params().get("text_lang") == "all_ja", "Japanese")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: any(take.ended for take in app.state.takes.values()), "the take")
        take = next(iter(app.state.takes.values()))
        assert take.state == "done", take
        assert take.wav is not None and Path(take.wav).is_relative_to(folder / "voices")
        assert Path(take.wav).stat().st_size > 44 and take.sentences[0].seconds > 0

        await pilot.press("escape", "7")
        await until(pilot, lambda: isinstance(app.screen, AuditionScreen), "the screen")
        grid = app.screen
        assert isinstance(grid, AuditionScreen)
        await until(pilot, lambda: key in app.state.auditions, "that there is none")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, NewAuditionScreen), "the form")
        app.screen.query_one("#sentences", TextArea).text = "さようなら。"
        await pilot.press("ctrl+s")

        def ranked() -> bool:
            audition = app.state.auditions[key]
            return bool(audition.standings) and not audition.running

        await until(pilot, ranked, "the standings")
        cells = [cell for cell in app.state.auditions[key].cells if cell.kind == "cell"]
        assert len(cells) == 4 and all(Path(str(cell.wav)).is_file() for cell in cells)
        await until(pilot, lambda: grid.pair is not None, "the grid")
        await pilot.press("enter")
        await until(pilot, lambda: app.state.auditions[key].chosen == grid.pair, "the choice")
