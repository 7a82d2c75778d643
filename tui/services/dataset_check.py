"""Finds and checks a dataset's list: the report that the dashboard shows. No network, no screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sovdeck.engine.contract.dataset.check import CheckedDataset, MeasureFile, check_clips
from sovdeck.engine.contract.dataset.edits import LineEdit, numbered_lines
from sovdeck.engine.contract.dataset.foreign_files import read_local_list
from sovdeck.engine.contract.dataset.items import DatasetManifest, clean_transcript, find_lists
from sovdeck.engine.contract.dataset.recordings import AUDIO_SUFFIXES, find_recordings
from sovdeck.engine.contract.dataset.report import make_report, update_report
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.tui.state.models import BareRecordingsRow, DatasetReport


@dataclass(frozen=True)
class DatasetFiles:
    """A dataset: what was chosen, its list, and its recordings (None: where they are found)."""

    folder: Path
    list_file: Path
    wavs: Path | None

    @property
    def voice(self) -> str:
        """The voice, named after the list file."""
        return self.list_file.stem


def find_dataset(chosen: Path, wavs: Path | None = None) -> DatasetFiles | BareRecordingsRow:
    """The one list of a folder (or the list itself), or the recordings that have none.

    `wavs` is the folder of the recordings, where a person had to name it. Problem when there is
    neither, or more than one list.
    """
    if chosen.is_file() and chosen.suffix.lower() not in AUDIO_SUFFIXES:
        return DatasetFiles(chosen, chosen, wavs)
    lists = find_lists(chosen) if chosen.is_dir() else ()
    if len(lists) == 1:
        beside = chosen if lists[0].parent != chosen else None
        return DatasetFiles(chosen, lists[0], wavs or beside)
    if not lists and chosen.exists():
        files = [chosen] if chosen.is_file() else find_recordings(chosen)
        if files:
            return BareRecordingsRow(
                str(chosen), len(files), sum(path.stat().st_size for path in files)
            )
    facts = {"folder": str(chosen), "count": len(lists)}
    raise Problem("tui.dataset.no_list" if lists else "tui.dataset.nothing", ExitCode.DATA, **facts)


def check_dataset(
    files: DatasetFiles,
    measure: MeasureFile,
    edits: tuple[LineEdit, ...],
    prepare: Callable[[DatasetManifest], None] = lambda manifest: None,
) -> DatasetReport:
    """Read and check the list of `files`; Problem when the list cannot be read.

    prepare: called with what was read before the first recording is measured.
    """
    manifest = read_local_list(files.list_file, files.wavs)
    prepare(manifest)
    lines = numbered_lines(files.list_file.read_bytes())
    size = sum(item.wav.stat().st_size for item in manifest.items)
    return make_dataset_report(files, manifest, check_clips(manifest, measure), lines, size, edits)


def check_edited_line(
    before: DatasetReport, edit: LineEdit, edits: tuple[LineEdit, ...]
) -> DatasetReport | None:
    """The report `before` after `edit` changed the transcript of a usable line.

    None where it changed more, for example which recording is meant: then all is checked again.
    """
    manifest = before.checked.manifest
    fields, old_fields = edit.after.split("|"), edit.before.split("|")
    text = clean_transcript(fields[-1])
    index = next((i for i, item in enumerate(manifest.items) if item.line == edit.line), None)
    if index is None or not text or len(fields) != 4 or fields[:3] != old_fields[:3]:
        return None
    edited = replace(manifest.items[index], text=text)
    items = (*manifest.items[:index], edited, *manifest.items[index + 1 :])
    checked = replace(before.checked, manifest=replace(manifest, items=items))
    return replace(
        before,
        checked=checked,
        quality=update_report(before.quality, checked, manifest.items[index]),
        lines={**before.lines, edit.line: edit.after},
        edits=edits,
    )


def make_dataset_report(
    files: DatasetFiles,
    manifest: DatasetManifest,
    checked: CheckedDataset,
    lines: dict[int, str],
    size: int,
    edits: tuple[LineEdit, ...] = (),
) -> DatasetReport:
    """The report of a list that was read as `manifest`; `checked` has the usable items."""
    kept_lines = {item.line for item in checked.manifest.items}
    dropped = {item.line: item for item in manifest.items if item.line not in kept_lines}
    return DatasetReport(
        str(files.folder),
        str(files.list_file),
        files.voice,
        size,
        checked,
        make_report(checked),
        lines,
        dropped,
        edits,
    )
