"""What a probe found out about a server. Pure: reads the lines of agent/probe.sh."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from remote.nvidia import (
    FIELDS,
    App,
    Fault,
    Gpu,
    Slice,
    parse_apps,
    parse_ceiling,
    parse_gpus,
    parse_slices,
)


@dataclass(frozen=True)
class Disk:
    """Room in one candidate folder. Bytes; None where the server does not say."""

    path: str
    total: int | None
    free: int | None
    inodes_free: int | None
    kind: str
    writable: bool


@dataclass(frozen=True)
class Interpreter:
    """One Python on the server; `distributions` maps a requirement's name to its version."""

    path: str
    version: tuple[int, int, int]
    prefix: str
    distributions: Mapping[str, str]
    cuda: str | None = None
    pip: bool = False
    venv: bool = False
    writable: bool = False


@dataclass(frozen=True)
class Source:
    """A package or model source as the server reaches it; `speed` in bytes a second."""

    url: str
    reached: bool
    speed: float | None


@dataclass(frozen=True)
class ServerFacts:
    """The server at one moment. Bytes and seconds; None is "could not be found out".

    skew: how far the server's clock is ahead of the laptop's. sftp: None when not tried.
    work: the work folder an earlier deployment chose or the caller named.
    """

    user: str = ""
    uid: int | None = None
    home: str = ""
    system: str = ""
    os: str = ""
    machine: str = ""
    libc: str = ""
    boot: str = ""
    container: bool = False
    root: bool = False
    sudo: bool = False
    cpus: int | None = None
    memory_total: int | None = None
    memory_free: int | None = None
    skew: float | None = None
    sftp: bool | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    marks: frozenset[str] = frozenset()
    disks: tuple[Disk, ...] = ()
    work: str = ""
    identity: str = ""
    codes: frozenset[str] = frozenset()
    environment: Mapping[str, Any] = field(default_factory=dict)
    pretrained: frozenset[str] = frozenset()
    pythons: tuple[Interpreter, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    slices: tuple[Slice, ...] = ()
    apps: tuple[App, ...] = ()
    faults: tuple[Fault, ...] = ()
    capabilities: tuple[float, ...] = ()
    cuda_ceiling: tuple[int, int] | None = None
    sources: tuple[Source, ...] = ()

    def disk(self, path: str) -> Disk | None:
        return next((disk for disk in self.disks if disk.path == path), None)


def parse_facts(output: str, *, skew: float | None = None, sftp: bool | None = None) -> ServerFacts:
    """Read the probe's lines. Unknown or broken ones are left out: a server is not trusted."""
    one: dict[str, str] = {}
    many: dict[str, list[str]] = {}
    for line in output.split("\n"):
        key, _, value = line.partition(" ")
        one[key] = value.strip()
        many.setdefault(key, []).append(value)
    reading = parse_gpus("\n".join(many.get("gpu", [])), FIELDS)
    total, limit = _kib(one.get("memory_kb")), _whole(one.get("memory_limit"))
    if limit is not None and (total is None or limit < total):
        total = limit
    return ServerFacts(
        user=one.get("user", ""), uid=_whole(one.get("uid")), home=one.get("home", ""),
        system=one.get("system", ""), os=one.get("os", ""), machine=one.get("machine", ""),
        libc=one.get("libc", ""), boot=one.get("boot", ""),
        container="container" in one, root="root" in one, sudo="sudo" in one,
        cpus=_whole(one.get("cpus")), memory_total=total,
        memory_free=_kib(one.get("memory_free_kb")), skew=skew, sftp=sftp,
        tools=dict(value.partition(" ")[::2] for value in many.get("tool", [])),
        marks=frozenset(many.get("mark", [])),
        disks=tuple(d for d in map(_disk, many.get("disk", [])) if d is not None),
        work=one.get("work", ""), identity=one.get("identity", ""),
        codes=frozenset(many.get("code", [])),
        environment=_json(one.get("environment", "")),
        pretrained=frozenset(many.get("pretrained", [])),
        pythons=tuple(p for p in map(_python, many.get("python", [])) if p is not None),
        gpus=reading.gpus, faults=reading.faults,
        slices=parse_slices("\n".join(many.get("list", []))),
        apps=parse_apps("\n".join(many.get("app", []))),
        capabilities=tuple(_capabilities(many.get("capability", []))),
        cuda_ceiling=parse_ceiling("\n".join(many.get("table", []))),
        sources=tuple(s for s in map(_source, many.get("source", [])) if s is not None),
    )  # fmt: skip


def _disk(value: str) -> Disk | None:
    parts = value.split(" ", 5)
    if len(parts) != 6:
        return None
    total, free, inodes, kind, writes, path = parts
    return Disk(path, _kib(total), _kib(free), _whole(inodes), kind, writes == "yes")


def _python(value: str) -> Interpreter | None:
    raw = _json(value)
    numbers = [_whole(part) for part in str(raw.get("version", "")).split(".")]
    path, distributions = raw.get("path"), raw.get("distributions")
    if len(numbers) != 3 or not isinstance(path, str) or not isinstance(distributions, dict):
        return None
    cuda = raw.get("cuda")
    return Interpreter(
        path, (numbers[0] or 0, numbers[1] or 0, numbers[2] or 0), str(raw.get("prefix", "")),
        {str(name): str(version) for name, version in distributions.items()},
        cuda if isinstance(cuda, str) else None,
        raw.get("pip") is True, raw.get("venv") is True, raw.get("writable") is True,
    )  # fmt: skip


def _source(value: str) -> Source | None:
    parts = value.split(" ", 3)
    if len(parts) != 4:
        return None
    code, size, seconds, url = parts
    try:
        speed = float(size) / float(seconds) if float(seconds) > 0 else None
    except ValueError:
        return None
    return Source(url, code in ("200", "206"), speed)


def _capabilities(rows: list[str]) -> list[float]:
    found = []
    for row in rows:
        number = row.rpartition(", ")[2].strip()
        if number.replace(".", "", 1).isdigit():
            found.append(float(number))
    return found


def _json(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else None


def _kib(text: str | None) -> int | None:
    kib = _whole(text)
    return None if kib is None else kib * 1024
