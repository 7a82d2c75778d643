"""The Dataset screen where there is no list yet, or one that cannot be read as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pilot_waits import drawn, until
from textual.pilot import Pilot
from textual.widgets import DirectoryTree, Input, Static

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.dataset.screen import proposed_voice
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.screens.dialogs.folder_picker import FolderPickerScreen
from sovdeck.tui.screens.dialogs.name_prompt import NamePromptScreen
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.server_models import Remark
from sovdeck.tui.widgets.clip_list import ClipList
from sovdeck.tui.widgets.form_input import FormInput

Make = Callable[..., SovdeckApp]
SIZE = (80, 24)


def summary(app: SovdeckApp) -> str:
    return str(app.screen.query_one("#summary", Static).content)


async def test_recordings_without_a_list_become_one_by_keys(
    make_app: Make, world: FakeWorld
) -> None:
    world.bare_recordings = 12
    app = make_app(world, start="dataset")
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.current_mode == "dataset" and app.state.server is not None)
        await drawn(pilot)  # keys before that go nowhere
        app.screen.query_one("#folder", Input).value = "/data/Anna"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "12 recordings without a list" in summary(app))
        assert "F6" in summary(app)
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(app.screen, NamePromptScreen), "the voice's name")
        assert app.screen.query_one(Input).value == "Anna"
        app.screen.query_one(Input).value = "a/b"
        await pilot.press("enter")
        await until(
            pilot, lambda: "a/b" in str(app.screen.query_one("#fault", Static).content), "refused"
        )
        app.screen.query_one(Input).value = "Anna"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen), "what it will do")
        assert "1624 MB" in str(app.screen.query_one(".more", Static).content)
        await pilot.press("enter")
        await until(pilot, lambda: app.state.dataset is not None, "the list came back")
        assert f"transcribe {app.state.server} /data/Anna Anna" in world.calls
        await until(pilot, lambda: isinstance(app.focused, ClipList), "to be proofread")


async def test_how_far_the_server_is_stands_in_the_summary(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.current_mode == "dataset")
        row = ev.TranscriptionRow("gpu-1", "Anna", "model", have=5 << 20, total=1 << 30)
        app.controller.emit(ev.TranscriptionChanged(row))
        await until(pilot, lambda: "speech recogniser" in summary(app))
        row = replace(row, phase="transcribe", done=3, recordings=9, clips=41, text="やあ、元気？")
        app.controller.emit(ev.TranscriptionChanged(row))
        await until(pilot, lambda: "3 of 9" in summary(app) and "やあ" in summary(app))


async def test_a_list_in_another_encoding_is_converted_by_two_keys(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.current_mode == "dataset")
        why = Remark("bad", Text("It is GBK.", "是 GBK。"))
        app.controller.emit(ev.DatasetUnreadable("/data/Anna", why, convertible=True))
        await until(pilot, lambda: "F6" in summary(app))
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("enter")
        await until(pilot, lambda: "convert /data/Anna" in world.calls)


async def test_missing_recordings_ask_for_their_folder(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: app.current_mode == "dataset")
        field = app.screen.query_one("#wavs", FormInput)
        assert not field.parent.display  # type: ignore[union-attr]
        await lose_recordings(pilot, app, world)
        await until(pilot, lambda: bool(field.parent.display), "the second field")  # type: ignore[union-attr]
        field.begin_edit()
        field.value = "/elsewhere"
        await pilot.press("enter")
        await until(pilot, lambda: "check /data/ATRI /elsewhere" in world.calls)


async def lose_recordings(pilot: Pilot[None], app: SovdeckApp, world: FakeWorld) -> None:
    """Check a folder whose list names a recording that is not there."""
    report = world.dataset.report(Path("/data/ATRI"))
    facts = {"file": "ATRI.list", "line": 3, "wav": "/data/ATRI/x.wav"}
    missing = Problem("engine.data.missing", ExitCode.DATA, **facts)
    quality = replace(report.quality, problems=(*report.quality.problems, missing))
    app.screen.query_one("#folder", Input).value = "/data/ATRI"
    await pilot.pause()
    app.controller.emit(ev.DatasetChecked(replace(report, quality=quality)))


async def test_a_folder_is_chosen_in_a_tree(
    make_app: Make, world: FakeWorld, tmp_path: Path
) -> None:
    (tmp_path / "voices" / "Anna").mkdir(parents=True)
    (tmp_path / "voices" / "__MACOSX").mkdir()
    app = make_app(world, start="dataset")
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.current_mode == "dataset")
        await drawn(pilot)  # keys before that go nowhere
        app.screen.query_one("#folder", Input).value = str(tmp_path / "voices" / "Anna")
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, FolderPickerScreen))
        picker = app.screen
        tree = picker.query_one(DirectoryTree)
        await pilot.press("backspace")
        await until(pilot, lambda: Path(tree.path) == tmp_path / "voices", "one further up")
        await until(pilot, lambda: len(tree.root.children) == 1, "junk is not shown")
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.screen is not picker, "it is closed")
        await until(pilot, lambda: f"check {tmp_path}/voices/Anna" in world.calls)


def test_a_voice_is_named_after_what_holds_it(tmp_path: Path) -> None:
    (tmp_path / "Bea" / "wavs").mkdir(parents=True)
    (tmp_path / "Cleo.mp3").write_bytes(b"x")
    assert proposed_voice(tmp_path / "Bea") == "Bea"
    assert proposed_voice(tmp_path / "Bea" / "wavs") == "Bea"
    assert proposed_voice(tmp_path / "Cleo.mp3") == "Cleo"
