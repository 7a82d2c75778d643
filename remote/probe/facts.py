"""What a probe found out about a server. Pure: reads the lines of agent/probe.sh."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sovdeck.engine.contract.foreign_values import parse_json, parse_whole_number
from sovdeck.remote.probe.nvidia_smi import (
    GPU_FIELDS,
    Gpu,
    GpuIssue,
    MigInstance,
    cuda_of_driver,
    parse_driver_cuda,
    parse_driver_version,
    parse_gpus,
    parse_mig_instances,
)

_CUDA = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}")
_MEASURABLE_BYTES = 128 << 10  # less than this is mostly waiting for the connection
# As `stat -f` and mount name them.
_NETWORK_KINDS = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smbfs", "fuse", "fuseblk", "v9fs"}
)


@dataclass(frozen=True)
class Disk:
    """The disk of one candidate folder. Bytes; None where the server does not say.

    kind: the file system's name. mount: where it is mounted.
    """

    path: str
    total: int | None
    free: int | None
    inodes_free: int | None
    kind: str
    writable: bool
    mount: str = ""

    @property
    def is_network(self) -> bool:
        """Whether it lies on another machine, or on the Windows side of WSL."""
        return self.kind in _NETWORK_KINDS


@dataclass(frozen=True)
class Interpreter:
    """One Python on the server; `distributions` maps a requirement's name to its version."""

    path: str
    version: tuple[int, int, int]
    prefix: str
    distributions: Mapping[str, str]
    cuda: str | None = None
    venv: bool = False
    writable: bool = False


@dataclass(frozen=True)
class DownloadSource:
    """A package or model source as the server reaches it; `speed` in bytes a second."""

    url: str
    reached: bool
    speed: float | None


