"""The voice as one zip: weights, reference, proof, and a manifest with the hash of each file.

Stored, not deflated (weights do not shrink), and the same bytes whenever the same files are
packed: fixed order, no times, no machine in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import engine
from engine.chosen_pair import last_trained, preferred
from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from engine.runtime.durable import fsync_folder, sha256

CONTENTS = ("voice", "all-epochs", "resumable")
_EPOCH = re.compile(r"(?:-e|_e)(\d+)(?:_s(\d+))?\.(?:ckpt|pth)\Z")
_DATE = (1980, 1, 1, 0, 0, 0)  # the first a zip can hold
_SPARE = 64 << 20


@dataclass(frozen=True)
class Packed:
    """A finished zip."""

    path: Path
    bytes: int
    sha256: str
    files: tuple[str, ...]


def pack(layout: Layout, voice: str, contents: str = "voice") -> Packed:
    """Write packs/NAME.zip. Problem when there is no voice yet or too little space."""
    members = sorted(_members(layout, voice, contents).items())
    target = Path(layout.pack(voice))
    target.parent.mkdir(parents=True, exist_ok=True)
    _check_space(target.parent, [path for _, path in members])
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                entries = [_add(archive, name, path) for name, path in members]
                for name, text in _texts(layout, voice, contents, entries):
                    _add_text(archive, name, text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    fsync_folder(target.parent)
    names = (*(name for name, _ in members), "README.txt", "manifest.json")
    return Packed(target, target.stat().st_size, sha256(target), names)


def plan(layout: Layout, voice: str, contents: str = "voice") -> dict[str, Any]:
    """The files `pack` would put into the zip, in order; nothing is read yet.

    The laptop begins to fetch them by this while `outline` reads them.
    """
    work = Path(layout.work)
    members = []
    for name, path in sorted(_members(layout, voice, contents).items()):
        stat = path.stat()
        place = {"path": name, "source": path.relative_to(work).as_posix()}
        members.append({**place, "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns})
    return {"plan": 2, "name": layout.pack(voice).name, "members": members}


def outline(layout: Layout, voice: str, contents: str = "voice") -> dict[str, Any]:
    """What `pack` would write, without writing it: members in order, with source or text.

    The laptop puts the same archive together from this.
    """
    work = Path(layout.work)
    members: list[dict[str, Any]] = []
    for name, path in sorted(_members(layout, voice, contents).items()):
        members.append({**_sums(name, path), "source": path.relative_to(work).as_posix()})
    entries = [{key: item[key] for key in ("path", "bytes", "sha256")} for item in members]
    for name, text in _texts(layout, voice, contents, entries):
        data = text.encode("utf-8")
        sums = {"sha256": hashlib.sha256(data).hexdigest(), "crc32": zlib.crc32(data)}
        members.append({"path": name, "bytes": len(data), **sums, "text": text})
    return {"outline": 2, "name": layout.pack(voice).name, "members": members}


def _sums(name: str, path: Path) -> dict[str, Any]:
    digest, crc, size = hashlib.sha256(), 0, 0
    with path.open("rb", buffering=0) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            crc = zlib.crc32(piece, crc)
            size += len(piece)
    return {"path": name, "bytes": size, "sha256": digest.hexdigest(), "crc32": crc}


def _texts(
    layout: Layout, voice: str, contents: str, entries: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    manifest = _manifest(layout, voice, contents, entries)
    return [
        ("README.txt", _readme(voice, manifest)),
        ("manifest.json", json.dumps(manifest, **_JSON)),
    ]


_JSON: dict[str, Any] = {"ensure_ascii": False, "indent": 1, "sort_keys": True}


def weight_files(folder: Path) -> list[Path]:
    """Exported weights of one kind, by epoch and step."""
    if not folder.is_dir():
        return []
    named = ((_EPOCH.search(path.name), path) for path in folder.iterdir())
    found = [((int(hit[1]), int(hit[2] or 0)), path) for hit, path in named if hit]
    return [path for _, path in sorted(found)]


def newest_weight(features: Path, folder: Path) -> Path:
    """The last trained weight of a voice in `folder`. Problem when there is none yet."""
    weights = weight_files(folder)
    if not weights:
        raise Problem(
            "engine.pack.no_voice", ExitCode.DATA, folder=folder.parent.name, voice=folder.name
        )
    return last_trained(features, weights)


def _members(layout: Layout, voice: str, contents: str) -> dict[str, Path]:
    work = Path(layout.work)
    folders = (Path(layout.gpt_weights(voice)), Path(layout.sovits_weights(voice)))
    features = Path(layout.features(voice))
    members: dict[str, Path] = {}
    for folder in folders:
        weights = weight_files(folder)
        if not weights:
            raise Problem(
                "engine.pack.no_voice", ExitCode.DATA, folder=folder.parent.name, voice=voice
            )
        for path in weights if contents != "voice" else [preferred(features, weights)]:
            members[path.relative_to(work).as_posix()] = path
            sidecar = path.with_name(path.name + ".json")
            if sidecar.is_file():
                members[sidecar.relative_to(work).as_posix()] = sidecar
    for path in sorted((features / "reference").glob("*")):
        members[f"reference/{path.name}"] = path
    if (features / "proof.wav").is_file():
        members["proof.wav"] = features / "proof.wav"
    if contents == "resumable":  # all that logs/NAME holds, but for half-written states
        for path in sorted(features.rglob("*")):
            whole = path.is_file() and not any(part.startswith(".") for part in path.parts)
            if whole and path.name != "proof.wav" and path.parent != features / "reference":
                members[path.relative_to(work).as_posix()] = path
    return members


def _check_space(folder: Path, files: Sequence[Path]) -> None:
    need = sum(path.stat().st_size for path in files) + _SPARE
    free = shutil.disk_usage(folder).free
    if free < need:
        raise Problem("engine.pack.no_space", ExitCode.DATA, need=need >> 20, free=free >> 20)


def _add(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    info = _info(name, path.stat().st_size)
    with path.open("rb") as source, archive.open(info, "w") as member:
        while piece := source.read(1 << 20):
            digest.update(piece)
            member.write(piece)
    return {"path": name, "bytes": info.file_size, "sha256": digest.hexdigest()}


def _add_text(archive: zipfile.ZipFile, name: str, text: str) -> None:
    data = text.encode("utf-8")
    with archive.open(_info(name, len(data)), "w") as member:
        member.write(data)


def _info(name: str, size: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_STORED
    info.create_system = 3  # the same bytes wherever it is made
    info.external_attr = 0o644 << 16
    info.file_size = size  # decides zip64 before the header is written
    return info


def _manifest(
    layout: Layout, voice: str, contents: str, entries: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    sidecars = {}
    for entry in entries:
        if entry["path"].endswith((".ckpt.json", ".pth.json")):
            path = Path(layout.work) / entry["path"]
            sidecars[entry["path"].removesuffix(".json")] = json.loads(path.read_text("utf-8"))
    return {
        "format": 1, "voice": voice, "contents": contents, "engine": engine.__version__,
        "architecture": "GPT-SoVITS v2", "files": list(entries), "weights": sidecars,
    }  # fmt: skip


def _readme(voice: str, manifest: Mapping[str, Any]) -> str:
    lines = "\n".join(f"  {entry['bytes']:>12}  {entry['path']}" for entry in manifest["files"])
    return f"""{voice}: a GPT-SoVITS v2 voice, made with sovdeck {manifest["engine"]}

GPT_weights/    the model that decides rhythm and reading
SoVITS_weights/ the model that makes the sound
reference/      a clip of the voice and its exact words: give both when speaking
proof.wav       what the voice said right after training
manifest.json   size and SHA-256 of every file

GPT-SoVITS reads the two weights as they are. Speak here with: sovdeck speak

{lines}
"""
