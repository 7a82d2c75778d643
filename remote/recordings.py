"""A dataset on the laptop as it goes to the server: the list and every recording it names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.contract.dataset.items import Manifest, read_items
from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem


@dataclass(frozen=True)
class Recordings:
    """`files` maps paths below data/VOICE/ to files here; `faults` are lines that stay behind."""

    voice: str
    manifest: Manifest
    files: dict[str, Path]

    @property
    def faults(self) -> tuple[Problem, ...]:
        return self.manifest.problems

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files.values())


def gather(voice: str, list_file: Path, wavs: Path | None) -> Recordings:
    """Read the list; Problem when it cannot be read or names nothing usable."""
    manifest = read_items(list_file, wavs)
    if not manifest.items:
        first = manifest.problems[0].message.en if manifest.problems else ""
        raise Problem("remote.config.empty_dataset", ExitCode.DATA, path=str(list_file), why=first)
    files = {list_name(voice): list_file}
    files.update({f"wavs/{item.name}": item.wav for item in manifest.items})
    return Recordings(voice, manifest, files)


def list_name(voice: str) -> str:
    return f"{voice}.list"


def places(layout: Layout, voice: str) -> tuple[str, str]:
    """(list file, wav folder) of a pushed dataset, relative to the work folder as specs want."""
    base = layout.dataset(voice).relative_to(layout.work)
    return str(base / list_name(voice)), str(base / "wavs")
