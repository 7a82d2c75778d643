"""Copies a voice's weights into a GPT-SoVITS installation here; see `sovdeck pull --into`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from sovdeck.engine.contract.atomic_io import file_sha256
from sovdeck.engine.contract.layout import WEIGHT_FOLDERS
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.transfer.download.part_file import disk_errors

_SUFFIXES = {"gpt": ".ckpt", "sovits": ".pth"}
_MARKERS = ("GPT_SoVITS", "webui.py", "GPT_weights_v2", "SoVITS_weights_v2")


def check_upstream(folder: Path) -> Path:
    """The folder, when it looks like a GPT-SoVITS installation; Problem otherwise."""
    if not folder.is_dir() or not any((folder / marker).exists() for marker in _MARKERS):
        raise Problem("remote.upstream.not_one", ExitCode.CONFIG, folder=str(folder))
    return folder


def copy_weights(files: Iterable[Path], voice_folder: Path, upstream: Path) -> list[Path]:
    """Copy the weights among `files` (below `voice_folder`) into `upstream`; their paths there.

    A file that is there already with the same content stays; with another one it is a Problem,
    and then nothing at all is copied. Each file appears whole or not at all.
    """
    wanted = {
        path: check_upstream(upstream) / _upstream_folder(folder) / path.name
        for path in files
        if (folder := path.relative_to(voice_folder).parts[0]) in WEIGHT_FOLDERS
        and path.suffix == _SUFFIXES[WEIGHT_FOLDERS[folder][0]]
    }
    if not wanted:
        raise Problem("remote.upstream.no_weights", ExitCode.DATA, folder=str(voice_folder))
    with disk_errors(upstream):
        missing = {
            source: target
            for source, target in wanted.items()
            if not _already_copied(source, target)
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


def _upstream_folder(folder: str) -> str:
    """Where upstream's WebUI looks for the weights of one of our folders; v2 has a suffix there."""
    _, version = WEIGHT_FOLDERS[folder]
    return folder if folder.endswith(version) else f"{folder}_{version}"


def _already_copied(source: Path, target: Path) -> bool:
    if not target.exists():
        return False
    same = target.is_file() and target.stat().st_size == source.stat().st_size
    if not same or file_sha256(target) != file_sha256(source):
        raise Problem("remote.upstream.another", ExitCode.CONFIG, path=str(target))
    return True
