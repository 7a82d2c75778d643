"""A server that has a shell and one Python, with the usual tools or with busybox alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sovdeck.remote import deploy
from sovdeck.remote.agent.code_archive import build_code_archive
from sovdeck.remote.deploy import DeployOptions, StepReport
from sovdeck.remote.probe.diagnosis import diagnose
from sovdeck.remote.probe.probe import probe_server


def test_probe_and_deploy(link: Any, tmp_path: Path) -> None:
    work = tmp_path / "work"
    link.env["HOME"] = str(tmp_path)
    config = DeployOptions(work=str(work), python=sys.executable)
    facts = probe_server(link, work=config.work, python=config.python)
    disk = facts.disk(config.work)
    assert facts.cpus and facts.memory_total and facts.clock_skew == 0.0
    assert disk is not None and disk.free and disk.inodes_free and disk.writable
    assert [found.message.en for found in diagnose(facts) if found.level == "bad"] == []

    reports: list[StepReport] = []
    deployed = deploy.deploy(link, config, reports.append)
    assert [r.name for r in reports if r.state == "done"] == ["folders", "code", "check"]
    assert (
        work / "code" / build_code_archive().sha / "sovdeck" / "engine" / "__main__.py"
    ).exists()
    trips = link.trips
    assert deploy.deploy(link, config, reports.append) == deployed
    assert link.trips == trips + 1
