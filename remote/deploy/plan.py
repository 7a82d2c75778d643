"""What a server needs before it can train, decided from its facts. Pure; nothing is sent.

Nothing here needs root, Docker or systemd. An interpreter that already has a usable torch is
used before gigabytes are installed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from engine.contract.catalogue import Text, text
from engine.contract.layout import Layout
from engine.contract.problem import ExitCode, Problem
from remote.code_archive import CodeArchive
from remote.facts import Interpreter, ServerFacts
from remote.needs import ENVIRONMENT_BYTES, GIB, PYTHONS, REUSED, RUN_BYTES
from remote.profiles import Profile
from remote.requirement import name_of, satisfies


@dataclass(frozen=True)
class DeployConfig:
    """What the user asked for; empty means "choose for me".

    work: work folder on the server. python: interpreter to use. indexes: package indexes in
    order. wheels: folder of wheels on this computer, sent along for servers without internet.
    relay: download the wheels here and send them, since the server cannot. torch_index: base
    address of PyTorch's own wheel index, to which the build (cu126 ...) is appended. torch:
    "auto" or a build's name.
    profile: provider, or "auto".
    """

    work: str = ""
    python: str = ""
    indexes: tuple[str, ...] = ()
    wheels: str = ""
    relay: bool = False
    torch: str = "auto"
    torch_index: str = ""
    profile: str = "auto"

    def key(self, code: CodeArchive) -> str:
        """Names the environment this wish leads to, apart from the code itself."""
        wish = (self.python, self.torch, self.torch_index, *code.requirements)
        return hashlib.sha256("\n".join(wish).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class MakeFolders:
    layout: Layout
    caches: Mapping[str, str]


@dataclass(frozen=True)
class SendCode:
    layout: Layout
    code: CodeArchive


@dataclass(frozen=True)
class UsePython:
    """An interpreter that has everything already."""

    python: str


@dataclass(frozen=True)
class MakeEnvironment:
    """Build `folder` by `method` (venv | overlay | uv | conda) and install requirements.

    An overlay is a venv that also sees the packages of the interpreter it is made from.
    """

    folder: str
    method: str
    base: str
    key: str
    requirements: tuple[str, ...]
    indexes: tuple[str, ...] = ()
    wheels: str = ""
    torch_index: str = ""

    @property
    def python(self) -> str:
        return f"{self.folder}/bin/python"


@dataclass(frozen=True)
class CheckEngine:
    """Import the engine and torch with that interpreter, then write down what stands."""

    layout: Layout
    python: str
    code_sha: str
    wish: str
    env: Mapping[str, str]


@dataclass(frozen=True)
class SendWheels:
    """Push the wheels of a folder on this computer to a folder on the server."""

    source: str
    folder: str


Action = MakeFolders | SendCode | SendWheels | UsePython | MakeEnvironment | CheckEngine


@dataclass(frozen=True)
class Step:
    """One step: what it does and why, whether the server still needs it, and how."""

    name: str
    what: Text
    needed: bool
    action: Action


def plan(
    facts: ServerFacts, config: DeployConfig, code: CodeArchive, profile: Profile
) -> tuple[Step, ...]:
    """The steps from these facts to a server that can train. Problem when there is no way."""
    layout = Layout.at(choose_work(facts, config, profile))
    caches = {name: str(layout.work / folder) for name, folder in profile.caches.items()}
    python = choose_python(facts, config, code, layout)
    env = {**caches, "PYTHONPATH": str(layout.code(code.sha)), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    fresh = facts.work != str(layout.work)
    folders = MakeFolders(layout, caches)
    send = SendCode(layout, code)
    path = python.python
    return (
        Step("folders", text("remote.deploy.step_folders", work=layout.work),
             fresh or not facts.identity, folders),
        Step("code", text("remote.deploy.step_code", sha=code.sha[:12], kib=len(code.data) >> 10),
             fresh or code.sha not in facts.codes, send),
        *_wheel_steps(python, config),
        _python_step(python),
        Step("check", text("remote.deploy.step_check", python=path), True,
             CheckEngine(layout, path, code.sha, config.key(code), env)),
    )  # fmt: skip


def _wheel_steps(python: UsePython | MakeEnvironment, config: DeployConfig) -> tuple[Step, ...]:
    if not config.wheels or isinstance(python, UsePython):
        return ()
    what = text("remote.deploy.step_wheels", source=config.wheels)
    return (Step("wheels", what, True, SendWheels(config.wheels, python.wheels)),)


def _python_step(action: UsePython | MakeEnvironment) -> Step:
    if isinstance(action, UsePython):
        what = text("remote.deploy.step_reuse", python=action.python)
        return Step("python", what, False, action)
    names = ", ".join(map(name_of, action.requirements)) or "-"
    what = text(
        "remote.deploy.step_overlay" if action.method == "overlay" else "remote.deploy.step_make",
        base=action.base, method=action.method, folder=action.folder, packages=names,
    )  # fmt: skip
    return Step("python", what, True, action)


def choose_work(facts: ServerFacts, config: DeployConfig, profile: Profile) -> str:
    """The work folder: asked for, else the earlier one, else the first with room."""
    if config.work or facts.work:
        return _home(config.work or facts.work, facts)
    rooms = []
    for folder in profile.folders:
        path = _home(folder, facts)
        disk = facts.disk(path)
        if disk is not None and disk.writable and disk.free is not None:
            if disk.free >= ENVIRONMENT_BYTES + RUN_BYTES:
                return path
            rooms.append((disk.free, path))
    if not rooms or max(rooms)[0] < RUN_BYTES:
        raise Problem("remote.deploy.no_room", ExitCode.CONFIG, need=RUN_BYTES // GIB)
    return max(rooms)[1]


def _home(path: str, facts: ServerFacts) -> str:
    return facts.home + path[1:] if path.startswith("~") else path


def choose_python(
    facts: ServerFacts, config: DeployConfig, code: CodeArchive, layout: Layout
) -> UsePython | MakeEnvironment:
    """The interpreter to use, or the environment to make."""
    key = config.key(code)
    ours = str(layout.environment / "bin" / "python")
    if facts.environment.get("key") == key and facts.work == str(layout.work):
        return UsePython(ours)
    candidates = [p for p in facts.pythons if _usable(p) and p.path != ours]
    if config.python:
        candidates = [p for p in candidates if p.path == config.python]
        if not candidates:
            raise Problem("remote.deploy.python_missing", ExitCode.CONFIG, path=config.python)
    for python in candidates:
        if not _lacking(python, code):
            return UsePython(python.path)

    def made(method: str, base: str, requirements: tuple[str, ...], torch: bool) -> MakeEnvironment:
        build = torch_build(facts, config) if torch and config.torch_index else ""
        return MakeEnvironment(
            str(layout.environment), method, base, key, requirements, config.indexes,
            str(layout.work / "wheels") if config.wheels else "",
            f"{config.torch_index.rstrip('/')}/{build}" if build else "",
        )  # fmt: skip

    with_torch = [p for p in candidates if all(_has(p, line) for line in REUSED.values())]
    for python in sorted(with_torch, key=lambda p: len(_lacking(p, code))):
        if python.venv:
            return made("overlay", python.path, _lacking(python, code), torch=False)
    for python in sorted(candidates, key=lambda p: p.version, reverse=True):
        if python.venv:
            return made("venv", python.path, code.requirements, torch=True)
    for tool in ("uv", "conda"):
        if tool in facts.tools:
            return made(tool, facts.tools[tool], code.requirements, torch=True)
    raise Problem("remote.deploy.no_python", ExitCode.CONFIG)


def _usable(python: Interpreter) -> bool:
    return PYTHONS[0] <= python.version[:2] <= PYTHONS[1]


def _has(python: Interpreter, line: str) -> bool:
    version = python.distributions.get(name_of(line))
    return version is not None and satisfies(version, line)


def _lacking(python: Interpreter, code: CodeArchive) -> tuple[str, ...]:
    wanted = (REUSED.get(name_of(line), line) for line in code.requirements)
    return tuple(line for line in wanted if not _has(python, line))


def torch_build(facts: ServerFacts, config: DeployConfig) -> str:
    """The name of the torch build this driver can run, for example "cu128".

    CUDA 12 builds run on every driver of the 12 line; cu126 is the last one with kernels for
    cards before Turing (capability 7.5).
    """
    if config.torch != "auto":
        return config.torch
    ceiling = facts.cuda_ceiling
    if ceiling is None:
        # A driver that answers with an error is a server in its mode without a GPU.
        bare = not facts.gpus and all(f.code == "remote.gpu.not_installed" for f in facts.faults)
        return "cpu" if bare else "cu128"
    if ceiling < (12, 0):
        raise Problem(
            "remote.deploy.old_driver", ExitCode.CONFIG, have=f"{ceiling[0]}.{ceiling[1]}"
        )
    if facts.capabilities and min(facts.capabilities) < 7.5:
        return "cu126"
    if ceiling >= (13, 0):
        return "cu130"
    return "cu128" if ceiling >= (12, 8) else "cu126"
