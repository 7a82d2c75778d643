"""Deploying to a real SSH server: whole, repeated, changed, interrupted, by two at once."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.contract.spec import RunSpec
from remote import deploy, job
from remote.deploy import DeployConfig, StepReport
from remote.link import Link
from remote.probe import probe
from remote.verdict import verdict


@pytest.fixture(scope="module")
def server(embedded: Any) -> Iterator[Link]:
    with embedded.connect() as link:
        yield link


@pytest.fixture
def config(tmp_path: Path) -> DeployConfig:
    return DeployConfig(work=str(tmp_path / "work"), python=sys.executable)


def test_probe_finds_this_machine(server: Link, tmp_path: Path) -> None:
    facts = probe(server, work=str(tmp_path), python=sys.executable, check_sftp=True)
    assert facts.system == "Linux" and facts.cpus and facts.memory_total and facts.sftp
    assert facts.skew == 0.0
    ours = next(python for python in facts.pythons if python.path == sys.executable)
    assert ours.version[:2] == sys.version_info[:2] and "torch" in ours.distributions
    disk = facts.disk(str(tmp_path))
    assert disk is not None and disk.free and disk.writable
    assert [f.message.en for f in verdict(facts) if f.level == "bad"] == []


def test_deploy_then_nothing_to_do_then_a_run(server: Link, config: DeployConfig) -> None:
    reports: list[StepReport] = []
    deployed = deploy.deploy(server, config, reports.append)
    assert [r.name for r in reports if r.state == "done"] == ["folders", "code", "check"]
    assert deployed.python == sys.executable

    reports.clear()
    assert deploy.deploy(server, config, reports.append) == deployed
    assert reports == [StepReport("code", "kept")]
    assert deploy.ready(server, config) == deployed

    # The engine that was sent runs there: a spec that names no data is refused by it.
    run = job.start(server, deployed, RunSpec(run="first", voice="anna", stages=("prepare",)))
    state = job.state(server, run)
    deadline = time.monotonic() + 30
    while not state.ended and time.monotonic() < deadline:
        time.sleep(0.2)
        state = job.state(server, run)
    assert state.ended and state.code not in (None, 0)
    assert [found.run for found in job.runs(server, deployed.layout)] == ["first"]
