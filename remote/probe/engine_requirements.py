"""What the engine needs of a server, whoever asks: the plan, the doctor or the wheel relay."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

GIB = 1 << 30

# Oldest and newest Python the engine runs on.
PYTHON_RANGE = ((3, 10), (3, 13))

# An image's own torch may be older than the one we would install. Below 2.6 a weights-only load
# can be escaped. 2.6 itself takes minutes of CPU for the first sentence of each new length, where
# 2.7.1, 2.8.0 and 2.11.0 take 1.0 to 1.3 times the CPU of one whose length came before.
REUSABLE_REQUIREMENTS = {"torch": "torch>=2.7", "torchaudio": "torchaudio>=2.7"}

ENVIRONMENT_BYTES = 12 * GIB  # torch with CUDA, unpacked, and the cache it is installed from
ENVIRONMENT_FILES = 60_000
RUN_BYTES = 4 * GIB


def requirement_name(line: str) -> str:
    """Return the distribution that a requirement line (PEP 508) asks for."""
    return Requirement(line).name


def requirements_for(lines: Iterable[str], machine: str) -> tuple[str, ...]:
    """The requirement lines that a Linux server of this machine (`uname -m`) needs, unmarked."""
    system = {"platform_machine": machine or "x86_64", "sys_platform": "linux"}
    found = []
    for line in lines:
        marker = Requirement(line).marker
        if marker is None or marker.evaluate(system):
            found.append(line.partition(";")[0].strip())
    return tuple(found)


def satisfies(version: str, line: str) -> bool:
    """Whether an installed version fits a requirement line; what cannot be read never fits.

    Local parts do not count ("2.11.0+cu128"), and a pre-release counts as its release: vendor
    images carry builds such as "2.6.0a0+ecf3bae".
    """
    try:
        installed, requirement = Version(version), Requirement(line)
    except (InvalidVersion, InvalidRequirement):
        return False
    released = installed.base_version if installed.is_prerelease else installed.public
    return requirement.specifier.contains(released)
