"""What a server needs before it can train, decided from its facts. Pure; nothing is sent.

Nothing here needs root, Docker or systemd. An interpreter that already has a usable torch is
used before gigabytes are installed.
"""

from __future__ import annotations

from sovdeck.engine.contract.catalogue import text
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent.code_archive import CodeArchive
from sovdeck.remote.deploy.interpreter import choose_interpreter
from sovdeck.remote.deploy.steps import (
    CheckEngine,
    DeployOptions,
    DeployStep,
    MakeEnvironment,
    MakeFolders,
    SendCode,
    SendWheels,
    UsePython,
)
from sovdeck.remote.deploy.torch_index import IndexSurvey
from sovdeck.remote.probe.engine_requirements import GIB, RUN_BYTES
from sovdeck.remote.probe.facts import ServerFacts
from sovdeck.remote.probe.providers import ProviderProfile
from sovdeck.remote.probe.work_folder import expand_home, rank_disks


def plan(
    facts: ServerFacts,
    config: DeployOptions,
    code: CodeArchive,
    profile: ProviderProfile,
    survey: IndexSurvey | None = None,
) -> tuple[DeployStep, ...]:
    """Return the steps from these facts to a server that can train; Problem when impossible.

    survey: what the indexes answered about `wheels_needed`; None where nobody asked them.
    """
    layout = Layout.at(choose_work_folder(facts, config, profile))
    caches = {name: str(layout.work / folder) for name, folder in profile.caches.items()}
    choice = choose_interpreter(facts, config, code, layout, survey)
    python = choice.action
    env = {**caches, "PYTHONPATH": str(layout.code(code.sha)), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    fresh = facts.work != str(layout.work)
    disk = facts.disk(str(layout.work))
    return (
        DeployStep(
            "folders",
            text("remote.deploy.step_folders", work=layout.work),
            fresh or not facts.server_id,
            MakeFolders(layout, caches),
        ),
        DeployStep(
            "code",
            text("remote.deploy.step_code", sha=code.sha[:12], kib=len(code.data) >> 10),
            fresh or code.sha not in facts.code_shas,
            SendCode(layout, code),
        ),
        *_wheel_steps(python, config),
        DeployStep("python", choice.description, isinstance(python, MakeEnvironment), python),
        DeployStep(
            "check",
            text(
                "remote.deploy.step_check" if facts.gpus else "remote.deploy.step_check_later",
                python=python.python,
            ),
            True,
            CheckEngine(
                layout,
                python.python,
                code.sha,
                config.environment_key(code),
                env,
                python.build,
                profile.name,
                disk.mount if disk else "",
                len(facts.gpus),
            ),
        ),
    )


def _wheel_steps(
    python: UsePython | MakeEnvironment, config: DeployOptions
) -> tuple[DeployStep, ...]:
    if not config.wheels or isinstance(python, UsePython):
        return ()
    description = text("remote.deploy.step_wheels", source=config.wheels)
    return (DeployStep("wheels", description, True, SendWheels(config.wheels, python.wheels)),)


def choose_work_folder(facts: ServerFacts, config: DeployOptions, profile: ProviderProfile) -> str:
    """Return the configured work folder, else the earlier one, else the best one with space."""
    if config.work or facts.work:
        return expand_home(config.work or facts.work, facts)
    best = next(iter(rank_disks(facts, profile)), None)
    if best is None or (best.free or 0) < RUN_BYTES:
        raise Problem("remote.deploy.no_space", ExitCode.CONFIG, need=RUN_BYTES // GIB)
    return best.path
