"""Downloads on this computer the packages that a server cannot reach, to be sent over SSH."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_cache_path

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.deploy.apply import ReportStep, StepReport
from sovdeck.remote.deploy.interpreter import NEW_PYTHON
from sovdeck.remote.deploy.steps import DeployOptions, DeployStep, MakeEnvironment
from sovdeck.remote.file_lock import FileLock
from sovdeck.remote.probe.facts import ServerFacts
from sovdeck.remote.ssh.remote_tail import clean_line
from sovdeck.remote.transfer.download.part_file import disk_errors

_OLDEST_GLIBC_MINOR = 17


def download_wheels(
    facts: ServerFacts, steps: Sequence[DeployStep], config: DeployOptions, report: ReportStep
) -> Path:
    """Download the wheels the plan needs for that server's Python; returns the cache folder.

    Problem `remote.deploy.relay_failed` when pip fails, `remote.transfer.busy` while another
    process downloads into it.
    """
    folder = user_cache_path("sovdeck") / "wheels"
    make = next((s.action for s in steps if isinstance(s.action, MakeEnvironment)), None)
    if make is None:  # the server has everything already
        return folder
    argv = pip_download_argv(facts, make, config, folder)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "download.lock", folder)
    try:
        _download(argv, report)
    finally:
        lock.release(remove=True)
    return folder


def _download(argv: list[str], report: ReportStep) -> None:
    with subprocess.Popen(  # noqa: S603 - an argv of our own, no shell
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            last = clean_line(line.rstrip(b"\n")) or last
            report(StepReport("wheels", "doing", last))
    if process.returncode != 0:
        raise Problem("remote.deploy.relay_failed", ExitCode.UNREACHABLE, why=last)


def pip_download_argv(
    facts: ServerFacts, make: MakeEnvironment, config: DeployOptions, folder: Path
) -> list[str]:
    """Return the argv of pip that downloads wheels for another machine than this one."""
    base = next((p.version[:2] for p in facts.pythons if p.path == make.base), NEW_PYTHON)
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
        "--only-binary",
        ":all:",
        "--dest",
        str(folder),
        "--implementation",
        "cp",
        "--python-version",
        f"{base[0]}.{base[1]}",
    ]
    for tag in platform_tags(facts):
        argv += ["--platform", tag]
    for number, index in enumerate(config.indexes):
        argv += ["--index-url" if number == 0 else "--extra-index-url", index]
    if make.torch is not None:
        option = "--find-links" if make.torch.layout == "folder" else "--extra-index-url"
        argv += [option, make.torch.address]
    return [*argv, "--", *make.requirements]


def platform_tags(facts: ServerFacts) -> list[str]:
    """Return the wheel tags that server accepts, newest first (PEP 600)."""
    machine = facts.machine or "x86_64"
    found = re.search(r"glibc 2\.(\d+)", facts.libc)
    newest = int(found[1]) if found else 28
    return [
        f"manylinux_2_{minor}_{machine}" for minor in range(newest, _OLDEST_GLIBC_MINOR - 1, -1)
    ] + [
        f"manylinux2014_{machine}",
        f"linux_{machine}",
    ]
