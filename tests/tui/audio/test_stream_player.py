"""Sound is played while it is spoken, by the first program that can."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sovdeck.tui.audio.player import PlayerCommand
from sovdeck.tui.audio.stream_player import StreamPlayer, stream_commands

FAILS = PlayerCommand((sys.executable, "-c", "raise SystemExit(1)"), reports_ready=True)
KEEPS = """
import sys
print('ready', flush=True)
with open(sys.argv[1], 'wb') as kept:
    while data := sys.stdin.buffer.read1():
        kept.write(data)
        kept.flush()
"""


def keeping(path: Path, code: str = KEEPS) -> PlayerCommand:
    return PlayerCommand((sys.executable, "-c", code, str(path)), reports_ready=True)


def test_samples_reach_the_first_player_that_works_before_the_end(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with StreamPlayer(32_000, (FAILS, keeping(kept))) as player:
        player.write(b"one ")
        while not kept.is_file() or kept.read_bytes() != b"one ":
            assert player._thread is not None and player._thread.is_alive()
        player.write(b"two")
        assert player.finish()
    assert kept.read_bytes() == b"one two"


def test_where_nothing_plays_the_take_goes_on_and_it_is_said() -> None:
    with StreamPlayer(32_000, (FAILS,)) as player:
        for _ in range(100):
            player.write(b"\0" * 20_000)
        assert not player.finish()


def test_a_player_that_dies_has_not_played(tmp_path: Path) -> None:
    dies = keeping(tmp_path / "kept", "print('ready', flush=True); raise SystemExit(3)")
    with StreamPlayer(32_000, (dies,)) as player:
        for _ in range(100):
            player.write(b"\0" * 20_000)
        assert not player.finish()


def test_no_sound_at_all_is_nothing_to_wait_for(tmp_path: Path) -> None:
    with StreamPlayer(32_000, (keeping(tmp_path / "kept"),)) as player:
        assert not player.finish()


def test_an_error_meanwhile_ends_the_player(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError),
        StreamPlayer(32_000, (keeping(tmp_path / "kept"),)) as player,
    ):
        player.write(b"one ")
        while player._process is None or not (tmp_path / "kept").is_file():
            pass
        raise RuntimeError
    process = player._process
    assert process is not None and process.poll() is not None


def test_ours_is_tried_first_by_its_file() -> None:
    first = next(iter(stream_commands(32_000)))
    assert first.argv[1] == "-P" and first.argv[3] == "32000" and first.reports_ready
    assert Path(first.argv[2]).is_file()
