"""Which Python runs the engine: the image's own, the image's with more, or an environment of ours.

Pure. An image's torch is kept where it is new enough, runs on this driver and has kernels for
these cards; else the build that fits is installed, with its exact version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent.code_archive import CodeArchive
from sovdeck.remote.deploy.steps import DeployOptions, MakeEnvironment, UsePython
from sovdeck.remote.deploy.torch_build import (
    PYPI_BUILD,
    TORCH_BUILDS,
    choose_torch,
    why_not_reused,
)
from sovdeck.remote.deploy.torch_index import (
    PYPI_MIRRORS,
    TORCH_BASES,
    IndexSurvey,
    WheelNeed,
    WheelSource,
)
from sovdeck.remote.probe.engine_requirements import (
    PYTHON_RANGE,
    REUSABLE_REQUIREMENTS,
    requirement_name,
    requirements_for,
    satisfies,
)
from sovdeck.remote.probe.facts import Interpreter, ServerFacts
from sovdeck.remote.probe.providers import PLAIN_INDEX

# Of an environment that uv or conda makes: what install.sh asks them for.
NEW_PYTHON = (3, 11)
# torchaudio is built for one torch; where an image has that torch alone, the partner is added.
_TORCH_PACKAGES = ("torch", "torchaudio")
# Builds that need no index of torch's: without a GPU, PyPI's larger one does as well.
PYPI_SERVES = (PYPI_BUILD, "cpu")
# What PyPI's own wheel of a torch release was built for, where it is not PYPI_BUILD.
_OLDER_PYPI_BUILDS = {"2.7": "cu126", "2.8": "cu128", "2.9": "cu128", "2.10": "cu128"}


@dataclass(frozen=True)
class PythonChoice:
    """What runs the engine, in words, and what the indexes have to be asked for (None: nothing)."""

    action: UsePython | MakeEnvironment
    description: Text
    need: WheelNeed | None = None


def choose_interpreter(
    facts: ServerFacts,
    config: DeployOptions,
    code: CodeArchive,
    layout: Layout,
    survey: IndexSurvey | None = None,
) -> PythonChoice:
    """Return the interpreter to use, or the environment to make; Problem when there is none.

    survey: what the indexes answered to `need`; None where nobody asked them yet.
    """
    ours = str(layout.environment / "bin" / "python")
    candidates = [p for p in facts.pythons if _is_supported(p) and p.path != ours]
    if config.python:
        candidates = [p for p in candidates if p.path == config.python]
        if not candidates:
            raise Problem("remote.deploy.python_missing", ExitCode.CONFIG, path=config.python)
    reasons = {
        p.path: None if config.python else why_not_reused(p, facts)
        for p in candidates
        if _has_requirement(p, REUSABLE_REQUIREMENTS["torch"])
    }
    usable = [p for p in candidates if p.path in reasons and reasons[p.path] is None]
    for python in usable:
        if not _missing_requirements(python, code, facts):
            description = text("remote.deploy.step_reuse", python=python.path)
            return PythonChoice(UsePython(python.path, _image_build(python)), description)

    standing = facts.environment.get("key") if facts.work == str(layout.work) else None
    can_stand = any(python.path == ours for python in facts.pythons)

    def finish(choice: PythonChoice) -> PythonChoice:
        # What stands under the same key is used, unless its interpreter went with the image.
        assert isinstance(choice.action, MakeEnvironment)
        if standing == choice.action.key and can_stand:
            description = text("remote.deploy.step_reuse", python=ours)
            return PythonChoice(UsePython(ours, choice.action.build), description)
        return choice

    for python in sorted(usable, key=lambda p: len(_missing_requirements(p, code, facts))):
        if python.venv:
            choice = _overlay(python, facts, config, code, layout, survey)
            if choice is not None:
                return finish(choice)
    refused = next((reason for reason in reasons.values() if reason is not None), None)
    method, base, version = _way_to_make_one(candidates, facts)
    return finish(
        _own_environment(method, base, version, refused, facts, config, code, layout, survey)
    )


def _way_to_make_one(
    candidates: Sequence[Interpreter], facts: ServerFacts
) -> tuple[str, str, tuple[int, int]]:
    """(method, program, version of the Python it gives)."""
    for python in sorted(candidates, key=lambda p: p.version, reverse=True):
        if python.venv:
            return "venv", python.path, python.version[:2]
    for tool in ("uv", "conda"):
        if tool in facts.tools:
            return tool, facts.tools[tool], NEW_PYTHON
    raise Problem("remote.deploy.no_python", ExitCode.CONFIG)


def _overlay(
    python: Interpreter,
    facts: ServerFacts,
    config: DeployOptions,
    code: CodeArchive,
    layout: Layout,
    survey: IndexSurvey | None,
) -> PythonChoice | None:
    """Add to an image's Python what it lacks; None where torchaudio cannot be had for its torch."""
    missing = _missing_requirements(python, code, facts)
    build = _image_build(python)
    need = source = None
    if any(requirement_name(line) == "torchaudio" for line in missing):
        release = ".".join(python.distributions["torch"].partition("+")[0].split(".")[:3])
        need = _wheel_need(build, {"torchaudio": release}, python.version[:2], facts)
        source = survey.best(need) if survey is not None else None
        from_pypi = _OLDER_PYPI_BUILDS.get(release.rpartition(".")[0], PYPI_BUILD) == build
        if source is None and not from_pypi and survey is not None:
            return None
        pin = source.pins["torchaudio"] if source is not None else release
        missing = tuple(
            f"torchaudio=={pin}" if requirement_name(line) == "torchaudio" else line
            for line in missing
        )
    action = _make("overlay", python.path, missing, build, source, config, code, layout, survey)
    # An image of another torch under the same options is another environment.
    action = replace(action, key=config.environment_key(code, f"{python.path} {build}"))
    names = ", ".join(map(requirement_name, missing)) or "-"
    facts_said = {"base": python.path, "folder": action.folder, "packages": names}
    torch = python.distributions["torch"]
    return PythonChoice(action, text("remote.deploy.step_overlay", torch=torch, **facts_said), need)


