"""The dashboard's dataset service on real files: check, correct, undo, with a backup."""

from __future__ import annotations

import math
import struct
import threading
import wave
from pathlib import Path

import pytest

from engine.contract.dataset.edits import Edit, with_text
from engine.contract.problem import Problem
from remote.config.places import Places
from tui.services.live_datasets import LiveDatasets
from tui.services.studios import Studios
from tui.state import events as ev
from tui.state.work import DatasetReport

LINE = "wavs/{n}.wav|mei|en|these are some words\r\n"


def tone(path: Path, seconds: float = 1.5) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        count = int(16000 * seconds)
        samples = (int(8000 * math.sin(n / 9)) for n in range(count))
        file.writeframes(struct.pack(f"<{count}h", *samples))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "data" / "Mei"
    (inside / "wavs").mkdir(parents=True)
    for n in range(4):
        tone(inside / "wavs" / f"{n}.wav")
    (inside / "Mei.list").write_text("".join(LINE.format(n=n) for n in range(5)), newline="")
    return inside


@pytest.fixture
def datasets(tmp_path: Path) -> LiveDatasets:
    return LiveDatasets(Studios(None, Places(tmp_path / "config", tmp_path / "home")))


def heard(work: object, *arguments: object) -> list[ev.StoreEvent]:
    told: list[ev.StoreEvent] = []
    work(*arguments, told.append, threading.Event())  # type: ignore[operator]
    return told


def report_of(told: list[ev.StoreEvent]) -> DatasetReport:
    assert isinstance(told[-1], ev.DatasetChecked)
    return told[-1].report


def test_a_missing_recording_is_left_out_and_the_rest_measured(
    datasets: LiveDatasets, folder: Path
) -> None:
    report = report_of(heard(datasets.check, folder))
    assert report.worth.clips == 4 and len(report.worth.problems) == 1
    assert report.lines[5].startswith("wavs/4.wav")
    assert [clip.seconds for clip in datasets.clips("Mei")] == [1.5] * 4


def test_a_correction_is_on_disk_can_be_undone_and_leaves_a_backup(
    datasets: LiveDatasets, folder: Path
) -> None:
    source = folder / "Mei.list"
    first = source.read_bytes()
    report = report_of(heard(datasets.check, folder))
    edit = Edit(2, report.lines[2], with_text(report.lines[2], "other words"))
    report = report_of(heard(datasets.edit, folder, edit))
    assert report.edits == (edit,) and report.lines[2].endswith("|other words")
    assert source.read_bytes() == first.replace(
        LINE.format(n=1).encode(), b"wavs/1.wav|mei|en|other words\r\n"
    )
    assert datasets.backup(source).read_bytes() == first
    assert report_of(heard(datasets.undo, folder)).edits == ()
    assert source.read_bytes() == first
    with pytest.raises(Problem, match="no correction"):
        heard(datasets.undo, folder)


def test_only_changed_recordings_are_measured_again(
    datasets: LiveDatasets, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui.services import live_datasets

    heard(datasets.check, folder)
    looked: list[str] = []
    real = live_datasets.measure_wav
    monkeypatch.setattr(
        live_datasets, "measure_wav", lambda path: (looked.append(path.name), real(path))[1]
    )
    tone(folder / "wavs" / "2.wav", 2.0)
    report = report_of(heard(datasets.check, folder))
    assert looked == ["2.wav"] and report.worth.seconds == pytest.approx(6.5)


def test_a_folder_without_a_list_is_refused_in_words(
    datasets: LiveDatasets, tmp_path: Path
) -> None:
    told = heard(datasets.check, tmp_path)
    assert isinstance(told[-1], ev.DatasetRefused) and "0 .list" in told[-1].why.text.en


def test_a_cancelled_check_tells_no_result(datasets: LiveDatasets, folder: Path) -> None:
    told: list[ev.StoreEvent] = []
    cancel = threading.Event()
    cancel.set()
    datasets.check(folder, told.append, cancel)
    assert not any(isinstance(event, ev.DatasetChecked) for event in told)
    with pytest.raises(Problem):
        datasets.clips("Mei")


def test_a_recording_is_outlined_over_its_whole_length(
    datasets: LiveDatasets, tmp_path: Path
) -> None:
    clip = tmp_path / "half.wav"
    with wave.open(str(clip), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        quiet, loud = (0, 0) * 8000, (16384, -32768) * 8000
        file.writeframes(struct.pack("<32000h", *quiet, *loud))
    told = heard(datasets.outline, clip)
    assert isinstance(told[0], ev.ClipOutlined) and told[0].seconds == 2.0
    half = len(told[0].peaks) // 2
    assert set(told[0].peaks[:half]) == {0.0} and set(told[0].peaks[half:]) == {1.0}


def test_a_damaged_recording_has_no_outline_and_no_complaint_of_its_own(
    datasets: LiveDatasets, tmp_path: Path
) -> None:
    clip = tmp_path / "broken.wav"
    clip.write_bytes(b"RIFF")
    assert heard(datasets.outline, clip) == [ev.ClipOutlined(clip)]
