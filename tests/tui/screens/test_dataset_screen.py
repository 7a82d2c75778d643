"""The Dataset screen: the truth about the data, and proofreading worst first by keys alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pilot_waits import drawn, until
from textual.pilot import Pilot
from textual.widgets import Input, Static

from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.dataset.screen import DatasetScreen
from sovdeck.tui.screens.dialogs.confirm import ConfirmScreen
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.clip_rows import clip_rows
from sovdeck.tui.state.server_models import Remark
from sovdeck.tui.widgets.clip_list import ClipList
from sovdeck.tui.widgets.form_input import FormInput
from sovdeck.tui.widgets.panel import Panel
from sovdeck.tui.widgets.waveform import Waveform

Make = Callable[..., SovdeckApp]
WIDE, NARROW = (120, 36), (80, 24)


async def checked(pilot: Pilot[None], app: SovdeckApp) -> DatasetScreen:
    await until(pilot, lambda: app.current_mode == "dataset")
    await drawn(pilot)  # keys before that go nowhere
    app.screen.query_one("#folder", Input).value = "/data/ATRI"
    await pilot.press("ctrl+s")
    await until(pilot, lambda: app.state.dataset is not None, "the report")
    await until(pilot, lambda: isinstance(app.focused, ClipList), "the list has the focus")
    assert isinstance(app.screen, DatasetScreen)
    return app.screen


def said(app: SovdeckApp, selector: str) -> str:
    return str(app.screen.query_one(selector, Static).content)


async def test_everything_the_data_is_worth_is_on_the_screen(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=WIDE) as pilot:
        await checked(pilot, app)
        worth = said(app, "#worth")
        for fact in (
            "ATRI",
            "ja",
            "210",
            "min",
            "3–5 s",
            "loudness",
            "pauses",
            "pace",
            "too short",
            "text hardly fits",
            "clipped in places",
            "noisy",
            "Left out",
        ):
            assert fact in worth, fact
        assert "3 left out, 4 to listen to" in said(app, "#summary")
        await pilot.press("f2")
        await until(pilot, lambda: "需要试听" in said(app, "#worth"), "the same in Chinese")


async def test_the_clip_under_the_cursor_is_drawn(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=WIDE) as pilot:
        await checked(pilot, app)
        wave = app.screen.query_one("#wave", Waveform)
        clips = app.screen.query_one(ClipList)
        while clips.row is None or clips.row.seconds is None:
            await pilot.press("j")
        first = clips.row
        await until(pilot, lambda: bool(wave.peaks), "its waveform")
        assert app.state.waveform is not None and app.state.waveform.wav == first.wav
        assert f"{first.seconds:.1f} s" in said(app, "#wave")
        await pilot.press("j")
        second = clips.row
        assert second is not None and second is not first
        drawn = app.state.waveform
        assert wave.peaks == () or drawn.wav == second.wav  # never the outline of another
        await until(pilot, lambda: app.state.waveform.wav == second.wav, "the next one's")  # type: ignore[union-attr]
        await pilot.resize_terminal(60, 16)
        await pilot.pause()
        assert not wave.display


async def test_rows_are_faults_then_suspects_by_score_then_the_rest(world: FakeWorld) -> None:
    report = world.dataset.report(Path("/data/ATRI"))
    rows = clip_rows(report)
    levels = [row.level for row in rows]
    assert levels == sorted(levels, key=["bad", "warning", "note", "good"].index)
    assert sorted(row.line for row in rows) == sorted(report.lines)
    suspects = [suspect.item.line for suspect in report.quality.suspects]
    assert [row.line for row in rows if row.level == "warning"] == suspects


async def test_letters_without_a_sound_have_a_column(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=WIDE) as pilot:
        screen = await checked(pilot, app)
        assert "gloss" not in str(screen.clips.border_title)
        line = screen.clips.row.line  # type: ignore[union-attr]
        path = world.dataset.lines[line].rsplit("|", 3)[0]
        world.dataset.lines[line] = f"{path}|ATRI|ja|ここへмирだよ"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "gloss" in str(screen.clips.border_title), "the column's name")
        row = next(row for row in screen.clips.select_rows if row.line == line)
        at = screen.clips.select_rows.index(row)
        screen.clips.move_cursor_to(at)
        await pilot.pause()
        assert row.gloss == "мир"
        shown = screen.clips.render_line(at - screen.clips.scroll_offset.y).text
        assert f"{row.language}  {row.gloss}" in shown and shown.index("мир") < shown.index("ここ")


async def test_proofreading_by_keys(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=WIDE) as pilot:
        screen = await checked(pilot, app)
        await pilot.press("n", "n", "n", "n")
        slow = screen.clips.row
        assert slow is not None and slow.line == 12
        await until(pilot, lambda: app.state.playing == slow.wav, "the clip sounds")
        await pilot.press("space")
        await until(pilot, lambda: app.state.playing is None, "silence")
        assert "0.5 characters a second" in said(app, "#reasons")
        await pilot.press("enter")
        field = app.screen.query_one("#text", Input)
        assert field.has_focus and field.value == "はい。"
        field.value = "夏生さん、今日はどこへ行きますか？"
        await pilot.press("enter")
        await until(pilot, lambda: len(app.state.dataset.edits) == 1, "the correction")  # type: ignore[union-attr]
        assert world.dataset.lines[12].endswith("|夏生さん、今日はどこへ行きますか？")
        row = screen.clips.row
        assert row is not None and (row.line, row.level) == (12, "good")
        assert len(app.state.dataset.quality.suspects) == 3  # type: ignore[union-attr]
        await pilot.press("u")
        await until(pilot, lambda: world.dataset.lines[12].endswith("|はい。"), "undone")
        await until(pilot, lambda: len(app.state.dataset.quality.suspects) == 4)  # type: ignore[union-attr]
        assert screen.listened_lines == {57, 88, 140, 12}


async def test_a_faulty_line_is_mended_whole(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=WIDE) as pilot:
        screen = await checked(pilot, app)
        await pilot.press("enter")
        field = app.screen.query_one("#text", Input)
        assert field.value == "ATR_b101_057.wav|ATRI|ja"
        field.value += "|おはようございます。"
        await pilot.press("enter")
        await until(pilot, lambda: len(app.state.dataset.quality.problems) == 2)  # type: ignore[union-attr]
        assert screen.clips.row is not None and screen.clips.row.line == 57


async def test_words_no_list_can_hold_are_refused_at_the_field(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=WIDE) as pilot:
        screen = await checked(pilot, app)
        await pilot.press("G", "enter")
        before = screen.clips.row
        app.screen.query_one("#text", Input).value = "a|b"
        await pilot.press("enter")
        assert "no transcript" in said(app, "#fault")
        assert app.screen.query_one("#text", FormInput).editing, "it is to be mended there"
        await pilot.press("escape")
        assert app.screen.query_one("#text", Input).value == before.text  # type: ignore[union-attr]
        assert not any(call.startswith("edit") for call in world.calls)
        assert isinstance(app.focused, ClipList)


async def test_a_list_changed_by_another_program_is_not_overwritten(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=WIDE) as pilot:
        await checked(pilot, app)
        world.dataset.lines[57] = "changed elsewhere"
        await pilot.press("enter", "x", "enter")
        await until(pilot, lambda: bool(app.state.notices), "the refusal")
        assert world.dataset.lines[57] == "changed elsewhere"


async def test_read_only_corrects_nothing(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="dataset", read_only=True)
    async with app.run_test(size=WIDE) as pilot:
        await checked(pilot, app)
        await pilot.press("enter", "x", "enter")
        await until(pilot, lambda: bool(app.state.notices), "the refusal")
        await pilot.press("u")
        assert not any(call.split()[0] in ("edit", "undo") for call in world.calls)


async def test_movement_by_letters_arrows_and_mouse(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=WIDE) as pilot:
        clips = (await checked(pilot, app)).clips
        await pilot.press("j", "j", "down", "k")
        assert clips.cursor_index == 2
        await pilot.press("G")
        assert clips.cursor_index == len(clips.select_rows) - 1 == 216 and clips.scroll_offset.y > 0
        await pilot.press("home")
        assert clips.cursor_index == 0 and clips.scroll_offset.y == 0
        await pilot.click(ClipList, offset=(5, 4))
        assert clips.cursor_index == 3
        await pilot.click(ClipList, offset=(5, 4), times=2)
        assert app.screen.query_one("#text", Input).has_focus


async def test_small_terminals_switch_between_report_and_clips(
    make_app: Make, world: FakeWorld
) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=NARROW) as pilot:
        await checked(pilot, app)
        assert app.screen.query_one("#worth", Panel).is_on_screen
        await pilot.press("v")
        assert app.screen.query_one("#clips").is_on_screen
        assert not app.screen.query_one("#report").display


async def test_pushing_names_what_stays_behind(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=WIDE) as pilot:
        await checked(pilot, app)
        await until(pilot, lambda: app.state.server is not None)
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "3" in said(app, ".question") and "tokyo-4090" in said(app, ".question")
        await pilot.press("n")
        assert not any(call.startswith("push") for call in world.calls)


async def test_a_folder_that_cannot_be_read_says_why_in_the_screen(
    make_app: Make, world: FakeWorld
) -> None:
    from sovdeck.engine.contract.catalogue import hint, text

    app = make_app(world, start="dataset")
    async with app.run_test(size=WIDE) as pilot:
        facts = {"folder": "/x", "count": 0}
        why = Remark("bad", text("tui.dataset.no_list", **facts), hint("tui.dataset.no_list"))
        app.controller.emit(ev.DatasetChecking("/x"))
        app.controller.emit(ev.DatasetUnreadable("/x", why))
        await until(pilot, lambda: "/x holds 0" in said(app, "#summary"), "the reason")
        assert app.state.checking is None


async def test_the_last_folder_is_remembered(make_app: Make, world: FakeWorld) -> None:
    app = make_app(world, start="dataset")
    async with app.run_test(size=WIDE) as pilot:
        await checked(pilot, app)
        assert app.settings.dataset == "/data/ATRI"
