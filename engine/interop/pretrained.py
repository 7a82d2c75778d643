"""Getting, importing and verifying the pretrained set below `pretrained/<set>/`."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.contract.pretrained_set import FILES, HUBS, MANIFEST, SetFile, find_in
from engine.contract.problem import ExitCode, Problem
from engine.interop.container import HEAD_BYTES
from engine.interop.fetching import FetchFailed, Unreachable, fetch
from engine.interop.inspection import inspect
from engine.interop.versions import V2_BASE_MD5
from engine.runtime.durable import is_no_space, sha256, write_atomic

Tell = Callable[[str, int, int | None], None]  # file, bytes so far, bytes in all when known


@dataclass(frozen=True)
class FileState:
    """One file of the set: `state` is "ok", "missing" or "damaged"; `why` says more.

    "own" is a sound generator that is not the official base, told by the md5 of its head.
    """

    name: str
    state: str
    why: str = ""
    bytes: int = 0
    sha256: str = ""


def get(folder: Path, sources: Sequence[str] = HUBS, *, tell: Tell) -> list[FileState]:
    """Fetch what is missing or damaged from the first source that has it; then verify.

    A source is a folder or an http address. Problem listing what no source gave, and what to
    bring by hand.
    """
    failures: dict[str, str] = {}
    silent: dict[str, str] = {}
    for file in FILES:
        if _state(folder, file, _manifest(folder)).state in ("ok", "own"):
            continue
        for source in sources:
            try:
                if source in silent:  # once is enough to wait for
                    raise FetchFailed(silent[source])
                _get_one(folder, file, source, tell)
                failures.pop(file.name, None)
                break
            except FetchFailed as failure:
                failures[file.name] = f"{source}: {failure}"
                if isinstance(failure, Unreachable):
                    silent[source] = str(failure)
    if failures:
        raise Problem(
            "engine.pretrained.no_source", ExitCode.UNREACHABLE,
            files=", ".join(failures), why=next(iter(failures.values())), folder=str(folder),
        )  # fmt: skip
    return verify(folder)


def bring(folder: Path, source: Path) -> list[str]:
    """Copy every file of the set found in `source` (a folder, a zip or one file); their names.

    Problem when there is none, or one is not what its name says; nothing else is copied.
    """
    if source.is_file() and zipfile.is_zipfile(source) and source.suffix == ".zip":
        with TemporaryDirectory(prefix="sovdeck-") as unpacked:
            _unpack(source, Path(unpacked))
            return _bring_folder(folder, Path(unpacked), str(source))
    if source.is_file():
        return _bring_folder(folder, source.parent, str(source), only=source)
    return _bring_folder(folder, source, str(source))


def verify(folder: Path) -> list[FileState]:
    """Check every file: content, and the SHA-256 noted when it came."""
    known = _manifest(folder)
    return [_state(folder, file, known) for file in FILES]


def _get_one(folder: Path, file: SetFile, source: str, tell: Tell) -> None:
    target = folder / file.name
    try:
        if source.startswith(("http://", "https://")):
            url = f"{source.rstrip('/')}/{file.upstream}"
            fetch(url, target, lambda have, total: tell(file.name, have, total))
        else:
            found = find_in(Path(source).expanduser(), file)
            if found is None:
                raise FetchFailed("it is not in this folder")
            _copy(found, target)
    except OSError as error:
        if is_no_space(error):
            raise Problem(
                "engine.pretrained.no_space", ExitCode.DATA, name=file.name, folder=str(folder)
            ) from error
        raise FetchFailed(error.strerror or str(error)) from error
    why = _content_fault(target, file)
    if why:
        target.unlink()
        raise FetchFailed(why)
    _note(folder, file, source)


def _bring_folder(
    folder: Path, source: Path, origin: str, *, only: Path | None = None
) -> list[str]:
    brought = []
    for file in FILES:
        found = find_in(source, file)
        if found is None or (only is not None and found != only):
            continue
        why = _content_fault(found, file)
        if why:
            raise Problem(
                "engine.pretrained.wrong_file", ExitCode.DATA,
                name=file.name, path=str(found), why=why,
            )  # fmt: skip
        if found.resolve() != (folder / file.name).resolve():
            _copy(found, folder / file.name)
        _note(folder, file, origin)
        brought.append(file.name)
    if not brought:
        raise Problem(
            "engine.pretrained.nothing_found", ExitCode.DATA,
            path=origin, files=", ".join(file.name for file in FILES),
        )  # fmt: skip
    return brought


def _unpack(archive: Path, target: Path) -> None:
    """Take the files of the set out of a zip, whatever folder they are in; nothing else."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            for file in FILES:
                for entry in zipped.namelist():
                    if f"/{entry}".endswith((f"/{file.upstream}", f"/{file.name}")):
                        out = target / file.name
                        out.parent.mkdir(parents=True, exist_ok=True)
                        with zipped.open(entry) as reader, out.open("wb") as writer:
                            shutil.copyfileobj(reader, writer)
                        break
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise Problem(
            "engine.pretrained.wrong_file", ExitCode.DATA,
            name=archive.name, path=str(archive), why=str(error),
        ) from error  # fmt: skip


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.tmp")
    try:
        shutil.copyfile(source, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _state(folder: Path, file: SetFile, known: dict[str, Any]) -> FileState:
    path = folder / file.name
    if not path.is_file():
        return FileState(file.name, "missing")
    size, digest = path.stat().st_size, sha256(path)
    noted = known.get(file.name)
    if isinstance(noted, dict) and noted.get("sha256") != digest:
        return FileState(file.name, "damaged", "it changed since it came", size, digest)
    why = _content_fault(path, file)
    if why:
        return FileState(file.name, "damaged", why, size, digest)
    own = file.family == "generator" and not _is_official(path)
    return FileState(file.name, "own" if own else "ok", "", size, digest)


def _content_fault(path: Path, file: SetFile) -> str:
    """Why a file cannot be what its name says; empty when it can."""
    if file.family == "json":
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            return f"it is not JSON: {error}"
        return "" if isinstance(read, dict) else "it is not a JSON object"
    if file.family == "encoder":
        # Read by transformers alone; here only: is it a torch file (zip or legacy) at all?
        with path.open("rb") as opened:
            return "" if opened.read(2) in (b"PK", b"\x80\x02") else "it is not a torch file"
    try:
        facts = inspect(path)
    except Problem as problem:
        return problem.message.en
    role = "gpt" if facts["family"] == "gpt" else facts["role"]
    if role != file.family or not facts["runs"]:
        return f"it is a {facts['version']} {role}, or not whole"
    return ""


def _is_official(path: Path) -> bool:
    with path.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    return hashlib.md5(head, usedforsecurity=False).hexdigest() == V2_BASE_MD5


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        files = json.loads(path.read_text(encoding="utf-8")).get("files", {})
    except (ValueError, AttributeError) as error:
        raise Problem(
            "engine.pretrained.bad_manifest", ExitCode.DATA, path=str(path), why=str(error)
        ) from error
    return files if isinstance(files, dict) else {}


def _note(folder: Path, file: SetFile, source: str) -> None:
    """Pin the SHA-256 of a file that has just come, so that a later change is noticed."""
    path = folder / file.name
    state = FileState(file.name, "ok", "", path.stat().st_size, sha256(path))
    entry = {"bytes": state.bytes, "sha256": state.sha256, "source": source}
    files = {**_manifest(folder), file.name: entry}
    text = json.dumps({"files": files}, indent=1, sort_keys=True)
    write_atomic(folder / MANIFEST, text.encode() + b"\n")


def as_json(states: Sequence[FileState]) -> list[dict[str, Any]]:
    return [asdict(state) for state in states]