@dataclass(frozen=True)
class ServerFacts:
    """What a probe found out about the server. Bytes and seconds; None is "could not be found out".

    clock_skew: how far the server's clock is ahead of the laptop's. sftp: None when not tried.
    work: the work folder an earlier deployment chose or the caller named. server_id: the id in
    it. provider_marks: what tells the provider. driver: the NVIDIA driver's version, and
    driver_cuda the newest CUDA it runs. core_speed: MB a second that one core packs with zlib.
    shell: the login shell. preamble: what it printed before our command began.
    """

    user: str = ""
    home: str = ""
    system: str = ""
    os: str = ""
    machine: str = ""
    libc: str = ""
    boot: str = ""
    container: bool = False
    root: bool = False
    cpus: int | None = None
    memory_total: int | None = None
    core_speed: float | None = None
    cpu_model: str = ""
    shell: str = ""
    preamble: str = ""
    sessions: int | None = None
    clock_skew: float | None = None
    sftp: bool | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    provider_marks: frozenset[str] = frozenset()
    disks: tuple[Disk, ...] = ()
    work: str = ""
    server_id: str = ""
    code_shas: frozenset[str] = frozenset()
    environment: Mapping[str, Any] = field(default_factory=dict)
    pretrained: frozenset[str] = frozenset()
    pythons: tuple[Interpreter, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    mig_instances: tuple[MigInstance, ...] = ()
    gpu_issues: tuple[GpuIssue, ...] = ()
    compute_capabilities: tuple[float, ...] = ()
    driver: tuple[int, ...] = ()
    driver_cuda: tuple[int, int] | None = None
    sources: tuple[DownloadSource, ...] = ()

    def disk(self, path: str) -> Disk | None:
        """Return the disk of a candidate folder, or None."""
        return next((disk for disk in self.disks if disk.path == path), None)


def parse_facts(output: str) -> ServerFacts:
    """Parse the lines of probe.sh; unknown or broken ones are left out."""
    single: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    for line in output.split("\n"):
        key, _, value = line.partition(" ")
        single[key] = value.strip()
        repeated.setdefault(key, []).append(value)
    reading = parse_gpus("\n".join(repeated.get("gpu", [])), GPU_FIELDS)
    driver = next(
        (
            version
            for text in (*(gpu.driver or "" for gpu in reading.gpus), single.get("driver", ""))
            if (version := parse_driver_version(text))
        ),
        (),
    )
    total, limit = (
        _parse_kib(single.get("memory_kb")),
        parse_whole_number(single.get("memory_limit")),
    )
    if limit is not None and (total is None or limit < total):
        total = limit
    return ServerFacts(
        user=single.get("user", ""),
        home=single.get("home", ""),
        system=single.get("system", ""),
        os=single.get("os", ""),
        machine=single.get("machine", ""),
        libc=single.get("libc", ""),
        boot=single.get("boot", ""),
        container="container" in single,
        root="root" in single,
        cpus=_count_cpus(single),
        memory_total=total,
        core_speed=_parse_float(single.get("core_speed")),
        cpu_model=single.get("cpu_model", ""),
        shell=single.get("shell", ""),
        tools=dict(value.partition(" ")[::2] for value in repeated.get("tool", [])),
        provider_marks=frozenset(repeated.get("mark", [])),
        disks=tuple(d for d in map(_parse_disk, repeated.get("disk", [])) if d is not None),
        work=single.get("work", ""),
        server_id=single.get("identity", ""),
        code_shas=frozenset(repeated.get("code", [])),
        environment=_parse_json(single.get("environment", "")),
        pretrained=frozenset(repeated.get("pretrained", [])),
        pythons=tuple(
            p for p in map(_parse_interpreter, repeated.get("python", [])) if p is not None
        ),
        gpus=reading.gpus,
        gpu_issues=reading.issues,
        mig_instances=parse_mig_instances("\n".join(repeated.get("list", []))),
        compute_capabilities=tuple(_parse_capabilities(repeated.get("capability", []))),
        driver=driver,
        driver_cuda=parse_driver_cuda("\n".join(repeated.get("table", [])))
        or cuda_of_driver(driver),
        sources=tuple(s for s in map(_parse_source, repeated.get("source", [])) if s is not None),
    )


def _parse_disk(value: str) -> Disk | None:
    parts = value.split(" ", 6)
    if len(parts) != 7:
        return None
    total, free, inodes, kind, writes, mount, path = parts
    sizes = _parse_kib(total), _parse_kib(free), parse_whole_number(inodes)
    return Disk(path, *sizes, kind, writes == "yes", mount if mount.startswith("/") else "")


def _parse_interpreter(value: str) -> Interpreter | None:
    raw = _parse_json(value)
    numbers = [parse_whole_number(part) for part in str(raw.get("version", "")).split(".")]
    path, distributions = raw.get("path"), raw.get("distributions")
    if len(numbers) != 3 or not isinstance(distributions, dict):
        return None
    if not isinstance(path, str) or not path.startswith("/") or not path.isprintable():
        return None
    cuda = raw.get("cuda")
    return Interpreter(
        path,
        (numbers[0] or 0, numbers[1] or 0, numbers[2] or 0),
        str(raw.get("prefix", "")),
        {str(name): str(version) for name, version in distributions.items()},
        cuda if isinstance(cuda, str) and _CUDA.fullmatch(cuda) else None,
        raw.get("venv") is True,
        raw.get("writable") is True,
    )


def _parse_source(value: str) -> DownloadSource | None:
    parts = value.split(" ", 3)
    if len(parts) != 4:
        return None
    code, size, seconds, url = parts
    try:
        enough = float(seconds) > 0 and float(size) >= _MEASURABLE_BYTES
        speed = float(size) / float(seconds) if enough else None
    except ValueError:
        return None
    finite = speed is not None and math.isfinite(speed)
    return DownloadSource(url, code in ("200", "206"), speed if finite else None)


def _count_cpus(single: Mapping[str, str]) -> int | None:
    """Return the processors that are ours: a container may see all of its host's."""
    online = parse_whole_number(single.get("cpus"))
    quota, _, period = single.get("cpu_quota", "").partition(" ")
    share, base = parse_whole_number(quota), parse_whole_number(period)
    if not share or not base or online is None:
        return online
    return max(1, min(online, round(share / base)))


def _parse_capabilities(rows: list[str]) -> list[float]:
    found = []
    for row in rows:
        number = _parse_float(row.rpartition(", ")[2].strip())
        if number is not None:
            found.append(number)
    return found


def _parse_json(text: str) -> Mapping[str, Any]:
    try:
        value = parse_json(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _parse_float(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else None


def _parse_kib(text: str | None) -> int | None:
    kib = parse_whole_number(text)
    return None if kib is None else kib * 1024
