"""Fetches the pretrained models on this computer, for servers that cannot reach the web."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from sovdeck.engine.contract.atomic_io import file_sha256, write_atomic
from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.http_download import (
    DownloadError,
    SourceUnreachableError,
    download_file,
    redact_url,
)
from sovdeck.engine.contract.optional_models import OptionalModel, fetch_model
from sovdeck.engine.contract.pretrained_set import (
    ARCHIVE_URLS,
    files_for,
    hub_urls,
    unpack_set,
)
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.file_lock import FileLock
from sovdeck.remote.hosts.address import MAX_REASON, to_printable
from sovdeck.remote.transfer.core.context import cancelled
from sovdeck.remote.transfer.core.progress import Report, TransferMeter
from sovdeck.remote.transfer.core.rate_limit import RateLimiter
from sovdeck.remote.transfer.download.part_file import disk_errors

# SHA-256 of each file as it was first fetched: a copy that rotted on disk is fetched again.
CHECKSUMS_FILE = "fetched.json"
# Held while files are fetched: two processes would append to the same part file.
LOCK_FILE = "fetch.lock"


def fetch_pretrained(
    folder: Path,
    sources: Sequence[str],
    *,
    version: str,
    report: Report,
    cancel: threading.Event,
    bandwidth: float | None = None,
) -> dict[str, Path]:
    """The files of a version below `folder`, by name; what is whole is not fetched again.

    sources: base URLs tried before the public hubs, and after them whole archives of the same
    files. bandwidth: limit in bytes a second. Raises Problem, `remote.transfer.busy` while another
    process fetches into `folder`; what was received is kept, and the next call goes on from it.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK_FILE, folder)
    try:
        return _fetch_all(folder, sources, version, report, cancel, bandwidth)
    finally:
        lock.release(remove=True)


def _fetch_all(
    folder: Path,
    sources: Sequence[str],
    version: str,
    report: Report,
    cancel: threading.Event,
    bandwidth: float | None,
) -> dict[str, Path]:
    checksums = _read_checksums(folder)
    found: dict[str, Path] = {}
    unreachable: dict[str, SourceUnreachableError] = {}  # once is enough to wait for
    limiter, files = RateLimiter(bandwidth), files_for(version)
    singles = [source for source in (*sources, *hub_urls()) if not source.endswith(".zip")]
    archives = [source for source in (*sources, *ARCHIVE_URLS) if source.endswith(".zip")]
    for number, file in enumerate(files):
        path = folder / file.name
        known = checksums.get(file.name)
        if known is None or not path.is_file() or file_sha256(path) != known:
            label = f"{number + 1}/{len(files)} {path.name}"
            progress = _FileProgress(label, report, cancel, limiter)
            with disk_errors(folder):
                try:
                    checksums[file.name] = _fetch(
                        singles, file.upstream, path, known, progress, unreachable
                    )
                except Problem as problem:
                    if problem.key != "remote.transfer.no_source":
                        raise
                    archive = _FileProgress("archive", report, cancel, limiter)
                    if not _fetch_archive(archives, folder, version, archive):
                        raise
                    checksums.update(_checksums(folder, version))
                write_atomic(folder / CHECKSUMS_FILE, json.dumps(checksums, indent=1).encode())
        found[file.name] = path
    return found


def fetch_optional_model(
    model: OptionalModel,
    cache: Path,
    sources: Sequence[str],
    *,
    report: Report,
    cancel: threading.Event,
) -> dict[str, Path]:
    """The files of an optional model below `cache`, by name; what is there is not fetched again."""
    limiter = RateLimiter(None)
    meters: dict[str, _FileProgress] = {}

    def progress(file: str, have: int, total: int | None) -> None:
        if file not in meters:
            meters[file] = _FileProgress(PurePosixPath(file).name, report, cancel, limiter)
        meters[file](have, total)

    fetch_model(model, cache, sources, progress)
    return {file: cache / model.folder / file for file in model.files}


def _fetch_archive(
    archives: Sequence[str], folder: Path, version: str, progress: _FileProgress
) -> bool:
    """Take the set's files out of the first archive that has them; whether one did."""
    archive = folder / "archive.zip"
    for source in archives:
        try:
            download_file(source, archive, progress)
            unpack_set(archive, folder)
        except (DownloadError, zipfile.BadZipFile):
            continue  # the first source's own answer tells more
        finally:
            archive.unlink(missing_ok=True)
        if all((folder / file.name).is_file() for file in files_for(version)):
            return True
    return False


def _checksums(folder: Path, version: str) -> dict[str, str]:
    names = (file.name for file in files_for(version))
    return {name: file_sha256(folder / name) for name in names}


def _fetch(
    sources: Sequence[str],
    name: str,
    path: Path,
    known: str | None,
    progress: _FileProgress,
    unreachable: dict[str, SourceUnreachableError],
) -> str:
    """Fetch one file from the first source that gives it; returns its SHA-256.

    Problem of the first source that answered, since that tells more than a silent one.
    """
    failures: list[tuple[str, DownloadError]] = []
    for source in sources:
        url = f"{source.rstrip('/')}/{name}"
        try:
            if source in unreachable:
                raise unreachable[source]
            return download_file(url, path, progress, sha256=known).sha256
        except DownloadError as error:
            failures.append((url, error))
            if isinstance(error, SourceUnreachableError):
                unreachable[source] = error
    answered = [one for one in failures if not isinstance(one[1], SourceUnreachableError)]
    url, failure = (answered or failures)[0]
    code = ExitCode.DATA if answered else ExitCode.UNREACHABLE
    facts = {"url": redact_url(url), "why": to_printable(str(failure), MAX_REASON)}
    raise Problem("remote.transfer.no_source", code, **facts)


class _FileProgress:
    """Reports one file's bytes, holds them to the limit, and ends the download when cancelled."""

    def __init__(
        self,
        label: str,
        report: Report,
        cancel: threading.Event,
        limiter: RateLimiter,
    ) -> None:
        self._label = label
        self._report = report
        self._cancel = cancel
        self._limiter = limiter
        self._meter = TransferMeter()
        self._meter.protocol, self._meter.phase = "http", "receive"
        self._last: int | None = None

    def __call__(self, have: int, total: int | None) -> None:
        if self._cancel.is_set():
            raise cancelled()
        if self._last is None or have < self._last:
            self._meter.already_there = self._last = have
        self._meter.total = total or 0
        self._meter.add(have - self._last)
        self._cancel.wait(self._limiter.delay(have - self._last))
        self._last = have
        progress = self._meter.progress()
        self._report(replace(progress, phase=f"{progress.phase} {self._label}"))


def _read_checksums(folder: Path) -> dict[str, str]:
    try:
        raw = parse_json((folder / CHECKSUMS_FILE).read_text(encoding="utf-8"))
        return {str(name): str(value) for name, value in raw.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError):  # torn: everything is fetched or compared anew
        return {}
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem(
            "remote.transfer.cannot_read", ExitCode.DATA, path=str(folder), why=why
        ) from error
