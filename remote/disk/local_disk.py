"""Lists what sovdeck keeps on this computer, and removes what a person chose."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.disk.items import DiskItem, Kind, Mark
from sovdeck.remote.speech.takes import TAKES
from sovdeck.remote.voices.listing import CHECKPOINTS_FOLDER


def list_local_disk(outputs: Path, app_paths: AppPaths) -> tuple[DiskItem, ...]:
    """Saves and takes of each voice, half downloads and caches; finished voices are not listed."""
    groups: tuple[tuple[Kind, Path, str, Mark], ...] = (
        ("saves", outputs / CHECKPOINTS_FOLDER, "*", "only_copy"),
        ("takes", outputs, f"*/{TAKES}", "only_copy"),
        ("caches", app_paths.cache_folder, "*", "safe"),
    )
    found = [
        _item(kind, path, mark)
        for kind, folder, pattern, mark in groups
        for path in sorted(folder.glob(pattern))
    ]
    found += [_item("halves", path, "resume") for path in sorted(_half_downloads(outputs))]
    return tuple(found)


def remove_here(chosen: Sequence[DiskItem]) -> tuple[DiskItem, ...]:
    """Remove the chosen items; Problem `local` for the first that this computer refuses."""
    for item in chosen:
        path = Path(item.path)
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise Problem(
                "remote.disk.local", ExitCode.CONFIG, path=path, why=error.strerror or str(error)
            ) from error
    return tuple(chosen)


def _half_downloads(outputs: Path) -> Iterator[Path]:
    for path in outputs.rglob("*.part") if outputs.is_dir() else ():
        yield path
        journal = path.with_name(f"{path.name}.journal")
        if journal.exists():
            yield journal


def _item(kind: Kind, path: Path, mark: Mark) -> DiskItem:
    files = [path] if not path.is_dir() else [one for one in path.rglob("*") if one.is_file()]
    stats = [one.lstat() for one in files]
    changed = max((int(one.st_mtime) for one in stats), default=int(path.lstat().st_mtime))
    return DiskItem(kind, str(path), sum(one.st_size for one in stats), changed, mark)
