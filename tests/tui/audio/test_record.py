"""Recording from a microphone, here the sound library's null device: silence in real time."""

from __future__ import annotations

import threading
import wave
from array import array
from pathlib import Path

import miniaudio
import pytest

from sovdeck.engine.contract.problem import Problem
from sovdeck.tui.audio.record import (
    SILENT_DB,
    Microphone,
    RecordingLevel,
    choose_microphone,
    list_microphones,
    measure_level,
    record,
)

NULL = [miniaudio.Backend.NULL]


def test_a_recording_ends_at_its_longest_and_tells_its_level(tmp_path: Path) -> None:
    (microphone,) = list_microphones(NULL)
    levels: list[RecordingLevel] = []
    target = tmp_path / "new" / "mine.wav"
    seconds = record(
        target, microphone, threading.Event(), levels.append, longest=3.2, backends=NULL
    )
    assert seconds == pytest.approx(3.2)
    with wave.open(str(target)) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, 48_000)
        assert file.getnframes() == round(3.2 * 48_000)
    assert len(levels) > 20 and levels[0].seconds < levels[-1].seconds == pytest.approx(3.2)
    assert {one.level_db for one in levels} == {SILENT_DB}


def test_one_that_is_stopped_too_early_is_not_kept(tmp_path: Path) -> None:
    stop = threading.Event()
    with pytest.raises(Problem) as short:
        record(
            tmp_path / "x.wav",
            Microphone("null"),
            stop,
            lambda level: stop.set() if level.seconds > 0.2 else None,
            backends=NULL,
        )
    assert short.value.key == "tui.record.too_short" and not (tmp_path / "x.wav").exists()


def test_a_microphone_is_chosen_by_a_part_of_its_name() -> None:
    both = [Microphone("Built-in"), Microphone("USB Headset")]
    assert choose_microphone(both).name == "Built-in"
    assert choose_microphone(both, "headset").name == "USB Headset"
    with pytest.raises(Problem) as unknown:
        choose_microphone(both, "studio")
    assert "Built-in, USB Headset" in unknown.value.message.en


def test_a_computer_without_a_microphone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(miniaudio.Devices, "get_captures", lambda self: [])
    with pytest.raises(Problem) as none:
        list_microphones()
    assert none.value.key == "tui.record.no_microphone"


def test_a_level_is_decibels_below_full_scale() -> None:
    assert measure_level(array("h")) == measure_level(array("h", [0, 0])) == SILENT_DB
    assert measure_level(array("h", [-32768] * 4)) == pytest.approx(0.0)
    assert measure_level(array("h", [3277, -3277])) == pytest.approx(-20.0, abs=0.01)
