"""Sets the demo's stage: folders, an SSH server of its own, a dataset, a saved server."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from engine.contract.problem import ExitCode, Problem
from remote.config.load import load
from remote.config.places import Places
from remote.config.schema import Config
from remote.embedded.client import EmbeddedProcess
from remote.embedded.client import start as start_embedded
from remote.recordings import Recordings, gather
from remote.registration import register
from remote.secrets import Secret
from remote.studio import Studio

SERVER = "demo"
VOICE = "Demo"
# Few epochs of a tiny model: enough for both losses to fall, quick enough for two slow cores.
PARAMS = {"sovits.epochs": 12, "sovits.save_every_epochs": 6, "sovits.batch_size": 4,
          "gpt.epochs": 20, "gpt.save_every_epochs": 10, "gpt.batch_size": 4,
          "train.device": "cpu", "train.save_every_minutes": 0}  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """The practice recordings, as they were made here."""

    recordings: Recordings
    clips: int
    seconds: float


class NoPerson:
    """The demo knows its server's fingerprint and key; nobody has to be asked anything."""

    can_ask = False

    def host_key(self, fingerprint: str, host: str) -> bool:
        return False

    def secret(self, server: str, prompt: str) -> Secret | None:
        return None


class Scene:
    """Everything the demo needs, below one folder; a context manager that ends its server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.places = Places(self.folder / "config", self.folder / "data")
        self.outputs = self.folder / "voices"
        self.project = self.folder / "deploy.toml"
        self._server: EmbeddedProcess | None = None

    def __enter__(self) -> Scene:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._server = start_embedded(self.folder / "sshd", self.folder / "server")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._server is not None:
            self._server.close()

    @property
    def server(self) -> EmbeddedProcess:
        assert self._server is not None
        return self._server

    @property
    def ssh_line(self) -> str:
        """What a provider would print for this server."""
        return self.server.spec().format()

    def config(self) -> Config:
        return load(self.project, self.places)

    def write_project(self) -> None:
        """The deploy.toml of the demo: written like a person's, read like a person's."""
        lines = [
            "version = 1", "[paths]",
            f"work = {_quoted(self.folder / 'server' / 'work')}",
            f"outputs = {_quoted(self.outputs)}",
            "[python]", f"path = {_quoted(Path(sys.executable))}",
            "[train]", f'voice = "{VOICE}"', 'preset = "tiny"', 'pretrained = ""',
            "[train.params]",
            *(f'"{name}" = {json.dumps(value)}' for name, value in PARAMS.items()),
        ]  # fmt: skip
        self.project.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def make_dataset(self) -> Dataset:
        """Let the engine speak the practice sentences, in a process of its own."""
        folder = self.folder / "dataset"
        argv = [sys.executable, "-m", "engine.practice", str(folder), VOICE]
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(  # noqa: S603 - our own module
            argv, capture_output=True, cwd=root, check=False
        )
        if done.returncode != 0:
            why = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise Problem("tui.demo.no_dataset", ExitCode.INTERNAL, why=why)
        made = json.loads(done.stdout.decode("utf-8").strip().rpartition("\n")[2])
        recordings = gather(VOICE, Path(made["list"]), folder / "wavs")
        return Dataset(recordings, int(made["clips"]), float(made["seconds"]))

    def add_server(self) -> None:
        """Through the same door as `sovdeck server add`; pins the host key."""
        config = load(self.project, self.places)
        register(
            self.ssh_line, config, self.places, NoPerson(), name=SERVER,
            accept=frozenset({self.server.fingerprint}), replace=True,
        )  # fmt: skip

    def studio(self) -> Studio:
        """The saved server, opened; its host key is pinned by now."""
        config = self.config()
        return Studio(SERVER, config.servers[SERVER], config, self.places, NoPerson())


def check_installed() -> None:
    """Problem when this computer cannot train: the demo's extra is not installed."""
    needed = ("asyncssh", "torch", "pyopenjtalk", "soundfile")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        raise Problem("tui.demo.not_installed", ExitCode.CONFIG, names=names)


def _quoted(path: Path) -> str:
    # A JSON string is a TOML basic string too, also with Windows' backslashes.
    return json.dumps(path.as_posix())
