"""Saved training states: a folder each, whole or not there, at least two kept.

    states/sovits/step-00000120/    model.pt  optim.pt  ...  manifest.json (written last)

A state is written into a folder beside its place, every file fsynced, the manifest with
sizes and SHA-256 last, then renamed. The loader takes the newest state that verifies.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.runtime.durable import HashedFile, fsync_folder, sha256, write_hashed

_MANIFEST = "manifest.json"
_STATE = re.compile(r"step-(\d{8,})\Z")
_KEPT = 2  # the newest may be the one a dying disk has just spoilt


@dataclass(frozen=True)
class SavedState:
    """A state on disk that verified: its step, its small facts, its folder."""

    path: Path
    step: int
    facts: Mapping[str, Any]

    def load(self, part: str, device: torch.device | str = "cpu") -> Any:
        """Read one part, e.g. "model"; only tensors and plain values can be in there."""
        return torch.load(self.path / f"{part}.pt", map_location=device, weights_only=True)


@dataclass(frozen=True)
class Fault:
    """A state that does not verify, and why."""

    name: str
    why: str


class Checkpoints:
    """The saved states of one stage."""

    def __init__(self, folder: Path, *, keep_all: bool = False) -> None:
        self.folder = folder
        self._keep_all = keep_all

    def save(self, step: int, parts: Mapping[str, Any], facts: Mapping[str, Any]) -> SavedState:
        """Write a state durably, then prune old ones. Raises OSError when the disk is full."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        place = self.folder / f"step-{step:08d}"
        beside = self.folder / f".tmp-{step:08d}-{os.getpid()}"
        try:
            beside.mkdir()
            files = {name: _write_part(beside / f"{name}.pt", part) for name, part in parts.items()}
            manifest = {"step": step, "facts": dict(facts), "files": files}
            _write_manifest(beside / _MANIFEST, manifest)
            fsync_folder(beside)
            if place.exists():  # the same step once more: after a damaged state or a roll-back
                place.rename(self.folder / f".tmp-old-{step:08d}")
            beside.rename(place)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        fsync_folder(self.folder)
        self._sweep()
        self._prune(step)
        return SavedState(place, step, dict(facts))

    def newest(self) -> tuple[SavedState | None, tuple[Fault, ...]]:
        """The newest state that verifies, and the newer ones that do not."""
        faults: list[Fault] = []
        for step, place in self._states():
            try:
                return SavedState(place, step, _verified(place)), tuple(faults)
            except (OSError, ValueError, KeyError, TypeError) as error:
                faults.append(Fault(place.name, f"{type(error).__name__}: {error}"))
        return None, tuple(faults)

    def drop(self) -> None:
        """Forget every state, on a person's word (`train.on_change=restart`)."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _states(self) -> list[tuple[int, Path]]:
        if not self.folder.is_dir():
            return []
        named = ((_STATE.match(place.name), place) for place in self.folder.iterdir())
        return sorted(((int(hit[1]), place) for hit, place in named if hit), reverse=True)

    def _prune(self, step: int) -> None:
        # Whoever saves a step has gone back from all later ones, as they did not verify: they
        # would stand in the place of whole ones.
        states = self._states()
        later = [place for number, place in states if number > step]
        whole = [place for number, place in states if number <= step]
        for place in later + ([] if self._keep_all else whole[_KEPT:]):
            shutil.rmtree(place)

    def _sweep(self) -> None:
        # What a killed writer left; there is one writer a stage, so nobody else owns these.
        for left in self.folder.glob(".tmp-*"):
            shutil.rmtree(left, ignore_errors=True)


def _write_part(path: Path, part: Any) -> dict[str, Any]:
    def fill(file: HashedFile) -> None:
        torch.save(part, file)  # type: ignore[arg-type]  # only `write` and `flush` are used

    size, digest = write_hashed(path, fill)
    return {"bytes": size, "sha256": digest}


def _write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(manifest, file, ensure_ascii=False, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())


def _verified(place: Path) -> Mapping[str, Any]:
    manifest = json.loads((place / _MANIFEST).read_text(encoding="utf-8"))
    for name, wanted in manifest["files"].items():
        path = place / f"{name}.pt"
        if path.stat().st_size != wanted["bytes"] or sha256(path) != wanted["sha256"]:
            raise ValueError(f"{path.name} is not what was written")
    facts = manifest["facts"]
    if not isinstance(facts, dict):
        raise ValueError("facts are missing")
    return facts
