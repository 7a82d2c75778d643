"""The voice as one zip: weights, reference, proof, and a manifest with the hash of each file.

Stored, not deflated (weights do not shrink), and reproducible: the same files in a fixed order
without times give the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sovdeck.engine import __version__
from sovdeck.engine.contract.atomic_io import atomic_replacement, file_sha256
from sovdeck.engine.contract.foreign_values import parse_json_object, read_optional_facts
from sovdeck.engine.contract.layout import VERSIONS, WEIGHT_FOLDERS, Layout
from sovdeck.engine.contract.params import PARAMS
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.engine.contract.spec import TINY_PRESETS
from sovdeck.engine.runtime.selected_weights import (
    list_voice_weights,
    no_weights,
    select_weight,
)

_DATE = (1980, 1, 1, 0, 0, 0)  # the first a zip can hold
_SPARE_BYTES = 64 << 20


@dataclass(frozen=True)
class VoicePack:
    """A finished zip."""

    path: Path
    bytes: int
    sha256: str
    files: tuple[str, ...]


def pack_voice(layout: Layout, voice: str, contents: str | None = None) -> VoicePack:
    """Write packs/NAME.zip; Problem when there are no weights yet or too little space.

    contents: of the parameter `pack.contents`; None is what the zip holds that is there, else
    the parameter's default.
    """
    contents = contents or _packed_contents(Path(layout.pack(voice)))
    members = sorted(_collect_members(layout, voice, contents).items())
    target = Path(layout.pack(voice))
    target.parent.mkdir(parents=True, exist_ok=True)
    _check_space(target.parent, [path for _, path in members])
    with (
        atomic_replacement(target) as beside,
        zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive,
    ):
        entries = [_add_file(archive, name, path) for name, path in members]
        for name, text in _text_members(layout, voice, contents, entries):
            _add_text(archive, name, text)
    names = (*(name for name, _ in members), "README.txt", "manifest.json")
    return VoicePack(target, target.stat().st_size, file_sha256(target), names)


def _packed_contents(path: Path) -> str:
    param = PARAMS["pack.contents"]
    try:
        with zipfile.ZipFile(path) as archive:
            found = parse_json_object(archive.read("manifest.json")).get("contents")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        found = None
    return str(found if found in param.choices else param.default)


def _text_members(
    layout: Layout, voice: str, contents: str, entries: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    manifest = _build_manifest(layout, voice, contents, entries)
    return [
        ("README.txt", _readme(voice, manifest)),
        ("manifest.json", json.dumps(manifest, **_JSON)),
    ]


_TOY = "A toy: its network is the tiny one, which only shows that every step works. It is no voice."
_JSON: dict[str, Any] = {"ensure_ascii": False, "indent": 1, "sort_keys": True}


def _collect_members(layout: Layout, voice: str, contents: str) -> dict[str, Path]:
    work = Path(layout.work)
    features = Path(layout.features(voice))
    members: dict[str, Path] = {}
    for stage, folder_of in (("gpt", layout.gpt_weights), ("sovits", layout.sovits_weights)):
        weights = list_voice_weights(layout, voice, stage)
        if not weights:
            raise no_weights(folder_of(voice, VERSIONS[0]))
        for path in weights if contents != "voice" else [select_weight(features, weights)]:
            members[path.relative_to(work).as_posix()] = path
            sidecar = path.with_name(path.name + ".json")
            if sidecar.is_file():
                members[sidecar.relative_to(work).as_posix()] = sidecar
    for path in sorted((features / "reference").glob("*")):
        members[f"reference/{path.name}"] = path
    for path in sorted(Path(layout.references(voice)).glob("[!.]*.wav")):
        members[f"references/{path.name}"] = path
        if (words := path.with_suffix(".json")).is_file():
            members[f"references/{words.name}"] = words
    if (features / "proof.wav").is_file():
        members["proof.wav"] = features / "proof.wav"
    if contents == "resumable":  # all of logs/NAME, but for half-written checkpoints
        for path in sorted(features.rglob("*")):
            whole = path.is_file() and not any(part.startswith(".") for part in path.parts)
            if whole and path.name != "proof.wav" and path.parent != features / "reference":
                members[path.relative_to(work).as_posix()] = path
    return members


def _check_space(folder: Path, files: Sequence[Path]) -> None:
    need = sum(path.stat().st_size for path in files) + _SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < need:
        raise Problem("engine.pack.no_space", ExitCode.DATA, need=need >> 20, free=free >> 20)


def _add_file(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    info = _zip_info(name, path.stat().st_size)
    with path.open("rb") as source, archive.open(info, "w") as member:
        while piece := source.read(1 << 20):
            digest.update(piece)
            member.write(piece)
    return {"path": name, "bytes": info.file_size, "sha256": digest.hexdigest()}


def _add_text(archive: zipfile.ZipFile, name: str, text: str) -> None:
    data = text.encode("utf-8")
    with archive.open(_zip_info(name, len(data)), "w") as member:
        member.write(data)


def _zip_info(name: str, size: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_STORED
    info.create_system = 3  # the same bytes wherever it is made
    info.external_attr = 0o644 << 16
    info.file_size = size  # decides zip64 before the header is written
    return info


def _build_manifest(
    layout: Layout, voice: str, contents: str, entries: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    sidecars = {}
    for entry in entries:
        if entry["path"].endswith((".ckpt.json", ".pth.json")):
            path = Path(layout.work) / entry["path"]
            sidecars[entry["path"].removesuffix(".json")] = read_optional_facts(path)
    return {
        "format": 1,
        "voice": voice,
        "contents": contents,
        "engine": __version__,
        "architecture": f"GPT-SoVITS {', '.join(_versions(entries))}",
        "toy": any(_preset(facts) in TINY_PRESETS for facts in sidecars.values()),
        "files": list(entries),
        "weights": sidecars,
    }


def _preset(sidecar: Mapping[str, Any]) -> Any:
    """The preset that a weight file was trained with; None where its sidecar does not say."""
    trained = sidecar.get("metrics")
    return trained.get("preset") if isinstance(trained, Mapping) else None


def _versions(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The versions of the SoVITS weights among the files, in the order of versions."""
    folders = [WEIGHT_FOLDERS.get(entry["path"].split("/")[0]) for entry in entries]
    return [version for version in VERSIONS if ("sovits", version) in folders]


def _readme(voice: str, manifest: Mapping[str, Any]) -> str:
    lines = "\n".join(f"  {entry['bytes']:>12}  {entry['path']}" for entry in manifest["files"])
    toy = f"\n{_TOY}\n" if manifest["toy"] else ""
    return f"""{voice}: a {manifest["architecture"]} voice, made with sovdeck {manifest["engine"]}
{toy}
GPT_weights*/    the model that decides rhythm and reading
SoVITS_weights*/ the model that makes the sound, of the version in the folder's name (v2 without)
reference/       a clip of the voice and its exact words: give both when speaking
references/      clips that were given a name, such as a mood, and their words
proof.wav        what the voice said right after training
manifest.json    size and SHA-256 of every file

GPT-SoVITS reads the two weights as they are. Speak here with: sovdeck speak

{lines}
"""
