"""Playing a file: the first way that works, one at a time, silent on the terminal."""

from __future__ import annotations

import stat
import struct
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from pilot_waits import until

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.audio import play_file
from sovdeck.tui.audio.player import ChildPlayer, PlayerCommand, player_commands
from sovdeck.tui.dashboard.app import SovdeckApp
from sovdeck.tui.dashboard.background_tasks import BackgroundTasks
from sovdeck.tui.dashboard.playback_queue import PlaybackQueue
from sovdeck.tui.services.fakes.player import FakePlayer
from sovdeck.tui.services.fakes.world import FakeWorld
from sovdeck.tui.state import commands as ui_commands

ROOT = Path(__file__).resolve().parents[3]
FAILS = PlayerCommand((sys.executable, "-c", "raise SystemExit(1)"), reports_ready=True)
SOUNDS = PlayerCommand(
    (sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"),
    reports_ready=True,
)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "一 clip.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(struct.pack("<400h", *range(400)))
    return path


def test_the_next_way_is_taken_when_one_fails(clip: Path) -> None:
    player = ChildPlayer({clip: (FAILS, SOUNDS)})
    player.play(clip)
    assert player.playing == clip
    player.stop()
    assert player.playing is None


def test_a_new_file_ends_the_old_one(clip: Path) -> None:
    other = clip.with_name("other.wav")
    other.write_bytes(clip.read_bytes())
    player = ChildPlayer({clip: (SOUNDS,), other: (SOUNDS,)})
    player.play(clip)
    first = player._process
    player.play(other)
    assert player.playing == other and first is not None and first.poll() is not None
    player.stop()


def test_it_falls_silent_by_itself(clip: Path) -> None:
    over = PlayerCommand((sys.executable, "-c", "print('ready')"), reports_ready=True)
    player = ChildPlayer({clip: (over,)})
    player.play(clip)
    assert player._process is not None
    player._process.wait()
    assert player.playing is None


def test_where_nothing_can_play_the_file_is_named(clip: Path) -> None:
    with pytest.raises(Problem) as caught:
        ChildPlayer({clip: (FAILS, FAILS)}).play(clip)
    assert str(clip) in caught.value.sentence() and caught.value.hint.zh


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="not there"):
        ChildPlayer().play(tmp_path / "none.wav")


def test_native_players_are_looked_for_on_the_path(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "paplay"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tool.parent))
    ways = [way.argv for way in player_commands(clip, "linux")]
    assert ways[0][0] == sys.executable and ways[1:] == [(str(tool), str(clip))]


def test_a_path_never_becomes_part_of_a_command_on_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"C:/{name}")
    native = list(player_commands(Path("$(evil).wav"), "win32"))[1]
    assert not any("evil" in part for part in native.argv)


def test_a_computer_without_sound_writes_nothing_on_the_terminal(tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    program = (
        "import sys; from pathlib import Path; from sovdeck.tui.audio.player import ChildPlayer\n"
        "from sovdeck.engine.contract.problem import Problem\n"
        "try: ChildPlayer().play(Path(sys.argv[1]))\n"
        "except Problem: raise SystemExit(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(broken)], capture_output=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, b"", b"")


class Device:
    """Takes samples as a sound card would, at once."""

    backend = "Test"
    heard: ClassVar[int] = 0

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None: ...

    def start(self, source: object) -> None:
        self.taken = 0
        try:
            while True:
                self.taken += len(source.send(100)) // 2  # type: ignore[attr-defined]
        except StopIteration:
            Device.heard = self.taken


def test_every_sample_reaches_the_device_once(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    import miniaudio

    monkeypatch.setattr(miniaudio, "PlaybackDevice", Device)
    monkeypatch.setattr(sys, "argv", ["play_file", str(clip)])
    assert play_file.main() == 0
    assert pytest.approx(400 * 44100 / 8000, abs=60) == Device.heard
    assert capfdbinary.readouterr().out.strip() == play_file.READY


async def test_the_dashboard_knows_what_sounds(
    make_app: Callable[..., SovdeckApp], world: FakeWorld
) -> None:
    app = make_app(world)
    async with app.run_test() as pilot:
        app.controller.handle(ui_commands.PlaySound(Path("a.wav")))
        await until(pilot, lambda: app.state.playing == Path("a.wav"), "the sound")
        app.controller.handle(ui_commands.StopSound())
        await until(pilot, lambda: app.state.playing is None, "silence")
        world.player.problem = Problem("tui.playback.no_player", ExitCode.CONFIG, path="a.wav")
        app.controller.handle(ui_commands.PlaySound(Path("a.wav")))
        await until(pilot, lambda: bool(app.state.notices), "the reason")
    assert world.player.played == [Path("a.wav")]


def test_where_nothing_plays_a_blind_vote_does_not_name_the_pair(tmp_path: Path) -> None:
    wav = tmp_path / "cell-Mika-e10-Mika_e8.wav"
    wav.write_bytes(b"RIFF")
    player = FakePlayer()
    player.problem = Problem("tui.playback.no_player", ExitCode.CONFIG, path=str(wav))
    refused: list[Problem] = []
    jobs = BackgroundTasks(lambda event: None, refused.append, lambda *crash: None)
    playback = PlaybackQueue(jobs, player)
    for _ in range(2):
        playback.play(wav, automatic=True, alias="A")
        while jobs.is_running("sound"):
            pass
    assert len(refused) == 1, "said once"
    (copy,) = (
        Path(part.strip(".")) for part in refused[0].message.en.split() if "sovdeck-" in part
    )
    assert copy.name == "A.wav" and "Mika" not in refused[0].sentence("en")
    assert copy.read_bytes() == b"RIFF"
    playback.close()
    assert not copy.exists()
