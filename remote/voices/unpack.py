"""Unpacks an archive that came from a server: everything is checked before a byte is written.

Nothing in an archive is trusted: not names, not sizes, not types. The files appear in a fresh
folder that is renamed into place at the end, so a folder of ours is whole or absent.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import struct
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.format import format_bytes
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote import filenames
from sovdeck.remote.transfer.download.part_file import FREE_SPACE_RESERVE

CHUNK_BYTES = 1 << 20
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 16 << 20
_ENCRYPTED = 0x1
# What zipfile raises for damaged archives; damage was tried at every field.
_BROKEN_ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold. Weights hardly compress: a high ratio means a zip bomb.

    files: how many. bytes: unpacked, in all. ratio: unpacked to packed size of one file.
    """

    files: int = 200_000
    bytes: int = 256 << 30
    ratio: int = 200
    free_ratio_below: int = 1 << 20  # a small file of zeros is no bomb


@dataclass(frozen=True)
class ArchiveEntry:
    """One file to write: `info` as the archive has it, `path` below the new folder."""

    info: zipfile.ZipInfo
    path: PurePosixPath


def extract(
    zip_path: Path,
    folder: Path,
    *,
    name: str = "",
    replace: bool = False,
    preserve: Sequence[str] = (),
    limits: ArchiveLimits = ArchiveLimits(),  # noqa: B008 - frozen
    report: Callable[[int, int], None] = lambda done, total: None,
    cancel: threading.Event | None = None,
) -> list[Path]:
    """Unpack `zip_path` as `folder` and return the files, in archive order.

    `folder` must not exist, unless `replace`: then it is exchanged once the new one is whole,
    but for the folders named in `preserve`, which move over from the old one. `name` is what
    sentences call the archive; its file name without one.
    When the archive has a manifest.json, every file must match its SHA-256 there. `report` gets
    bytes (done, total). Raises Problem; then nothing of the archive remains.
    """
    name = name or zip_path.name
    if folder.exists() and not replace:
        raise Problem("remote.archive.exists", ExitCode.CONFIG, path=str(folder))
    try:
        with zipfile.ZipFile(zip_path) as archive:
            entries = check_entries(archive.infolist(), limits, name)
            total = sum(entry.info.file_size for entry in entries)
            _check_free_space(folder.parent, total)
            # Beside its final place, so that the rename stays on one disk.
            fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name[:40]}.", dir=folder.parent))
            try:
                digests = _write(archive, entries, fresh, report, total, cancel)
                _verify(archive, digests, name)
                _swap_folders(fresh, folder, preserve)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)  # gone already when all went well
    except _BROKEN_ARCHIVE_ERRORS as error:
        why = str(error) or type(error).__name__
        raise Problem("remote.archive.broken", ExitCode.DATA, name=name, why=why) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem(
            "remote.archive.cannot_write", ExitCode.DATA, path=str(folder), why=why
        ) from error
    return [folder / entry.path for entry in entries]


def check_entries(
    infos: list[zipfile.ZipInfo], limits: ArchiveLimits, name: str
) -> list[ArchiveEntry]:
    """The files of an archive with the paths they will have; Problem on the first bad one.

    Folders are left out: they come with their files.
    """
    if len(infos) > limits.files:
        raise _refused(name, f"{len(infos)} files")
    entries: list[ArchiveEntry] = []
    taken = filenames.TakenPaths()
    total = 0
    for info in infos:
        _check_kind(info, name)
        path = _safe_path(info, name)
        if not taken.claim(path, is_file=not info.is_dir()):
            raise _refused(name, f"{path} twice")
        total += info.file_size
        suspicious = info.file_size > limits.ratio * max(1, info.compress_size)
        if total > limits.bytes or (suspicious and info.file_size > limits.free_ratio_below):
            raise _refused(name, f"{_shown_name(info)}: {info.file_size} bytes")
        if not info.is_dir():
            entries.append(ArchiveEntry(info, path))
    _check_overlap(infos, name)
    return entries


