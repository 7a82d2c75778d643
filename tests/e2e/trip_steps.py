"""What the end-to-end tests share: a laptop's folders, a server added as a person would."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from servers import Place

from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.hosts.known_hosts import HostKey
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.add import register
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.voices.dataset import push_recordings, read_recordings
from sovdeck.remote.voices.transfer_options import TransferOptions
from sovdeck.tui.audio.measure_file import measure_file

ROOT = Path(__file__).resolve().parents[2]
VOICE = "Tiny"


class Nobody:
    """No person is there: every question is answered no."""

    can_ask = False

    def __init__(self) -> None:
        self.asked: list[str] = []

    def host_key(self, key: HostKey, host: str, known_since: str) -> bool:
        self.asked.append(key.fingerprint)
        return False

    def secret(self, server: str, prompt: str, *, again: bool = False) -> Secret | None:
        self.asked.append(prompt)
        return None


@dataclass(frozen=True)
class Recorded:
    """The practice dataset, small."""

    list_file: Path
    wavs: Path


def laptop(folder: Path, work: Path) -> tuple[AppPaths, Path]:
    """A laptop's own folders and a project file that names the server's work folder."""
    project = folder / "deploy.toml"
    project.parent.mkdir(parents=True, exist_ok=True)
    project.write_text(
        f"version = 1\n[paths]\nwork = {json.dumps(work.as_posix())}\n"
        f"outputs = {json.dumps((folder / 'voices').as_posix())}\n"
        f"[python]\npath = {json.dumps(Path(sys.executable).as_posix())}\n",
        encoding="utf-8",
    )
    return AppPaths.below(folder), project


def open_server(place: Place, folder: Path, name: str, work: Path) -> ServerSession:
    """Add the place as a person would, from its ssh line, and open it."""
    places, project = laptop(folder, work)
    accept = frozenset({place.fingerprint})
    register(
        place.spec.format(),
        load_config(project, places),
        places,
        Nobody(),
        name=name,
        accept=accept,
    )
    config = load_config(project, places)
    return ServerSession(name, config.servers[name], config, places, Nobody())


def push_dataset(session: ServerSession, recorded: Recorded) -> int:
    """Push the recordings as a person would; how many files were sent."""
    recordings = read_recordings(VOICE, recorded.list_file, recorded.wavs, measure_file)
    options = TransferOptions(lambda _: None, threading.Event())
    return push_recordings(session, recordings, options).sent_files
