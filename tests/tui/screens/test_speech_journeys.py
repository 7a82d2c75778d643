"""Speaking and comparing on a made-up world, by keys and without sleeps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from pilot_waits import settled, until
from speak_pilot import go_to_mika, say, takes
from textual.pilot import Pilot
from textual.widgets import Input, Static, TextArea

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.screens.audition.blind_vote import BlindVoteScreen
from sovdeck.tui.screens.audition.new_audition import NewAuditionScreen
from sovdeck.tui.screens.audition.screen import AuditionScreen
from sovdeck.tui.screens.dialogs.help import HelpScreen
from sovdeck.tui.screens.dialogs.trim_reference import TrimReferenceScreen
from sovdeck.tui.screens.speak.screen import SpeakScreen
from sovdeck.tui.services.fakes.player import FakeSoundStream
from sovdeck.tui.services.fakes.services import make_world
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state.events import JobSeen
from sovdeck.tui.state.models import JobStatus
from sovdeck.tui.widgets.diff_table import DiffTable
from sovdeck.tui.widgets.option_stepper import OptionStepper
from sovdeck.tui.widgets.pair_table import PairTable
from sovdeck.tui.widgets.param_field import ParamField
from sovdeck.tui.widgets.waveform import TrimBar

Make = Callable[..., SovdeckApp]
SIZE = (120, 36)


def speak_screen(app: SovdeckApp) -> SpeakScreen:
    assert isinstance(app.screen, SpeakScreen)
    return app.screen


def audition_screen(app: SovdeckApp) -> AuditionScreen:
    assert isinstance(app.screen, AuditionScreen)
    return app.screen


async def at_mika(pilot: Pilot[None], app: SovdeckApp, world: FakeWorld, key: str) -> None:
    await go_to_mika(pilot, app, world, key)
    await until(pilot, lambda: "lab-a100/Mika" in app.state.voice_assets, "its assets")


async def test_from_a_voice_to_a_take_that_sounds_and_back_to_its_settings(make_app: Make) -> None:
    world = make_world()
    app = make_app(world, start="voices")
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot, app, world)
        await until(pilot, lambda: len(app.state.all_voices()) == 2)
        await pilot.press("j", "s")
        await until(pilot, lambda: isinstance(app.screen, SpeakScreen), "the screen")
        await until(pilot, lambda: "lab-a100/Mika" in app.state.voice_assets)
        await until(pilot, lambda: speak_screen(app).form.weight("gpt") == "Mika-e15.ckpt")
        speed = app.screen.query_one("#field-infer-speed", ParamField)
        speed.set_value(1.2)
        await say(pilot, app, "おはようございます。今日もいい天気ですね。")
        await until(pilot, lambda: bool(takes(app)) and takes(app)[0].state == "done", "the take")
        take = takes(app)[0]
        assert take.draft.params["speed"] == 1.2 and take.draft.params["text_lang"] == "ja"
        assert [piece.text for piece in take.sentences][0] == "おはようございます。"
        await until(pilot, lambda: world.player.played == [Path(str(take.wav))], "its sound")

        await pilot.press("f5")
        await until(pilot, lambda: world.player.playing is None, "silence")
        speed.set_value(0.9)
        await say(pilot, app, "another text")
        await until(pilot, lambda: len(takes(app)) == 2 and takes(app)[1].ended)
        table = app.screen.query_one("#takes", DiffTable)
        assert table.keys == ["take-2", "take-1"]
        table.focus()
        await pilot.press("j", "enter")
        await until(pilot, lambda: speed.value == 1.2, "the speed put back")
        assert speak_screen(app).form.text.startswith("おはよう")
        assert app.screen.query_one("#words", TextArea).text.startswith("おはよう")
        assert speak_screen(app).form.params()["seed"] == take.seed

        await pilot.press("s")
        await until(pilot, lambda: any(call.startswith("save Mika-001") for call in world.calls))
        await pilot.press("e")
        await until(pilot, lambda: len(takes(app)) == 3 and takes(app)[2].ended)
        assert takes(app)[2].draft.params["rerender_last"] is True


async def test_a_take_is_spoken_once_stopped_and_nothing_else_is_lost(make_app: Make) -> None:
    world = make_world()
    world.gate.clear()
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world, "6")
        await say(pilot, app, "一。二。三。")
        await until(pilot, lambda: bool(takes(app)) and len(takes(app)[0].sentences) == 2)
        shown = str(app.screen.query_one("#now", Static).content)
        assert "sentences spoken: 2" in shown and "0.8 s" in shown
        await pilot.press("ctrl+s")
        await pilot.press("escape", "x")
        await until(pilot, lambda: takes(app)[0].state == "cancelled", "the take stopped")
        assert len(takes(app)[0].sentences) == 2 and len(takes(app)) == 1
        world.gate.set()
        await say(pilot, app, "四。")
        await until(pilot, lambda: len(takes(app)) == 2 and takes(app)[1].state == "done")


async def test_a_take_is_heard_while_it_is_spoken_and_only_once(make_app: Make) -> None:
    world = make_world()
    world.gate.clear()
    stream = FakeSoundStream()
    world.open_sound = lambda: stream
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world, "6")
        await say(pilot, app, "一。二。三。")
        await until(pilot, lambda: len(stream.heard) == 2, "sound before the take is whole")
        assert takes(app)[0].state == "speaking"
        await until(pilot, lambda: app.state.playing == Path("take-1"), "what plays")
        world.gate.set()
        await until(pilot, lambda: takes(app)[0].state == "done", "the take")
        await until(pilot, lambda: stream.stopped and app.state.playing is None, "its end")
        assert [one.decode() for one in stream.heard] == ["一。", "二。", "三。"]
        assert world.player.played == []


async def test_a_cancelled_take_is_silent_at_once(make_app: Make) -> None:
    world = make_world()
    world.gate.clear()
    stream = FakeSoundStream(goes_on=True)
    world.open_sound = lambda: stream
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world, "6")
        await say(pilot, app, "一。二。三。")
        await until(pilot, lambda: len(stream.heard) == 2)
        await pilot.press("escape", "x")
        await until(pilot, lambda: takes(app)[0].state == "cancelled", "the take stopped")
        await until(pilot, lambda: stream.stopped and app.state.playing is None, "silence")


async def test_sound_can_be_stopped_while_the_take_goes_on(make_app: Make) -> None:
    world = make_world()
    world.gate.clear()
    stream = FakeSoundStream(goes_on=True)
    world.open_sound = lambda: stream
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world, "6")
        await say(pilot, app, "一。二。三。")
        await until(pilot, lambda: app.state.playing == Path("take-1"), "what plays")
        await pilot.press("f5")
        await until(pilot, lambda: stream.stopped and app.state.playing is None, "silence")
        assert takes(app)[0].state == "speaking"
        world.gate.set()
        await until(pilot, lambda: takes(app)[0].state == "done", "the take")
        assert world.player.played == []


async def test_where_nothing_can_stream_the_file_is_played(make_app: Make) -> None:
    world = make_world()
    world.open_sound = lambda: FakeSoundStream(mute=True)
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world, "6")
        await say(pilot, app, "一。二。")
        await until(pilot, lambda: bool(takes(app)) and takes(app)[0].state == "done", "the take")
        file = Path(str(takes(app)[0].wav))
        await until(pilot, lambda: world.player.played == [file], "its file")


async def test_what_is_missing_is_said_and_its_place_gets_the_focus(make_app: Make) -> None:
    world = make_world()
    app = make_app(world)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app, world)
        await pilot.press("6")
        await until(pilot, lambda: "tokyo-4090/ATRI" in app.state.voice_assets)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: speak_screen(app).page == "words")
        await say(pilot, app, "はい。")
        await until(pilot, lambda: speak_screen(app).page == "pair", "the weights shown")
        assert takes(app) == [] and not any(call.startswith("speak") for call in world.calls)
        assert app.screen.query_one("#pair").display
        assert not app.screen.query_one("#words").display


async def test_a_refused_take_keeps_its_reason(make_app: Make) -> None:
    world = make_world()
    world.speech_problem = Problem("tui.notices.nothing_found", ExitCode.DATA, word="x")
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world, "6")
        await say(pilot, app, "…")
        await until(pilot, lambda: bool(takes(app)) and takes(app)[0].state == "failed")
        why = takes(app)[0].why
        assert why is not None and "x" in why.text.en
        listed = app.screen.query_one("#takes", DiffTable)
        await until(pilot, lambda: "Nothing found" in str(listed.get_row_at(0)), "why, in its row")
        app.screen.query_one("#takes", DiffTable).focus()
        await pilot.pause()
        assert "Nothing found" in str(app.screen.query_one("#help", Static).content)


async def test_references_are_heard_chosen_and_mixed_in(make_app: Make) -> None:
    world = make_world()
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world, "6")
        app.screen.query_one("#clips", DiffTable).focus()
        await pilot.press("j", "space")
        await until(pilot, lambda: bool(world.player.played), "the clip")
        assert world.player.played[0].name == "MIK_b101_031.wav"
        await pilot.press("enter", "j", "plus")
        session = speak_screen(app).form
        assert session.clip.endswith("031.wav") and session.aux_references == [
            "data/Mika/MIK_b101_007.wav"
        ]
        text = app.screen.query_one("#field-infer-ref_text Input", Input)
        await until(pilot, lambda: text.value == "高性能ですから、お任せください。")
        await pilot.press("k", "k")
        assert session.clip.endswith("031.wav")


async def test_an_own_recording_is_trimmed_and_uploaded(make_app: Make) -> None:
    world = make_world()
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world, "6")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, TrimReferenceScreen))
        path = app.screen.query_one("#path", Input)
        path.focus()
        path.value = "'/home/me/my voice.wav'"
        await pilot.press("enter")
        trim = app.screen.query_one("#trim", TrimBar)
        await until(pilot, lambda: trim.has_focus, "the outline")
        assert trim.window == (3.1, 9.1)
        await pilot.press("right", "right", "L", "left_square_bracket")
        assert trim.window == (2.8, 8.7)
        await pilot.press("ctrl+s")
        await until(
            pilot, lambda: "upload reference lab-a100 Mika my voice.wav 2.8-8.7" in world.calls
        )
        await until(
            pilot, lambda: speak_screen(app).form.clip == "lent/my voice.wav", "it is taken"
        )


async def test_read_only_lends_and_chooses_nothing_but_speaks(make_app: Make) -> None:
    world = make_world()
    app = make_app(world, read_only=True)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world, "6")
        await say(pilot, app, "はい。")
        await until(pilot, lambda: bool(takes(app)) and takes(app)[0].state == "done")
        await pilot.press("escape", "7")
        await until(pilot, lambda: isinstance(app.screen, AuditionScreen))
        await until(pilot, lambda: audition_screen(app).pair is not None)
        await pilot.press("enter")
        await until(
            pilot, lambda: any(n.text.en.startswith("Read-only") for n in app.state.notices)
        )
        assert not any(call.startswith("choose") for call in world.calls)


async def test_from_the_grid_to_votes_to_the_pair_the_pack_takes(make_app: Make) -> None:
    world = make_world()
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world, "7")
        await until(pilot, lambda: bool(app.state.auditions["lab-a100/Mika"].cells))
        shown = audition_screen(app)
        await until(
            pilot, lambda: shown.pair == ("Mika-e10.ckpt", "Mika_e12_s1680.pth"), "the best"
        )
        app.screen.query_one("#grid", PairTable).focus()
        await pilot.press("h", "j")
        assert shown.pair == ("Mika-e5.ckpt", "Mika_e16_s2240.pth")
        await pilot.press("space")
        await until(pilot, lambda: len(world.player.played) == 1)
        assert "Mika-e5.ckpt-Mika_e16" in world.player.played[0].name
        await pilot.press("t")
        await until(pilot, lambda: world.player.played[-1].name == "truth-s0.wav", "the recording")
        await pilot.press("b")
        await until(pilot, lambda: "base" in world.player.played[-1].name, "the base model")

        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, BlindVoteScreen))
        vote = app.screen
        assert isinstance(vote, BlindVoteScreen)
        a, b = vote.current_comparison.a, vote.current_comparison.b
        await until(pilot, lambda: world.player.playing == Path(str(a.wav)), "A")
        await until(pilot, lambda: vote._playing_side == "a")
        told = " ".join(str(one.content) for one in vote.query(Static))
        assert a.gpt not in told and "e10" not in told
        world.player.stop()
        await until(pilot, lambda: world.player.playing == Path(str(b.wav)), "B after A")
        await pilot.press("2")
        await until(pilot, lambda: world.votes == [(b.name, a.name)], "the vote")
        await pilot.press("0", "escape")
        await until(pilot, lambda: vote.finished, "the result")
        assert "Your votes: 1" in str(vote.query_one("#result", Static).content)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, AuditionScreen))
        assert app.state.auditions["lab-a100/Mika"].votes == 1

        await pilot.press("enter")
        chosen = ("Mika-e5.ckpt", "Mika_e16_s2240.pth")
        await until(pilot, lambda: app.state.auditions["lab-a100/Mika"].chosen == chosen)
        await pilot.press("6")
        await until(pilot, lambda: isinstance(app.screen, SpeakScreen))
        assert speak_screen(app).form.weight("gpt") == "Mika-e5.ckpt"


async def test_a_grid_can_wait_for_the_run_that_goes_on(make_app: Make) -> None:
    world = make_world()
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world, "7")
        going = [run for run in app.state.runs_of("lab-a100") if not run.ended]
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, NewAuditionScreen))
        assert not going and not app.screen.query("#when"), "nothing to wait for, nothing asked"
        await pilot.press("escape")
        app.controller.emit(JobSeen(JobStatus("lab-a100", "r9", "running", voice="Mika"), 1))
        await until(pilot, lambda: any(not run.ended for run in app.state.runs_of("lab-a100")))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(app.screen.query("#when")), "the question")
        app.screen.query_one("#when", OptionStepper).value = "after"
        app.screen.query_one("#pitch", OptionStepper).focus()
        await pilot.press("left", "left", "left")
        form = app.screen
        assert isinstance(form, NewAuditionScreen) and form.draft.pitch == -3.0
        await pilot.press("ctrl+s")
        await until(pilot, lambda: any(call.startswith("audition") for call in world.calls))
        assert next(c for c in world.calls if c.startswith("audition")).endswith(" queued")


async def test_a_new_grid_comes_cell_by_cell_and_can_be_stopped(make_app: Make) -> None:
    world = make_world()
    world.auditions.clear()
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world, "7")
        await until(pilot, lambda: app.screen.has_class("-empty"), "the empty state")
        await pilot.press("v")
        assert isinstance(app.screen, AuditionScreen)
        world.gate.clear()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, NewAuditionScreen))
        app.screen.query_one("#gpt", DiffTable).focus()
        await pilot.press("space")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.state.auditions["lab-a100/Mika"].running, "it runs")
        standings = app.screen.query_one("#standings", DiffTable)
        await until(
            pilot, lambda: str(standings.border_subtitle).startswith("v: once all"), "what v awaits"
        )
        wanted = "audition lab-a100 Mika Mika-e10.ckpt Mika-e15.ckpt Mika_e8"
        assert any(call.startswith(wanted) for call in world.calls)
        await until(pilot, lambda: len(app.state.auditions["lab-a100/Mika"].cells) == 1)
        await pilot.press("x")
        await until(pilot, lambda: not app.state.auditions["lab-a100/Mika"].running, "stopped")
        assert len(app.state.auditions["lab-a100/Mika"].cells) == 1


@pytest.mark.parametrize("shown", ["6", "7"])
async def test_the_screens_have_help_and_take_another_language_at_once(
    make_app: Make, shown: str
) -> None:
    world = make_world()
    app = make_app(world)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_mika(pilot, app, world, shown)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape", "f2")
        await until(pilot, lambda: app.language == "zh")
        name = "#takes" if shown == "6" else "#cells"

        def titles() -> set[str]:
            table = app.screen.query_one(name, DiffTable)
            return {str(column.label) for column in table.ordered_columns}

        await until(pilot, lambda: "时长" in titles(), "the Chinese titles")


def ended(app: SovdeckApp, count: int) -> bool:
    return len(takes(app)) == count and takes(app)[-1].ended


async def test_without_a_player_the_take_is_still_there_and_says_where(make_app: Make) -> None:
    world = make_world()
    world.player.problem = Problem("tui.playback.no_player", ExitCode.CONFIG, path="takes/x.wav")
    app = make_app(world)
    async with app.run_test(size=SIZE) as pilot:
        await at_mika(pilot, app, world, "6")
        for count in (1, 2):
            await say(pilot, app, "はい。")
            await until(pilot, partial(ended, app, count))
        await until(pilot, lambda: bool(app.state.notices), "the refusal")
        await pilot.pause()
        assert len(app.state.notices) == 1 and "takes/x.wav" in app.state.notices[0].text.en
        app.screen.query_one("#takes", DiffTable).focus()
        await pilot.pause()
        assert "takes/Mika-002.wav" in str(app.screen.query_one("#help", Static).content)
