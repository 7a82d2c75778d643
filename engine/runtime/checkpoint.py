"""Training checkpoints: a folder each, complete or absent, the last two kept.

    states/sovits/step-00000120/    model.pt  optim.pt  ...  manifest.json (written last)

A checkpoint is written into a temporary folder, every file fsynced, the manifest with sizes
and SHA-256 last, then renamed. The loader takes the newest checkpoint that verifies.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sovdeck.engine.contract.atomic_io import HashingFile, file_sha256, fsync_folder, write_hashed
from sovdeck.engine.contract.foreign_values import parse_json_object

_MANIFEST = "manifest.json"
_CHECKPOINT_FOLDER = re.compile(r"step-(\d{8,})\Z")
# What a part was called in states saved by an earlier version, which are read all the same.
_FORMER_NAMES = {"rng_states": "dice"}
_KEPT_CHECKPOINTS = 2  # the newest may be the one a failing disk has just damaged


@dataclass(frozen=True)
class SavedCheckpoint:
    """A verified checkpoint on the disk: its folder, its step and the facts saved with it."""

    path: Path
    step: int
    facts: Mapping[str, Any]

    def load(self, part: str, device: torch.device | str = "cpu") -> Any:
        """Read one part, e.g. "model"; only tensors and plain values can be in there."""
        file = self.path / f"{part}.pt"
        if part in _FORMER_NAMES and not file.is_file():
            file = self.path / f"{_FORMER_NAMES[part]}.pt"
        return torch.load(file, map_location=device, weights_only=True)


class SavedParts(Mapping[str, Any]):
    """Parts of a checkpoint, read into the computer's memory when asked for, one at a time.

    Weights are copied from there into those that a GPU holds, which need not have room for both.
    """

    def __init__(self, checkpoint: SavedCheckpoint, names: Sequence[str]) -> None:
        self._checkpoint, self._names = checkpoint, names
        self._name: str | None = None
        self._part: Any = None

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        if name != self._name:
            self._part = None  # before the next one is read
            self._part, self._name = self._checkpoint.load(name), name
        return self._part

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class DamagedCheckpoint:
    """A checkpoint that does not verify, and why."""

    name: str
    why: str


class CheckpointStore:
    """The checkpoints of one training stage."""

    def __init__(self, folder: Path, *, keep_all: bool = False) -> None:
        self.folder = folder
        self._keep_all = keep_all

    def save(
        self, step: int, parts: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> SavedCheckpoint:
        """Write a checkpoint durably, then prune old ones. OSError when the disk is full."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._delete_leftovers()
        target = self.folder / f"step-{step:08d}"
        beside = self.folder / f".tmp-{step:08d}-{os.getpid()}"
        try:
            beside.mkdir()
            files = {name: _write_part(beside / f"{name}.pt", part) for name, part in parts.items()}
            manifest = {"step": step, "facts": dict(facts), "files": files}
            _write_manifest(beside / _MANIFEST, manifest)
            fsync_folder(beside)
            if (
                target.exists()
            ):  # the same step once more: after a damaged checkpoint or a roll-back
                target.rename(self.folder / f".tmp-old-{step:08d}")
            beside.rename(target)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        fsync_folder(self.folder)
        self._delete_leftovers()
        self._prune(step)
        return SavedCheckpoint(target, step, dict(facts))

    def find_newest(self) -> tuple[SavedCheckpoint | None, tuple[DamagedCheckpoint, ...]]:
        """The newest checkpoint that verifies, and the newer ones that do not."""
        damaged: list[DamagedCheckpoint] = []
        for step, folder in self._list_checkpoints():
            try:
                return SavedCheckpoint(folder, step, _verify(folder)), tuple(damaged)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                damaged.append(DamagedCheckpoint(folder.name, f"{type(error).__name__}: {error}"))
        return None, tuple(damaged)

    def newest_facts(self) -> Mapping[str, Any] | None:
        """Facts of the newest checkpoint whose manifest can be read; None without one.

        For a plan, which has no time to verify gigabytes: training takes what `find_newest` gives.
        """
        for _, folder in self._list_checkpoints():
            try:
                facts = parse_json_object((folder / _MANIFEST).read_bytes())["facts"]
            except (OSError, ValueError, KeyError):
                continue  # damaged: training will say so, and go on from an older one
            if isinstance(facts, dict):
                return facts
        return None

    def delete_all(self) -> None:
        """Delete every checkpoint, as `train.on_change=restart` asks for."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _list_checkpoints(self) -> list[tuple[int, Path]]:
        if not self.folder.is_dir():
            return []
        named = ((_CHECKPOINT_FOLDER.match(place.name), place) for place in self.folder.iterdir())
        return sorted(((int(hit[1]), place) for hit, place in named if hit), reverse=True)

    def _prune(self, step: int) -> None:
        # A run that saves a step has gone back from all later ones, as they did not verify: kept,
        # they would count among the newest two.
        checkpoints = self._list_checkpoints()
        later = [place for number, place in checkpoints if number > step]
        whole = [place for number, place in checkpoints if number <= step]
        for place in later + ([] if self._keep_all else whole[_KEPT_CHECKPOINTS:]):
            shutil.rmtree(place)

    def _delete_leftovers(self) -> None:
        # Left by a killed writer; there is one writer a stage, so no other process uses these.
        for leftover in self.folder.glob(".tmp-*"):
            shutil.rmtree(leftover, ignore_errors=True)


def load_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Restore what `optimizer.state_dict()` gave; the moments it has go before others come."""
    optimizer.state.clear()
    optimizer.load_state_dict(dict(state))


def _write_part(path: Path, part: Any) -> dict[str, Any]:
    def fill(file: HashingFile) -> None:
        torch.save(part, file)  # type: ignore[arg-type]  # only `write` and `flush` are used

    size, digest = write_hashed(path, fill)
    return {"bytes": size, "sha256": digest}


def _write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(manifest, file, ensure_ascii=False, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())


def _verify(folder: Path) -> Mapping[str, Any]:
    manifest = parse_json_object((folder / _MANIFEST).read_bytes())
    for name, expected in manifest["files"].items():
        path = folder / f"{name}.pt"
        if path.stat().st_size != expected["bytes"] or file_sha256(path) != expected["sha256"]:
            raise ValueError(f"{path.name} is not what was written")
    facts = manifest["facts"]
    if not isinstance(facts, dict):
        raise ValueError("facts are missing")
    return facts
