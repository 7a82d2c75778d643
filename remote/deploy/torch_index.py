"""Where the chosen build of torch can be had: PyTorch's index and its mirrors, asked from there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from sovdeck.engine.contract.foreign_values import parse_json, to_number
from sovdeck.remote.agent import read_script
from sovdeck.remote.agent.wheel_index import find_wheels
from sovdeck.remote.probe.facts import ServerFacts
from sovdeck.remote.ssh.client import SSHConnection

# PyTorch's own index first; NJU mirrors its tree, Aliyun keeps the files in one folder a build.
TORCH_BASES = (
    "https://download.pytorch.org/whl",
    "https://mirror.nju.edu.cn/pytorch/whl",
    "https://mirrors.aliyun.com/pytorch-wheels",
)
# Mirrors of PyPI, for servers that do not reach it.
PYPI_MIRRORS = (
    "https://pypi.tuna.tsinghua.edu.cn/simple",
    "https://mirrors.aliyun.com/pypi/simple",
)

_SURVEY_S = 25
_SURVEY_LIMIT_S = 150.0  # uv may have to fetch a Python first
# A source this much slower than the quickest is passed over for it.
_MUCH_SLOWER = 2.0
# Of a build of a release; anything else would be no requirement.
_VERSION = re.compile(r"[0-9]+(\.[0-9]+){0,3}(\+[a-z0-9]+(\.[a-z0-9]+)*)?")
_MOST_WHEEL_BYTES = 1 << 40


@dataclass(frozen=True)
class WheelNeed:
    """What is looked for: a build of packages (name -> release, "2.11") for a Python ("cp311")."""

    build: str
    packages: Mapping[str, str]
    python: str
    machine: str


@dataclass(frozen=True)
class WheelSource:
    """An index that has the wheels.

    layout: "index" (a page a package) or "folder" (one page of files). pins: name -> exact
    version ("2.11.0+cu126"). torch_bytes: size of the first package's wheel. speed: bytes a
    second, measured from where it was asked.
    """

    base: str
    layout: Literal["index", "folder"]
    address: str
    pins: Mapping[str, str]
    torch_bytes: int | None = None
    speed: float | None = None


@dataclass(frozen=True)
class IndexSurvey:
    """What the indexes answered, asked by the server or, `by_laptop`, by this computer.

    sources: in the order of preference that was asked. plain: package indexes that answered.
    failed: the others, with why.
    """

    sources: tuple[WheelSource, ...] = ()
    plain: tuple[str, ...] = ()
    failed: Mapping[str, str] | None = None
    by_laptop: bool = False

    def best(self, need: WheelNeed) -> WheelSource | None:
        """Return the first source of what is needed that is not much slower than the quickest.

        A source has it when it has that release of its first package.
        """
        first, release = next(iter(need.packages.items()))
        wanted = re.compile(re.escape(release) + r"(?![0-9]).*")
        sources = [one for one in self.sources if wanted.fullmatch(one.pins.get(first, ""))]
        quickest = max((source.speed or 0.0 for source in sources), default=0.0)
        return next((s for s in sources if (s.speed or 0.0) * _MUCH_SLOWER >= quickest), None)


def survey_from_server(
    connection: SSHConnection,
    facts: ServerFacts,
    need: WheelNeed,
    bases: Sequence[str],
    plain: Sequence[str],
) -> IndexSurvey:
    """Ask all indexes from the server, at once, in one round trip.

    Without any Python there that could ask, nothing is found.
    """
    program = _python_argv(facts)
    if not program:
        return IndexSurvey()
    argv = [*program, "-I", "-c", read_script("wheel_index.py"), _request(need, bases, plain)]
    result = connection.run(argv, timeout=_SURVEY_LIMIT_S)
    return parse_survey(result.out.decode("utf-8", "replace"), by_laptop=False)


def survey_from_laptop(
    need: WheelNeed, bases: Sequence[str], plain: Sequence[str] = ()
) -> IndexSurvey:
    """Ask all indexes from this computer, to download for the server."""
    answer = find_wheels(json.loads(_request(need, bases, plain)))
    return parse_survey(json.dumps(answer), by_laptop=True)


def parse_survey(output: str, *, by_laptop: bool) -> IndexSurvey:
    """Read the last line of the program's output; an unreadable one found nothing."""
    lines = output.strip().splitlines()
    try:
        answer: Any = parse_json(lines[-1]) if lines else {}
        return IndexSurvey(
            tuple(_parse_source(raw) for raw in answer.get("sources", ())),
            tuple(str(index) for index in answer.get("plain", ())),
            {str(k): str(v) for k, v in answer.get("failed", {}).items()},
            by_laptop,
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return IndexSurvey(failed={"-": lines[-1][:200]}, by_laptop=by_laptop)


def _parse_source(raw: Mapping[str, Any]) -> WheelSource:
    size, speed = raw.get("bytes"), to_number(raw.get("speed"))
    return WheelSource(
        str(raw["base"]),
        "folder" if raw["layout"] == "folder" else "index",
        str(raw["address"]),
        {
            str(name): version
            for name, version in raw["wheels"].items()
            if isinstance(version, str) and _VERSION.fullmatch(version)
        },
        size if isinstance(size, int) and 0 < size < _MOST_WHEEL_BYTES else None,
        speed if speed is not None and speed >= 1 else None,
    )


def _request(need: WheelNeed, bases: Sequence[str], plain: Sequence[str]) -> str:
    return json.dumps(
        {
            "bases": list(bases),
            "build": need.build,
            "packages": dict(need.packages),
            "python": need.python,
            "machine": need.machine,
            "plain": list(plain),
            "limit": _SURVEY_S,
        }
    )


def _python_argv(facts: ServerFacts) -> list[str]:
    for python in facts.pythons:
        if python.version >= (3, 7, 0):
            return [python.path]
    if "conda" in facts.tools:
        return [str(PurePosixPath(facts.tools["conda"]).with_name("python"))]
    if "uv" in facts.tools:
        run = ["run", "--no-project", "--quiet", "--python", "3.11", "python"]
        return [facts.tools["uv"], *run]
    return []