def _safe_path(info: zipfile.ZipInfo, name: str) -> PurePosixPath:
    # orig_filename: zipfile itself cuts `filename` at a zero byte and turns separators.
    path = filenames.safe_relative_path(info.orig_filename.removesuffix("/"))
    if path is None:
        raise _refused(name, _shown_name(info))
    return path


def _check_kind(info: zipfile.ZipInfo, name: str) -> None:
    mode = info.external_attr >> 16
    odd = stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR)
    packed = info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if odd or packed or info.flag_bits & _ENCRYPTED:
        raise _refused(name, _shown_name(info))


def _check_overlap(infos: list[zipfile.ZipInfo], name: str) -> None:
    """Entries that share bytes are how a small archive claims to be a huge one."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise _refused(name, f"{_shown_name(info)} overlaps")
        end = info.header_offset + 30 + len(info.orig_filename.encode()) + info.compress_size


def _check_free_space(folder: Path, total: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < total + FREE_SPACE_RESERVE:
        raise Problem(
            "remote.archive.no_space",
            ExitCode.DATA,
            path=str(folder),
            need=format_bytes(total + FREE_SPACE_RESERVE),
            free=format_bytes(free),
        )


def _write(
    archive: zipfile.ZipFile,
    entries: list[ArchiveEntry],
    fresh: Path,
    report: Callable[[int, int], None],
    total: int,
    cancel: threading.Event | None,
) -> dict[str, str]:
    """Write every file below `fresh`; returns SHA-256 (hex) by name in the archive."""
    digests: dict[str, str] = {}
    done = 0
    for entry in entries:
        target = fresh / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        # zipfile reads no more than the size checked above, and compares the CRC at the end.
        with archive.open(entry.info) as source, target.open("xb") as file:
            while data := source.read(CHUNK_BYTES):
                if cancel is not None and cancel.is_set():
                    raise Problem("remote.archive.cancelled", ExitCode.INTERRUPTED)
                file.write(data)
                digest.update(data)
                done += len(data)
                report(done, total)
        digests[entry.info.filename] = digest.hexdigest()
    return digests


def _verify(archive: zipfile.ZipFile, digests: dict[str, str], name: str) -> None:
    """Compare with manifest.json: every file it names is here and is what it says."""
    if MANIFEST not in digests:
        return
    if archive.getinfo(MANIFEST).file_size > MAX_MANIFEST_BYTES:
        raise _refused(name, MANIFEST)
    try:
        manifest = parse_json(archive.read(MANIFEST))
        promised = {str(item["path"]): str(item["sha256"]) for item in manifest["files"]}
    except (ValueError, TypeError, KeyError) as error:
        raise _refused(name, MANIFEST) from error
    for path, sha256 in promised.items():
        if digests.get(path) != sha256:
            raise Problem("remote.archive.differs", ExitCode.DATA, name=name, path=_printable(path))


def _swap_folders(fresh: Path, folder: Path, preserve: Sequence[str]) -> None:
    """Put the whole new folder in place; an old one stands until then and goes afterwards."""
    fresh.chmod(0o755)  # mkdtemp made it private
    if not folder.exists():
        fresh.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name[:40]}.old.", dir=folder.parent))
    folder.rename(old / folder.name)
    try:
        fresh.rename(folder)
    except OSError:
        (old / folder.name).rename(folder)
        shutil.rmtree(old, ignore_errors=True)
        raise
    for name in preserve:  # when one cannot be moved, the old folder stays beside with all in it
        kept = old / folder.name / name
        if kept.is_dir() and not (folder / name).exists():
            kept.rename(folder / name)
    shutil.rmtree(old, ignore_errors=True)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:120]


def _shown_name(info: zipfile.ZipInfo) -> str:
    return _printable(info.orig_filename)


def _refused(name: str, what: str) -> Problem:
    return Problem("remote.archive.refused", ExitCode.DATA, name=name, what=what)
