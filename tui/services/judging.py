"""A dataset's list, judged: what the dashboard shows of a check. No network, no screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.contract.dataset.check import Checked, Measure, check_clips
from engine.contract.dataset.edits import Edit, lines_of
from engine.contract.dataset.items import Manifest, read_items
from engine.contract.dataset.report import make_report
from engine.contract.problem import ExitCode, Problem
from tui.state.work import DatasetReport


@dataclass(frozen=True)
class Found:
    """A dataset folder: its list, and where its recordings lie (None: as the list says)."""

    folder: Path
    list_file: Path
    wavs: Path | None

    @property
    def voice(self) -> str:
        return self.list_file.stem


def find_list(folder: Path) -> Found:
    """The one .list of a folder (or the list itself), and its recordings."""
    if folder.is_file():
        lists, inside = [folder], folder.parent
    else:
        lists, inside = sorted(folder.glob("*.list")), folder
    if len(lists) != 1:
        raise Problem("tui.dataset.no_list", ExitCode.DATA, folder=str(folder), count=len(lists))
    wavs = next((p for p in (inside / "wavs", inside / "wav") if p.is_dir()), None)
    return Found(folder, lists[0], wavs)


def judge(found: Found, measure: Measure, edits: tuple[Edit, ...]) -> DatasetReport:
    """Read and judge the list of `found`; Problem when the list cannot be read."""
    manifest = read_items(found.list_file, found.wavs)
    lines = lines_of(found.list_file.read_bytes())
    size = sum(item.wav.stat().st_size for item in manifest.items)
    return judged(found, manifest, check_clips(manifest, measure), lines, size, edits)


def judged(
    found: Found, manifest: Manifest, checked: Checked, lines: dict[int, str], size: int,
    edits: tuple[Edit, ...] = (),
) -> DatasetReport:  # fmt: skip
    """The report of a list that was read as `manifest`; `checked` has what is left of it."""
    left = {item.line for item in checked.manifest.items}
    dropped = {item.line: item for item in manifest.items if item.line not in left}
    return DatasetReport(
        str(found.folder), str(found.list_file), found.voice, size, checked,
        make_report(checked), lines, dropped, edits,
    )  # fmt: skip
