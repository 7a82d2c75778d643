"""A dataset on the laptop: the list and every recording it names, and how they are pushed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sovdeck.engine.contract.dataset.check import CheckedDataset, MeasureFile, check_clips
from sovdeck.engine.contract.dataset.edits import numbered_lines
from sovdeck.engine.contract.dataset.foreign_files import read_local_list
from sovdeck.engine.contract.dataset.items import DatasetItem, clean_path
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.servers.deployed_server import DeployedServer
from sovdeck.remote.transfer.upload.push import PushResult, push
from sovdeck.remote.voices.transfer_options import TransferOptions


@dataclass(frozen=True)
class LocalRecordings:
    """A checked dataset to push. files: local recording by its path below data/VOICE there."""

    voice: str
    list_file: Path
    checked: CheckedDataset
    files: dict[str, Path]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """One for each line of the list that cannot be used."""
        return self.checked.manifest.problems

    @property
    def bytes(self) -> int:
        """Size of all recordings."""
        return sum(path.stat().st_size for path in self.files.values())


def select_recordings(voice: str, checked: CheckedDataset) -> LocalRecordings:
    """The usable recordings of a checked list; Problem when there is none."""
    manifest = checked.manifest
    if not manifest.items:
        first = manifest.problems[0].message if manifest.problems else ""
        path = str(manifest.source)
        raise Problem("remote.config.empty_dataset", ExitCode.DATA, path=path, why=first)
    files = {f"wavs/{item.name}": item.wav for item in manifest.items}
    return LocalRecordings(voice, manifest.source, checked, files)


def read_recordings(
    voice: str, list_file: Path, wavs: Path | None, measure: MeasureFile
) -> LocalRecordings:
    """Read and check a list; Problem when it cannot be read or names nothing usable."""
    return select_recordings(voice, check_clips(read_local_list(list_file, wavs), measure))


def push_recordings(
    server: DeployedServer, recordings: LocalRecordings, options: TransferOptions
) -> PushResult:
    """Upload what the server lacks of a dataset, verified there."""
    with _list_to_send(recordings) as list_file:
        return push(
            server.connect,
            {**recordings.files, list_filename(recordings.voice): list_file},
            str(server.require_deployment().layout.dataset(recordings.voice)),
            report=options.report,
            cancel=options.cancel,
            bandwidth=options.bandwidth,
            tuning=options.tuning,
        )


@contextmanager
def _list_to_send(recordings: LocalRecordings) -> Iterator[Path]:
    """The list as the server shall read it.

    That is the file itself, unless lines cannot be used or files of one name lie in several
    folders: then a copy, in which such lines are empty and names differ. Line numbers stay.
    """
    items = {item.line: item for item in recordings.checked.manifest.items}
    lines = numbered_lines(recordings.list_file.read_bytes())
    if lines.keys() == items.keys() and not any(
        _is_renamed(lines[number], item) for number, item in items.items()
    ):
        yield recordings.list_file
        return
    last = max(items)
    rows = (
        _line_of(lines[number], items[number]) if number in items else ""
        for number in range(1, last + 1)
    )
    with TemporaryDirectory(prefix="sovdeck-") as folder:
        copy = Path(folder) / list_filename(recordings.voice)
        copy.write_text("".join(f"{row}\n" for row in rows), "utf-8", newline="")
        yield copy


def _is_renamed(line: str, item: DatasetItem) -> bool:
    return clean_path(line.partition("|")[0]).rsplit("/", 1)[-1] != item.name


def _line_of(line: str, item: DatasetItem) -> str:
    return f"{item.name}|{line.partition('|')[2]}" if _is_renamed(line, item) else line


def list_filename(voice: str) -> str:
    """The name of a voice's list file on the server."""
    return f"{voice}.list"


def remote_dataset_paths(layout: Layout, voice: str) -> tuple[str, str]:
    """(list file, wav folder) of a pushed dataset, relative to the work folder as specs want."""
    base = layout.dataset(voice).relative_to(layout.work)
    return str(base / list_filename(voice)), str(base / "wavs")
