"""What the files of a pretrained set were when they came, and whether they still are.

`pretrained/SET/manifest.json` pins each file's SHA-256. A file whose size and time are those of
then is not read again; any other is, and a changed one is refused where it is used.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sovdeck.engine.contract.atomic_io import file_sha256, write_atomic
from sovdeck.engine.contract.foreign_values import parse_json_object
from sovdeck.engine.contract.pretrained_set import MANIFEST_FILE
from sovdeck.engine.contract.problem import ExitCode, Problem


def read_manifest(folder: Path) -> dict[str, Any]:
    """Entries by file name; {} for a folder that was put there by hand. Problem when unreadable."""
    path = folder / MANIFEST_FILE
    if not path.is_file():
        return {}
    try:
        files = parse_json_object(path.read_bytes()).get("files", {})
    except ValueError as error:
        raise Problem(
            "engine.pretrained.bad_manifest", ExitCode.DATA, path=str(path), why=str(error)
        ) from error
    return files if isinstance(files, dict) else {}


def pin_file(folder: Path, name: str, source: str) -> None:
    """Pin a file that has just come from `source`, so that a later change is noticed."""
    path = folder / name
    facts = path.stat()
    entry = {
        "bytes": facts.st_size,
        "mtime_ns": facts.st_mtime_ns,
        "sha256": file_sha256(path),
        "source": source,
    }
    content = json.dumps(
        {"files": {**read_manifest(folder), name: entry}}, indent=1, sort_keys=True
    )
    write_atomic(folder / MANIFEST_FILE, content.encode() + b"\n")


def unchanged_digest(folder: Path, path: Path) -> str:
    """SHA-256 of a file of the set in `folder`; Problem when it is not what came.

    Nothing is read where size and time are as pinned; a file that was never pinned is hashed.
    """
    return _pinned_digest(folder, path) or file_sha256(path)


def check_unchanged(folder: Path, *paths: Path) -> None:
    """Problem when one of the files in `folder` is not what came; a file never pinned passes."""
    for path in paths:
        _pinned_digest(folder, path)


def _pinned_digest(folder: Path, path: Path) -> str | None:
    """The pinned digest of a file that still has it; None for a file that was never pinned."""
    name = path.relative_to(folder).as_posix()
    entry = read_manifest(folder).get(name)
    if not isinstance(entry, dict):
        return None
    facts, pinned = path.stat(), str(entry.get("sha256"))
    if (facts.st_size, facts.st_mtime_ns) == (entry.get("bytes"), entry.get("mtime_ns")):
        return pinned
    if file_sha256(path) != pinned:
        source = str(entry.get("source", ""))
        way = "fetched" if source.startswith(("http://", "https://")) else "copied"
        raise Problem(
            f"engine.pretrained.changed_{way}",
            ExitCode.DATA,
            name=name,
            folder=str(folder),
            set=folder.name,
            source=source,
        )
    return pinned