def _own_environment(
    method: str,
    base: str,
    version: tuple[int, int],
    refused: Text | None,
    facts: ServerFacts,
    config: DeployOptions,
    code: CodeArchive,
    layout: Layout,
    survey: IndexSurvey | None,
) -> PythonChoice:
    chosen = choose_torch(facts, config.torch)
    lines = requirements_for(code.requirements, facts.machine)
    releases = {
        name: line.partition("==")[2].removesuffix(".*")
        for line in lines
        if (name := requirement_name(line)) in _TORCH_PACKAGES
    }
    need = _wheel_need(chosen.build, releases, version, facts) if "torch" in releases else None
    source = survey.best(need) if survey is not None and need is not None else None
    pins = source.pins if source is not None else {}
    requirements = tuple(
        f"{name}=={pins[name]}" if (name := requirement_name(line)) in pins else line
        for line in lines
    )
    action = _make(method, base, requirements, chosen.build, source, config, code, layout, survey)
    names = ", ".join(map(requirement_name, requirements)) or "-"
    parts = [
        text(
            "remote.deploy.step_make",
            base=base,
            method=method,
            folder=action.folder,
            packages=names,
        ),
        *([refused] if refused is not None else []),
        chosen.reason,
    ]
    if need is not None:
        parts.append(_download_text(chosen.build, source, survey))
    return PythonChoice(action, _join(parts), need)


def _make(
    method: str,
    base: str,
    requirements: tuple[str, ...],
    build: str,
    source: WheelSource | None,
    config: DeployOptions,
    code: CodeArchive,
    layout: Layout,
    survey: IndexSurvey | None,
) -> MakeEnvironment:
    return MakeEnvironment(
        str(layout.environment),
        method,
        base,
        config.environment_key(code, build),
        requirements,
        choose_indexes(config, survey),
        str(layout.work / "wheels") if config.wheels else "",
        build,
        source,
    )


