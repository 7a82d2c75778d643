"""A practice environment for the demo: folders, an SSH server, a dataset, a saved server."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.keypair import ensure_key
from sovdeck.remote.config.load import load_config
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.config.schema import ProjectConfig
from sovdeck.remote.embedded.client import EmbeddedProcess, check_system
from sovdeck.remote.embedded.client import start_embedded as start_embedded
from sovdeck.remote.hosts.known_hosts import HostKey
from sovdeck.remote.secret import Secret
from sovdeck.remote.servers.add import register
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.voices.dataset import LocalRecordings, read_recordings
from sovdeck.tui.audio.measure_file import measure_file

PRACTICE_SERVER = "demo"
PRACTICE_VOICE = "Demo"
PRACTICE_PRESET = "tinyPro"  # v2Pro's parts, since that is what people train
# Few epochs of a tiny model: enough for both losses to fall, quick enough for two slow cores.
PRACTICE_PARAMS = {
    "train.repeats": 1,
    "sovits.epochs": 8,
    "sovits.save_every_epochs": 4,
    "sovits.batch_size": 4,
    "gpt.epochs": 20,
    "gpt.save_every_epochs": 10,
    "gpt.batch_size": 4,
    "train.device": "cpu",
    "train.save_every_minutes": 0,
}


@dataclass(frozen=True)
class PracticeDataset:
    """The practice recordings, as they were made here: list_file and wavs name them."""

    list_file: Path
    wavs: Path
    recordings: LocalRecordings
    clips: int
    seconds: float


class NoPrompts:
    """Login prompts for the practice server, whose fingerprint and key are known: never asks."""

    can_ask = False

    def host_key(self, key: HostKey, host: str, known_since: str) -> bool:
        """Refuse every host key that was not accepted beforehand."""
        return False

    def secret(self, server: str, prompt: str, *, again: bool = False) -> Secret | None:
        """Give no password."""
        return None


class PracticeEnvironment:
    """Everything the demo needs, below one folder; a context manager that ends its server.

    own_key: the server takes the key that sovdeck gives to what it rents, in place of one made for
    it alone.
    """

    def __init__(self, folder: Path, *, own_key: bool = False) -> None:
        self._own_key = own_key
        self.folder = folder.absolute()
        self.app_paths = AppPaths.below(self.folder)
        self.outputs = self.folder / "voices"
        self.project = self.folder / "deploy.toml"
        self._server: EmbeddedProcess | None = None

    def __enter__(self) -> PracticeEnvironment:
        self.folder.mkdir(parents=True, exist_ok=True)
        identity = None
        if self._own_key:
            identity = self.app_paths.private_key
            ensure_key(identity)
        self._server = start_embedded(
            self.folder / "sshd", self.folder / "server", identity=identity
        )
        return self

    def __exit__(self, *exc: object) -> None:
        if self._server is not None:
            self._server.close()

    @property
    def server(self) -> EmbeddedProcess:
        """The running SSH server; only inside the context."""
        assert self._server is not None
        return self._server

    @property
    def ssh_line(self) -> str:
        """What a provider would print for this server."""
        return self.server.spec().format()

    def config(self) -> ProjectConfig:
        """The demo's deploy.toml, read from disk."""
        return load_config(self.project, self.app_paths)

    def write_project(self, dataset: PracticeDataset | None = None) -> None:
        """The deploy.toml of the demo: written like a person's, read like a person's."""
        lines = [
            "version = 1",
            "[paths]",
            f"work = {_toml_string(self.folder / 'server' / 'work')}",
            f"outputs = {_toml_string(self.outputs)}",
            "[python]",
            f"path = {_toml_string(Path(sys.executable))}",
            "[train]",
            f'voice = "{PRACTICE_VOICE}"',
            f'preset = "{PRACTICE_PRESET}"',
            'pretrained = ""',
            "[train.params]",
            *(f'"{name}" = {json.dumps(value)}' for name, value in PRACTICE_PARAMS.items()),
        ]
        if dataset is not None:
            lines += [
                "[dataset]",
                f"list = {_toml_string(dataset.list_file)}",
                f"wavs = {_toml_string(dataset.wavs)}",
            ]
        self.project.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def make_dataset(self) -> PracticeDataset:
        """Let the engine synthesise the practice sentences, in a process of its own."""
        folder = self.folder / "dataset"
        argv = [sys.executable, "-m", "sovdeck.engine.practice", str(folder), PRACTICE_VOICE]
        root = Path(__file__).resolve().parents[2]
        process = subprocess.run(  # noqa: S603 - our own module
            argv, capture_output=True, cwd=root, check=False
        )
        if process.returncode != 0:
            why = process.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise Problem("tui.demo.no_dataset", ExitCode.INTERNAL, why=why)
        summary = json.loads(process.stdout.decode("utf-8").strip().rpartition("\n")[2])
        list_file, wavs = Path(summary["list"]), folder / "wavs"
        recordings = read_recordings(PRACTICE_VOICE, list_file, wavs, measure_file)
        return PracticeDataset(
            list_file, wavs, recordings, int(summary["clips"]), float(summary["seconds"])
        )

    def add_server(self) -> None:
        """Save the server as `sovdeck server add` does; pins the host key."""
        config = load_config(self.project, self.app_paths)
        register(
            self.ssh_line,
            config,
            self.app_paths,
            NoPrompts(),
            name=PRACTICE_SERVER,
            accept=frozenset({self.server.fingerprint}),
            replace=True,
        )

    def open_session(self) -> ServerSession:
        """A session with the saved server; its host key is pinned by now."""
        config = self.config()
        return ServerSession(
            PRACTICE_SERVER, config.servers[PRACTICE_SERVER], config, self.app_paths, NoPrompts()
        )


def check_installed() -> None:
    """Problem when this computer cannot train: it is Windows, or lacks the demo's extra."""
    check_system()
    needed = ("asyncssh", "torch", "pyopenjtalk", "soundfile")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        raise Problem("tui.demo.not_installed", ExitCode.CONFIG, names=names)


def _toml_string(path: Path) -> str:
    # A JSON string is a TOML basic string too, also with Windows' backslashes.
    return json.dumps(path.as_posix())
