"""Datasets for real: read and judged on this computer, pushed by content."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from engine.contract.dataset.check import Checked, check_clips
from engine.contract.dataset.items import read_items
from engine.contract.dataset.wav import measure_wav
from engine.contract.plan import PlanClip
from engine.contract.problem import ExitCode, Problem
from remote.recordings import gather
from remote.transfer.progress import Progress
from remote.transfer.push import push
from tui.moving import limit, tuning
from tui.services.protocols import Cancel, Emit
from tui.services.studios import Studios
from tui.services.telling import moved
from tui.state import events as ev
from tui.state.facts import Remark
from tui.state.work import DatasetProblem, DatasetReport, Transfer


@dataclass(frozen=True)
class Found:
    """A dataset folder: its list, and where its recordings lie (None: as the list says)."""

    list_file: Path
    wavs: Path | None

    @property
    def voice(self) -> str:
        return self.list_file.stem


class LiveDatasets:
    """Remembers the last check, so that a plan can be made from it."""

    def __init__(self, studios: Studios) -> None:
        self._studios = studios
        self._checked: dict[str, Checked] = {}

    def check(self, folder: Path, emit: Emit, cancel: Cancel) -> None:
        emit(ev.DatasetChecking(str(folder)))
        found = find_list(folder)
        checked = check_clips(read_items(found.list_file, found.wavs), measure_wav)
        self._checked[found.voice] = checked
        emit(ev.DatasetChecked(_report(folder, found, checked)))

    def push(self, server: str, folder: Path, emit: Emit, cancel: Cancel) -> None:
        found = find_list(folder)
        recordings = gather(found.voice, found.list_file, found.wavs)
        studio = self._studios.get(server)
        row = Transfer(f"push:{server}", "push", server, found.voice, total=recordings.bytes)

        def report(progress: Progress) -> None:
            nonlocal row
            row = moved(row, progress)
            emit(ev.TransferChanged(row))

        there = str(studio.layout().dataset(found.voice))
        try:
            push(
                studio.connect, recordings.files, there, report=report, cancel=cancel,
                bandwidth=limit(studio.config), tuning=tuning(studio.config),
            )  # fmt: skip
        except Problem:
            if cancel.is_set():
                return  # what arrived stays staged there; the next push goes on from it
            raise
        emit(ev.TransferChanged(_done(row)))

    def clips(self, voice: str) -> list[PlanClip]:
        """The clips of the last check of `voice`; Problem when there was none."""
        checked = self._checked.get(voice)
        if checked is None:
            raise Problem("tui.dataset.not_checked", ExitCode.DATA, voice=voice)
        return [PlanClip(facts.seconds) for facts in checked.facts.values()]


def find_list(folder: Path) -> Found:
    """The one .list of a folder (or the list itself), and its recordings."""
    if folder.is_file():
        lists, folder = [folder], folder.parent
    else:
        lists = sorted(folder.glob("*.list"))
    if len(lists) != 1:
        raise Problem("tui.dataset.no_list", ExitCode.DATA, folder=str(folder), count=len(lists))
    wavs = next((p for p in (folder / "wavs", folder / "wav") if p.is_dir()), None)
    return Found(lists[0], wavs)


def _report(folder: Path, found: Found, checked: Checked) -> DatasetReport:
    manifest = checked.manifest
    languages: dict[str, int] = {}
    for item in manifest.items:
        languages[item.language] = languages.get(item.language, 0) + 1
    problems = [_problem(problem, "bad") for problem in manifest.problems]
    problems += [_problem(note, "note") for note in manifest.notes]
    sizes = sum(item.wav.stat().st_size for item in manifest.items)
    seconds = sum(facts.seconds for facts in checked.facts.values())
    return DatasetReport(
        str(folder), found.list_file.name, found.voice, len(manifest.items),
        seconds if checked.facts else None, sizes, languages, tuple(problems),
    )  # fmt: skip


def _problem(problem: Problem, level: str) -> DatasetProblem:
    where = f"{problem.facts.get('file', '')}:{problem.facts.get('line', '')}".strip(":")
    return DatasetProblem(where, Remark(level, problem.message, problem.hint))  # type: ignore[arg-type]


def _done(row: Transfer) -> Transfer:
    # A push verifies every file on the server before it gets its name there.
    return replace(row, state="done", phase="", verified=True, done=row.total or row.done)
