"""Download, import and verification of the pretrained set below `pretrained/<set>/`."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sovdeck.engine.contract.atomic_io import (
    atomic_replacement,
    file_sha256,
    is_disk_full,
)
from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.http_download import (
    DownloadError,
    SourceUnreachableError,
    download_file,
    redact_url,
)
from sovdeck.engine.contract.layout import VERSIONS
from sovdeck.engine.contract.pretrained_set import (
    PRETRAINED_FILES,
    PretrainedFile,
    files_for,
    find_pretrained_file,
    unpack_set,
)
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.interop.inspection import inspect_weights
from sovdeck.engine.interop.safe_load import HEAD_BYTES
from sovdeck.engine.interop.set_manifest import pin_file, read_manifest
from sovdeck.engine.interop.speaker_file import read_speaker
from sovdeck.engine.interop.versions import OFFICIAL_BASES, other_version

# File, bytes so far, bytes in all when known.
FileProgressCallback = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class FileState:
    """One file of the set: `state` is "ok", "missing", "damaged" or "own"; `why` is the reason.

    "own" is an intact generator that is not the official base, by the md5 of its head.
    """

    name: str
    state: str
    why: Text | None = None
    bytes: int = 0
    sha256: str = ""


def download_pretrained(
    folder: Path, sources: Sequence[str], *, version: str, progress: FileProgressCallback
) -> list[FileState]:
    """Download what a version lacks or has damaged from the first source with it; then verify.

    A source is a folder or an http address; one that ends in .zip is a whole archive, taken for
    what no other source has. Problem listing the files that no source has.
    """
    archives = [source for source in sources if source.endswith(".zip")]
    sources = [source for source in sources if source not in archives]
    failures: dict[str, Text] = {}
    unreachable: dict[str, str] = {}
    for file in files_for(version):
        if _file_state(folder, file, read_manifest(folder)).state in ("ok", "own"):
            continue
        failures[file.name] = text("engine.pretrained.no_single")
        for source in sources:
            try:
                if source in unreachable:  # once is enough to wait for
                    raise DownloadError(unreachable[source])
                _get_file(folder, file, source, progress)
                failures.pop(file.name, None)
                break
            except DownloadError as failure:
                shown, why = _show_source(source), failure.why
                failures[file.name] = Text(f"{shown}: {why.en}", f"{shown}: {why.zh}")
                if isinstance(failure, SourceUnreachableError):
                    unreachable[source] = str(failure)
    for archive in archives:
        if not failures:
            break
        try:
            _get_archive(folder, archive, progress)
        except DownloadError as failure:
            shown, why = _show_source(archive), failure.why
            told = Text(f"{shown}: {why.en}", f"{shown}: {why.zh}")
            failures = dict.fromkeys(failures, told)
        pinned = read_manifest(folder)
        for file in files_for(version):
            if _file_state(folder, file, pinned).state in ("ok", "own"):
                failures.pop(file.name, None)
    if failures:
        raise Problem(
            "engine.pretrained.no_source",
            ExitCode.UNREACHABLE,
            files=", ".join(failures),
            why=next(iter(failures.values())),
            folder=str(folder),
        )
    return verify_pretrained(folder, version)


def import_pretrained(folder: Path, source: Path, origin: str = "") -> list[str]:
    """Copy every file of the set found in `source` (a folder, a zip or one file); their names.

    Problem when there is none, or one has other content than its name promises, as a file of a
    version that is not run here. Nothing else is copied. `origin` says in the manifest where they
    came from; without it that is `source`.
    """
    origin = origin or str(source)
    if source.is_file() and zipfile.is_zipfile(source) and source.suffix == ".zip":
        folder.mkdir(parents=True, exist_ok=True)
        # Beside the set: a server's /tmp may be too small for gigabytes.
        with TemporaryDirectory(prefix=".unpacked-", dir=folder) as unpacked:
            _extract_archive(source, Path(unpacked))
            return _import_folder(folder, Path(unpacked), origin)
    if source.is_file():
        return _import_folder(folder, source.parent, origin, only=source)
    return _import_folder(folder, source, origin)


def verify_pretrained(folder: Path, version: str) -> list[FileState]:
    """Check every file that a version needs: content, and the SHA-256 pinned when it came."""
    pinned = read_manifest(folder)
    return [_file_state(folder, file, pinned) for file in files_for(version)]


def _get_file(
    folder: Path, file: PretrainedFile, source: str, progress: FileProgressCallback
) -> None:
    target = folder / file.name
    try:
        if source.startswith(("http://", "https://")):
            url = f"{source.rstrip('/')}/{file.upstream}"
            download_file(url, target, lambda have, total: progress(file.name, have, total))
        else:
            found = find_pretrained_file(Path(source).expanduser(), file)
            if found is None:
                raise DownloadError("it is not in this folder")
            _copy_file(found, target)
    except OSError as error:
        if is_disk_full(error):
            raise Problem(
                "engine.pretrained.no_space", ExitCode.DATA, name=file.name, folder=str(folder)
            ) from error
        raise DownloadError(error.strerror or str(error)) from error
    why = _find_content_error(target, file)
    if why is not None:
        target.unlink()
        raise DownloadError(why)
    pin_file(folder, file.name, _show_source(source))


def _show_source(source: str) -> str:
    """A source without the secrets that an address may hold."""
    return redact_url(source) if source.startswith(("http://", "https://")) else source


def _get_archive(folder: Path, source: str, progress: FileProgressCallback) -> None:
    """Take the files of the set out of a zip at an http address or on this machine."""
    archive = Path(source).expanduser()
    try:
        if source.startswith(("http://", "https://")):
            archive = folder / "archive.zip"
            download_file(source, archive, lambda have, total: progress("archive.zip", have, total))
        import_pretrained(folder, archive, _show_source(source))
    except Problem as problem:
        raise DownloadError(problem.message) from problem
    except OSError as error:
        if is_disk_full(error):
            raise Problem(
                "engine.pretrained.no_space", ExitCode.DATA, name=archive.name, folder=str(folder)
            ) from error
        raise DownloadError(error.strerror or str(error)) from error
    finally:
        (folder / "archive.zip").unlink(missing_ok=True)  # a broken one goes on from its .part


def _import_folder(
    folder: Path, source: Path, origin: str, *, only: Path | None = None
) -> list[str]:
    imported = []
    for file in PRETRAINED_FILES:
        found = find_pretrained_file(source, file)
        if found is None or (only is not None and found != only):
            continue
        why = _find_content_error(found, file)
        if why is not None:
            raise Problem(
                "engine.pretrained.wrong_file",
                ExitCode.DATA,
                name=file.name,
                path=str(found),
                why=why,
            )
        if found.resolve() != (folder / file.name).resolve():
            _copy_file(found, folder / file.name)
        pin_file(folder, file.name, origin)
        imported.append(file.name)
    if not imported:
        raise Problem(
            "engine.pretrained.nothing_found",
            ExitCode.DATA,
            path=origin,
            files=", ".join(file.name for file in PRETRAINED_FILES),
        )
    return imported


def _extract_archive(archive: Path, target: Path) -> None:
    try:
        unpack_set(archive, target)
    except zipfile.BadZipFile as error:
        raise Problem(
            "engine.pretrained.wrong_file",
            ExitCode.DATA,
            name=archive.name,
            path=str(archive),
            why=str(error),
        ) from error


def _copy_file(source: Path, target: Path) -> None:
    with atomic_replacement(target) as beside:
        shutil.copyfile(source, beside)


def _file_state(folder: Path, file: PretrainedFile, pinned: dict[str, Any]) -> FileState:
    path = folder / file.name
    if not path.is_file():
        return FileState(file.name, "missing")
    size, digest = path.stat().st_size, file_sha256(path)
    pinned_entry = pinned.get(file.name)
    if isinstance(pinned_entry, dict) and pinned_entry.get("sha256") != digest:
        why = text("engine.pretrained.changed")
        return FileState(file.name, "damaged", why, size, digest)
    found = _find_content_error(path, file)
    if found is not None:
        return FileState(file.name, "damaged", found, size, digest)
    own = file.content_kind == "generator" and not _is_official(path, file.versions)
    return FileState(file.name, "own" if own else "ok", None, size, digest)


def _find_content_error(path: Path, file: PretrainedFile) -> Text | None:
    """Why the content of a file does not fit its name; None when it does."""
    if file.content_kind == "json":
        try:
            read = parse_json(path.read_bytes())
        except ValueError as error:
            return text("engine.pretrained.no_json", why=str(error))
        is_object = isinstance(read, dict)
        return None if is_object else text("engine.pretrained.no_json", why="{}")
    if file.content_kind == "encoder":
        # Read by transformers alone; here only: is it a torch file (zip or legacy) at all?
        with path.open("rb") as opened:
            is_torch = opened.read(2) in (b"PK", b"\x80\x02")
        return None if is_torch else text("engine.pretrained.no_torch")
    try:
        if file.content_kind == "speaker":
            read_speaker(path)
            return None
        facts = inspect_weights(path)
    except Problem as problem:
        return _as_clause(problem)
    if facts["version"] not in VERSIONS:
        return _as_clause(other_version(path, facts["version"]))
    role = "gpt" if facts["family"] == "gpt" else facts["role"]
    # A discriminator is the same network in both v2Pro versions.
    fits = role != "generator" or facts["version"] in file.versions
    if role == "discriminator":
        fits = (facts["version"] == "v2") == ("v2" in file.versions)
    if role != file.content_kind or not facts["runs"] or not fits:
        kind = text(f"engine.pretrained.kind_{role}")
        return text("engine.pretrained.other_kind", version=facts["version"], kind=kind)
    return None


def _as_clause(problem: Problem) -> Text:
    """What a problem says, without the full stop, to stand inside another sentence."""
    return Text(problem.message.en.rstrip("."), problem.message.zh.rstrip("。"))


def _is_official(path: Path, versions: Sequence[str]) -> bool:
    with path.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    digest = hashlib.md5(head, usedforsecurity=False).hexdigest()
    return OFFICIAL_BASES.get(digest) in versions


def states_as_json(states: Sequence[FileState]) -> list[dict[str, Any]]:
    """File states as JSON values."""
    return [
        {**asdict(state), "why": None if state.why is None else state.why.as_json()}
        for state in states
    ]
