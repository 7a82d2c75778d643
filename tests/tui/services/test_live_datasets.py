"""The dashboard's dataset service on real files: check, correct, undo, with a backup."""

from __future__ import annotations

import math
import struct
import threading
import wave
from pathlib import Path

import pytest

from sovdeck.engine.contract.dataset.edits import LineEdit, replace_transcript
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.config.paths import AppPaths
from sovdeck.tui.services import dataset_check
from sovdeck.tui.services.connections import ConnectionRegistry
from sovdeck.tui.services.live.datasets import LiveDatasets
from sovdeck.tui.state import events as ev
from sovdeck.tui.state.models import DatasetReport

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
    return LiveDatasets(ConnectionRegistry(None, AppPaths.below(tmp_path)))


def heard(work: object, *arguments: object) -> list[ev.StoreEvent]:
    reported: list[ev.StoreEvent] = []
    work(*arguments, reported.append, threading.Event())  # type: ignore[operator]
    return reported


def report_of(reported: list[ev.StoreEvent]) -> DatasetReport:
    assert isinstance(reported[-1], ev.DatasetChecked)
    return reported[-1].report


def test_a_missing_recording_is_left_out_and_the_rest_measured(
    datasets: LiveDatasets, folder: Path
) -> None:
    report = report_of(heard(datasets.check, folder, None))
    assert report.quality.clips == 4 and len(report.quality.problems) == 1
    assert report.lines[5].startswith("wavs/4.wav")
    assert [clip.seconds for clip in datasets.clips("Mei")] == [1.5] * 4


def test_a_correction_is_on_disk_can_be_undone_and_leaves_a_backup(
    datasets: LiveDatasets, folder: Path
) -> None:
    source = folder / "Mei.list"
    first = source.read_bytes()
    report = report_of(heard(datasets.check, folder, None))
    edit = LineEdit(2, report.lines[2], replace_transcript(report.lines[2], "other words"))
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


def test_a_corrected_word_costs_no_new_look_at_the_other_lines(
    datasets: LiveDatasets, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = report_of(heard(datasets.check, folder, None))
    edit = LineEdit(2, first.lines[2], replace_transcript(first.lines[2], "тепер other words"))
    with monkeypatch.context() as blind:
        blind.setattr(dataset_check, "read_local_list", None)
        edited = report_of(heard(datasets.edit, folder, edit))
        undone = report_of(heard(datasets.undo, folder))
    fresh = LiveDatasets(ConnectionRegistry(None, AppPaths.below(folder / "other")))
    assert told(undone) == told(first) == told(report_of(heard(fresh.check, folder, None)))
    heard(fresh.edit, folder, edit)
    whole = report_of(heard(fresh.check, folder, None))
    assert told(edited) == told(whole) and told(edited)[0] != told(first)[0]


def told(report: DatasetReport) -> tuple[object, ...]:
    """All that a report shows, in values that compare."""
    items = report.checked.manifest.items
    return report.quality.as_json(), items, report.lines, report.dropped, report.edits


@pytest.mark.parametrize("more", ["another file", "another line changed"])
def test_an_edit_that_changes_more_is_checked_whole(
    datasets: LiveDatasets, folder: Path, more: str
) -> None:
    source = folder / "Mei.list"
    first = report_of(heard(datasets.check, folder, None))
    after = first.lines[2].replace("these", "those")
    if more == "another file":
        after = after.replace("1.wav", "none.wav")
    else:
        source.write_bytes(source.read_bytes().replace(b"wavs/3.wav", b"wavs/x.wav"))
    report = report_of(heard(datasets.edit, folder, LineEdit(2, first.lines[2], after)))
    assert report.quality.clips == 3 and len(report.quality.problems) == 2


def test_only_changed_recordings_are_measured_again(
    datasets: LiveDatasets, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard(datasets.check, folder, None)
    looked: list[str] = []
    real = datasets._clips._measure
    monkeypatch.setattr(
        datasets._clips, "_measure", lambda path: (looked.append(path.name), real(path))[1]
    )
    tone(folder / "wavs" / "2.wav", 2.0)
    report = report_of(heard(datasets.check, folder, None))
    assert looked == ["2.wav"] and report.quality.seconds == pytest.approx(6.5)


def test_a_folder_without_a_list_is_refused_in_words(
    datasets: LiveDatasets, tmp_path: Path
) -> None:
    reported = heard(datasets.check, tmp_path, None)
    assert (
        isinstance(reported[-1], ev.DatasetUnreadable)
        and "neither a list nor" in reported[-1].why.text.en
    )


def test_a_cancelled_check_tells_no_result(datasets: LiveDatasets, folder: Path) -> None:
    reported: list[ev.StoreEvent] = []
    cancel = threading.Event()
    cancel.set()
    datasets.check(folder, None, reported.append, cancel)
    assert not any(isinstance(event, ev.DatasetChecked) for event in reported)
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
    reported = heard(datasets.read_waveform, clip)
    assert isinstance(reported[0], ev.WaveformRead) and reported[0].seconds == 2.0
    half = len(reported[0].peaks) // 2
    assert set(reported[0].peaks[:half]) == {0.0} and set(reported[0].peaks[half:]) == {1.0}


def test_a_damaged_recording_has_no_outline_and_no_complaint_of_its_own(
    datasets: LiveDatasets, tmp_path: Path
) -> None:
    clip = tmp_path / "broken.wav"
    clip.write_bytes(b"RIFF")
    assert heard(datasets.read_waveform, clip) == [ev.WaveformRead(clip)]
