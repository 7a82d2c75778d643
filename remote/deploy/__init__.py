"""Puts the engine on a server without root: facts, then a plan, then its steps.

    deployed = deploy(connection, config, report)  # one round trip when nothing changed

`plan` is pure and is what `--dry-run` shows; `apply_steps` carries it out.

May import, of `remote`: `jobs`, `probe`, `transfer` and the layers below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from packaging.version import InvalidVersion, Version

from sovdeck.engine.contract.foreign_values import parse_json
from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.agent.code_archive import CodeArchive, build_code_archive
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.deploy.apply import (
    DeployConnections,
    ReportStep,
    StepReport,
    apply_steps,
    send_code,
)
from sovdeck.remote.deploy.interpreter import (
    PYPI_SERVES,
    choose_interpreter,
    needs_relay,
    plain_indexes,
    torch_bases,
)
from sovdeck.remote.deploy.plan import choose_work_folder, plan
from sovdeck.remote.deploy.steps import DeployOptions, DeployStep
from sovdeck.remote.deploy.torch_index import (
    IndexSurvey,
    survey_from_laptop,
    survey_from_server,
)
from sovdeck.remote.deploy.wheels import download_wheels
from sovdeck.remote.probe.facts import ServerFacts
from sovdeck.remote.probe.nvidia_smi import cuda_of_driver, parse_driver_version
from sovdeck.remote.probe.probe import probe_server
from sovdeck.remote.probe.providers import candidate_folders, find_profile
from sovdeck.remote.ssh.channel_reader import ConnectionSource
from sovdeck.remote.ssh.client import SSHConnection

__all__ = [
    "CodeArchive",
    "DeployOptions",
    "Deployed",
    "DeployConnections",
    "DeployPlan",
    "ReportStep",
    "DeployStep",
    "StepReport",
    "apply_steps",
    "build_code_archive",
    "deploy",
    "plan",
    "find_deployed",
    "OtherDeployment",
    "find_other_deployment",
    "plan_for_server",
]


@dataclass(frozen=True)
class DeployPlan:
    """The steps for one server, and the options they follow: `relay` may have become true."""

    steps: tuple[DeployStep, ...]
    options: DeployOptions
    facts: ServerFacts
    survey: IndexSurvey | None


def plan_for_server(
    connection: SSHConnection, facts: ServerFacts, config: DeployOptions
) -> DeployPlan:
    """Plan the deployment of this program's own engine on a probed server.

    One round trip where torch has to be installed, two where an image's own cannot be completed:
    the server asks the indexes. Where it reaches none that does, this computer asks, and will send
    the packages. Problem
    `remote.deploy.torch_unreachable` where neither finds one.
    """
    code = build_code_archive()
    profile = find_profile(config.profile, connection.spec.host, facts.provider_marks)
    layout = Layout.at(choose_work_folder(facts, config, profile))
    choice = choose_interpreter(facts, config, code, layout)
    if choice.need is None or config.wheels:
        return DeployPlan(plan(facts, config, code, profile), config, facts, None)
    bases, plain = torch_bases(config), plain_indexes(config)
    survey = IndexSurvey(by_laptop=True)
    if not config.relay:
        asked = choice.need
        survey = survey_from_server(connection, facts, asked, bases, plain)
        choice = choose_interpreter(facts, config, code, layout, survey)
        if choice.need is not None and choice.need != asked:
            # What the image's torch lacks cannot be had: of a new one nothing was asked yet.
            survey = survey_from_server(connection, facts, choice.need, bases, plain)
    if choice.need is not None and (config.relay or needs_relay(choice, survey)):
        failed = survey.failed or {}
        survey = survey_from_laptop(choice.need, bases)
        if survey.best(choice.need) is None and choice.need.build not in PYPI_SERVES:
            raise _torch_unreachable(choice.need.build, {**(survey.failed or {}), **failed})
        config = replace(config, relay=True)
    return DeployPlan(plan(facts, config, code, profile, survey), config, facts, survey)


def _torch_unreachable(build: str, failed: Mapping[str, str]) -> Problem:
    why = "; ".join(f"{address}: {reason}" for address, reason in failed.items())
    return Problem(
        "remote.deploy.torch_unreachable", ExitCode.UNREACHABLE, build=build, why=why or "-"
    )


def deploy(
    connection: SSHConnection,
    config: DeployOptions,
    report: ReportStep,
    *,
    connection_source: ConnectionSource | None = None,
    connect: ConnectionSource | None = None,
    confirm: Callable[[tuple[DeployStep, ...]], None] | None = None,
) -> Deployed:
    """Bring the server to where it can train.

    One round trip when nothing changed, two when only the code did; otherwise probe, plan and
    apply. connection_source: gives a live connection when this one is lost meanwhile. connect:
    opens a connection of its own, for uploads over several. confirm: is given the plan first, and
    may raise to leave everything as it is.
    """
    code = build_code_archive()
    deployed, has_code = _read_deployed(connection, config, code)
    if deployed is not None:
        if has_code:
            report(StepReport("code", "kept"))
        else:
            report(StepReport("code", "doing"))
            report(StepReport("code", "done", send_code(connection, deployed.layout, code)))
        return deployed
    facts = probe_server(connection, work=config.work, python=config.python)
    planned = plan_for_server(connection, facts, config)
    steps = planned.steps
    if confirm is not None:
        confirm(steps)
    if planned.options.relay:
        folder = download_wheels(facts, steps, planned.options, report)
        options = replace(planned.options, wheels=str(folder))
        profile = find_profile(options.profile, connection.spec.host, facts.provider_marks)
        steps = plan(facts, options, code, profile, planned.survey)
    reconnect = connection_source or (lambda: connection)
    return apply_steps(
        DeployConnections(connection, reconnect, connect or reconnect), steps, report
    )


def find_deployed(connection: SSHConnection, config: DeployOptions) -> Deployed | None:
    """Return the existing deployment of this very code and config, or None. One round trip."""
    deployed, has_code = _read_deployed(connection, config, build_code_archive())
    return deployed if has_code else None


def _read_deployed(
    connection: SSHConnection, config: DeployOptions, code: CodeArchive
) -> tuple[Deployed | None, bool]:
    lines = _deployment_lines(connection, config, code)
    try:
        record: Any = parse_json(lines.get("deployed", ""))
        if record["environment_key"] != config.environment_key(code):
            return None, False
        if not _still_fits(record, lines.get("driver", "")):
            return None, False
        layout = Layout.at(str(record["work"]))
        env = {str(name): str(value) for name, value in record["env"].items()}
        env["PYTHONPATH"] = str(layout.code(code.sha))
        provider, mount = str(record.get("provider", "plain")), str(record.get("mount", ""))
        deployed = Deployed(layout, str(record["python"]), code.sha, env, provider, mount)
        return deployed, "code" in lines
    except (ValueError, KeyError, TypeError, AttributeError):
        # No record, or not one of ours: a probe finds out what is installed there.
        return None, False


@dataclass(frozen=True)
class OtherDeployment:
    """What is on a server instead of a deployment of this very code.

    wiped: the work folder whose engine lost its interpreter with the system disk: a container that
    was stopped and started again has its image's disk anew, and keeps its data. version: of the
    newest engine there. Each None where there is no such thing.
    """

    wiped: str | None
    version: Version | None


def find_other_deployment(connection: SSHConnection, config: DeployOptions) -> OtherDeployment:
    """Look for what an earlier deployment left. One round trip."""
    lines = _deployment_lines(connection, config, build_code_archive())
    try:
        version = Version(lines["engine"])
    except (KeyError, InvalidVersion):
        version = None
    return OtherDeployment(lines.get("wiped"), version)


def _deployment_lines(
    connection: SSHConnection, config: DeployOptions, code: CodeArchive
) -> dict[str, str]:
    arguments = [config.work, code.sha, ":".join(candidate_folders())]
    result = connection.script(read_script("read_deployed.sh"), arguments)
    text = result.out.decode("utf-8", "replace")
    return dict(line.partition(" ")[::2] for line in text.split("\n"))


def _still_fits(record: Mapping[str, Any], driver_line: str) -> bool:
    """Whether the torch that was installed runs on the driver of today, and was tried on a GPU.

    A rented server may come back on another host, or with the GPU it lacked at the deployment.
    """
    cuda = cuda_of_driver(parse_driver_version(driver_line))
    if cuda is None:
        return True
    build = str(record.get("build", ""))
    major = re.match(r"cu(\d\d)", build)
    runs = build != "cpu" and (major is None or int(major[1]) <= cuda[0])
    return runs and bool(record.get("gpu"))
