"""The options of a deployment and the steps a plan is made of. Data only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.layout import Layout
from sovdeck.remote.agent.code_archive import CodeArchive
from sovdeck.remote.deploy.torch_index import WheelSource


@dataclass(frozen=True)
class DeployOptions:
    """What the user asked for; empty means "choose for me".

    work: work folder on the server. python: interpreter to use. indexes: package indexes in
    order. wheels: folder of wheels on this computer, sent along for servers without internet.
    relay: download the wheels here and send them, since the server cannot. torch_index: base
    address of PyTorch's own wheel index, to which the build (cu126 ...) is appended. torch:
    "auto" or a build's name. profile: provider, or "auto".
    """

    work: str = ""
    python: str = ""
    indexes: tuple[str, ...] = ()
    wheels: str = ""
    relay: bool = False
    torch: str = "auto"
    torch_index: str = ""
    profile: str = "auto"

    def environment_key(self, code: CodeArchive, build: str = "") -> str:
        """Return a hash that names the environment of these options, apart from the code.

        build: the torch that it holds. Without one the key names what was asked for, which is
        known before a server is probed.
        """
        parts = (self.python, self.torch, self.torch_index, *code.requirements, build)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class MakeFolders:
    """Make the work folder, its subfolders and the caches (variable name -> path)."""

    layout: Layout
    caches: Mapping[str, str]


@dataclass(frozen=True)
class SendCode:
    """Upload the engine's code to code/<sha>."""

    layout: Layout
    code: CodeArchive


@dataclass(frozen=True)
class UsePython:
    """An interpreter that has everything already. build: the torch it holds."""

    python: str
    build: str


@dataclass(frozen=True)
class MakeEnvironment:
    """Build `folder` by `method` (venv | overlay | uv | conda) and install requirements.

    An overlay is a venv that also sees the packages of the interpreter it is made from. build: the
    torch it holds, and torch: where that one comes from; None means the package indexes.
    """

    folder: str
    method: str
    base: str
    key: str
    requirements: tuple[str, ...]
    indexes: tuple[str, ...] = ()
    wheels: str = ""
    build: str = ""
    torch: WheelSource | None = None

    @property
    def python(self) -> str:
        """Path of the interpreter it will have."""
        return f"{self.folder}/bin/python"


@dataclass(frozen=True)
class CheckEngine:
    """Import the engine and torch, run a kernel on the GPU, then write deployed.json.

    build, provider, mount: what the record says of the torch and of the disk below the work
    folder. gpus: how many nvidia-smi shows; where it shows one, one has to compute.
    """

    layout: Layout
    python: str
    code_sha: str
    environment_key: str
    env: Mapping[str, str]
    build: str = ""
    provider: str = "plain"
    mount: str = ""
    gpus: int = 0


@dataclass(frozen=True)
class SendWheels:
    """Push the wheels of a folder on this computer to a folder on the server."""

    source: str
    folder: str


DeployAction = MakeFolders | SendCode | SendWheels | UsePython | MakeEnvironment | CheckEngine


@dataclass(frozen=True)
class DeployStep:
    """One step: what it does and why, whether the server still needs it, and how."""

    name: str
    description: Text
    needed: bool
    action: DeployAction
