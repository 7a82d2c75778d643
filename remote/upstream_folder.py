"""A voice placed where a GPT-SoVITS of this computer lists it; see `sovdeck pull --into`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from remote.transfer.part_file import disk_errors
from remote.transfer.prefix_hash import file_digest

# Where upstream's WebUI of version 2 looks for weights, by the folder they have in a pack.
PLACES = {"GPT_weights": "GPT_weights_v2", "SoVITS_weights": "SoVITS_weights_v2"}
_ENDINGS = {"GPT_weights": ".ckpt", "SoVITS_weights": ".pth"}
_SIGNS = ("GPT_SoVITS", "webui.py", *PLACES.values())


def check_upstream(folder: Path) -> Path:
    """`folder` when it looks like a GPT-SoVITS; Problem otherwise."""
    if not folder.is_dir() or not any((folder / sign).exists() for sign in _SIGNS):
        raise Problem("remote.upstream.not_one", ExitCode.CONFIG, folder=str(folder))
    return folder


def place(files: Iterable[Path], voice_folder: Path, upstream: Path) -> list[Path]:
    """Copy the weights among `files` (below `voice_folder`) into `upstream`; their new places.

    A file that is there already with the same content stays; with another one it is a Problem,
    and then nothing at all is placed. Each file appears whole or not at all.
    """
    wanted = {
        path: check_upstream(upstream) / PLACES[kind] / path.name
        for path in files
        if (kind := path.relative_to(voice_folder).parts[0]) in PLACES
        and path.suffix == _ENDINGS[kind]
    }
    if not wanted:
        raise Problem("remote.upstream.no_weights", ExitCode.DATA, folder=str(voice_folder))
    with disk_errors(upstream):
        missing = {
            source: target for source, target in wanted.items() if not _is_there(source, target)
        }
        for source, target in missing.items():
            target.parent.mkdir(exist_ok=True)
            part = target.with_name(f".{target.name}.part")
            try:
                shutil.copyfile(source, part)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)  # gone already when all went well
    return list(wanted.values())


def _is_there(source: Path, target: Path) -> bool:
    if not target.exists():
        return False
    same = target.is_file() and target.stat().st_size == source.stat().st_size
    if not same or file_digest(target) != file_digest(source):
        raise Problem("remote.upstream.another", ExitCode.CONFIG, path=str(target))
    return True