def choose_indexes(config: DeployOptions, survey: IndexSurvey | None) -> tuple[str, ...]:
    """Return the package indexes to use; () is what pip is set to there, PyPI where it is not.

    Named ones are taken as they are. A mirror is named only where PyPI did not answer.
    """
    if config.indexes or survey is None or PLAIN_INDEX in survey.plain:
        return config.indexes
    return tuple(index for index in survey.plain if index in PYPI_MIRRORS)


def torch_bases(config: DeployOptions) -> tuple[str, ...]:
    """Return where torch's builds are looked for: the named base, else PyTorch's and mirrors."""
    return (config.torch_index,) if config.torch_index else TORCH_BASES


def plain_indexes(config: DeployOptions) -> tuple[str, ...]:
    """Return the package indexes whose reachability matters."""
    return config.indexes or (PLAIN_INDEX, *PYPI_MIRRORS)


def needs_relay(choice: PythonChoice, survey: IndexSurvey) -> bool:
    """Whether the server itself cannot get the wheels: no index of torch's, and PyPI's does not do.

    survey: what the indexes answered to the server.
    """
    if not isinstance(choice.action, MakeEnvironment) or choice.need is None:
        return False
    if survey.best(choice.need) is not None:
        return False
    return choice.action.build not in PYPI_SERVES or not survey.plain


def _download_text(build: str, source: WheelSource | None, survey: IndexSurvey | None) -> Text:
    wheel = source.torch_bytes if source is not None else None
    size = TORCH_BUILDS[build].download_bytes(wheel) if build in TORCH_BUILDS else 0
    gigabytes = f"{size / 1e9:.1f}" if size else "?"
    if source is None:
        if build not in PYPI_SERVES:
            return text("remote.torch.not_asked", build=build)
        plain = TORCH_BUILDS[PYPI_BUILD].download_bytes()
        return text("remote.torch.from_plain", gb=f"{plain / 1e9:.1f}")
    if survey is not None and survey.by_laptop:
        return text("remote.torch.by_relay", version=source.pins["torch"], gb=gigabytes)
    known = {"version": source.pins["torch"], "address": source.address, "gb": gigabytes}
    if not source.speed or not size:
        return text("remote.torch.from_index", **known)
    minutes = max(1, round(size / source.speed / 60))
    speed = f"{source.speed / 1e6:.1f}"
    return text("remote.torch.from_index_timed", **known, speed=speed, minutes=minutes)


def _join(parts: Sequence[Text]) -> Text:
    return Text(" ".join(part.en for part in parts), "".join(part.zh for part in parts))


def _wheel_need(
    build: str, packages: dict[str, str], version: tuple[int, ...], facts: ServerFacts
) -> WheelNeed:
    return WheelNeed(build, packages, f"cp{version[0]}{version[1]}", facts.machine or "x86_64")


def _image_build(python: Interpreter) -> str:
    """The build of an image's torch, named as in PyTorch's index ("cu128")."""
    if python.cuda is None:
        return "cpu"
    return "cu" + "".join(python.cuda.split(".")[:2])


def _is_supported(python: Interpreter) -> bool:
    return PYTHON_RANGE[0] <= python.version[:2] <= PYTHON_RANGE[1]


def _has_requirement(python: Interpreter, line: str) -> bool:
    version = python.distributions.get(requirement_name(line))
    return version is not None and satisfies(version, line)


def _missing_requirements(
    python: Interpreter, code: CodeArchive, facts: ServerFacts
) -> tuple[str, ...]:
    needed = requirements_for(code.requirements, facts.machine)
    wanted = (REUSABLE_REQUIREMENTS.get(requirement_name(line), line) for line in needed)
    return tuple(line for line in wanted if not _has_requirement(python, line))
