"""What the end-to-end tests share: a laptop's folders, a server added as a person would."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from servers import Place

from remote.config.load import load
from remote.config.places import Places
from remote.registration import register
from remote.secrets import Secret
from remote.studio import Studio

ROOT = Path(__file__).resolve().parents[2]
VOICE = "Tiny"


class Nobody:
    """No person is there: every question is answered no."""

    can_ask = False

    def __init__(self) -> None:
        self.asked: list[str] = []

    def host_key(self, fingerprint: str, host: str) -> bool:
        self.asked.append(fingerprint)
        return False

    def secret(self, server: str, prompt: str) -> Secret | None:
        self.asked.append(prompt)
        return None


@dataclass(frozen=True)
class Recorded:
    """The practice dataset, small."""

    list_file: Path
    wavs: Path


def laptop(folder: Path, work: Path) -> tuple[Places, Path]:
    """A laptop's own folders and a project file that names the server's work folder."""
    project = folder / "deploy.toml"
    project.parent.mkdir(parents=True, exist_ok=True)
    project.write_text(
        f"version = 1\n[paths]\nwork = {json.dumps(work.as_posix())}\n"
        f"outputs = {json.dumps((folder / 'voices').as_posix())}\n"
        f"[python]\npath = {json.dumps(Path(sys.executable).as_posix())}\n",
        encoding="utf-8",
    )
    return Places(folder / "config", folder / "data"), project


def open_server(place: Place, folder: Path, name: str, work: Path) -> Studio:
    """Add the place as a person would, from its ssh line, and open it."""
    places, project = laptop(folder, work)
    accept = frozenset({place.fingerprint})
    register(place.spec.format(), load(project, places), places, Nobody(), name=name, accept=accept)
    config = load(project, places)
    return Studio(name, config.servers[name], config, places, Nobody())
