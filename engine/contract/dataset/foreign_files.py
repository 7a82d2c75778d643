"""Files that a list names and that are none of its recordings: a list may come from anyone.

Whoever pushes such a list would send a key or a password file to the server, which it only has to
name. So a file counts as a recording only below a folder of recordings, links followed, and only
when it begins as a sound file does.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sovdeck.engine.contract.dataset.items import DatasetItem, DatasetManifest, read_dataset_list
from sovdeck.engine.contract.dataset.measure import sound_format
from sovdeck.engine.contract.problem import ExitCode, Problem

_HEAD_BYTES = 12


def read_local_list(source: Path, wav_folder: Path | None = None) -> DatasetManifest:
    """Read a list of this computer as `read_dataset_list` does, without foreign files."""
    return refuse_foreign_files(read_dataset_list(source, wav_folder), wav_folder)


def refuse_foreign_files(manifest: DatasetManifest, wav_folder: Path | None) -> DatasetManifest:
    """Return the manifest without items whose file is no recording of it; these are problems.

    wav_folder: where the person says the recordings are; the list's own folder counts always.
    """
    folders = [manifest.source.parent, *([wav_folder] if wav_folder is not None else [])]
    roots = [folder.resolve() for folder in folders]
    items, problems = [], list(manifest.problems)
    for item in manifest.items:
        problem = _find_problem(item, roots, manifest.source.name)
        if problem is None:
            items.append(item)
        else:
            problems.append(problem)
    return replace(manifest, items=tuple(items), problems=tuple(problems))


def _find_problem(item: DatasetItem, roots: list[Path], list_name: str) -> Problem | None:
    try:
        real = item.wav.resolve(strict=True)
        inside = any(real.is_relative_to(root) for root in roots)
        # Not a pipe or a device: to open one may wait for ever.
        sound = inside and real.is_file() and _is_sound(real)
    except (OSError, RuntimeError):  # RuntimeError: a circle of links
        inside = sound = False
    if sound:
        return None
    facts = {"file": list_name, "line": item.line, "wav": str(item.wav)}
    return Problem(f"engine.data.{'no_sound' if inside else 'outside'}", ExitCode.DATA, **facts)


def _is_sound(path: Path) -> bool:
    """Whether a file begins as a sound file does."""
    with path.open("rb") as file:
        return sound_format(file.read(_HEAD_BYTES)) is not None
