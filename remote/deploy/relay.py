"""Downloads on this computer the packages that a server cannot reach, to be sent over SSH."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_cache_path

from engine.contract.problem import ExitCode, Problem
from remote.deploy.apply import Report, StepReport
from remote.deploy.plan import DeployConfig, MakeEnvironment, Step
from remote.facts import ServerFacts
from remote.tail import clean_line

_OLDEST_GLIBC = 17
_MADE_VERSION = (3, 11)  # what install.sh asks uv and conda for


def gather(facts: ServerFacts, steps: Sequence[Step], config: DeployConfig, report: Report) -> Path:
    """Fetch the wheels the plan needs for that server's Python; a folder in our cache."""
    folder = user_cache_path("sovdeck") / "wheels"
    make = next((s.action for s in steps if isinstance(s.action, MakeEnvironment)), None)
    if make is None:  # the server has everything already
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    argv = download_argv(facts, make, config, folder)
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
    return folder


def download_argv(
    facts: ServerFacts, make: MakeEnvironment, config: DeployConfig, folder: Path
) -> list[str]:
    """The pip call that fetches wheels for another machine than this one."""
    base = next((p.version[:2] for p in facts.pythons if p.path == make.base), _MADE_VERSION)
    argv = [
        sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input",
        "--progress-bar", "off", "--only-binary", ":all:", "--dest", str(folder),
        "--implementation", "cp", "--python-version", f"{base[0]}.{base[1]}",
    ]  # fmt: skip
    for tag in platform_tags(facts):
        argv += ["--platform", tag]
    for number, index in enumerate(config.indexes):
        argv += ["--index-url" if number == 0 else "--extra-index-url", index]
    if make.torch_index:
        argv += ["--extra-index-url", make.torch_index]
    return [*argv, "--", *make.requirements]


def platform_tags(facts: ServerFacts) -> list[str]:
    """The wheel tags that server accepts, newest first (PEP 600)."""
    machine = facts.machine or "x86_64"
    found = re.search(r"glibc 2\.(\d+)", facts.libc)
    newest = int(found[1]) if found else 28
    return [f"manylinux_2_{minor}_{machine}" for minor in range(newest, _OLDEST_GLIBC - 1, -1)] + [
        f"manylinux2014_{machine}",
        f"linux_{machine}",
    ]
