"""Reads what nvidia-smi prints. Pure; nothing here runs a command.

The rules come from the real binary's behaviour: cells are joined by ", " and never quoted, a
value the driver will not give is a bracketed word with exit code 0, start-up errors are printed
on standard output, and one lost GPU may put an error line between good rows. So a cell that is
no number is missing (None, never 0), and a line that is no row is an issue to show, not a crash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sovdeck.engine.contract.foreign_values import parse_whole_number

# The name stands last: it is the only cell that may itself hold ", ".
GPU_FIELDS = (
    "index",
    "uuid",
    "driver_version",
    "memory.total",
    "memory.used",
    "memory.free",
    "utilization.gpu",
    "utilization.memory",
    "temperature.gpu",
    "power.draw",
    "mig.mode.current",
    "name",
)
# One field that a driver does not know fails the whole query (exit code 2): the second try asks
# only for what every driver knows.
MINIMAL_GPU_FIELDS = (
    "index",
    "uuid",
    "memory.used",
    "memory.total",
    "utilization.gpu",
    "temperature.gpu",
    "name",
)

_MIB = 1 << 20
_NUMBER = re.compile(r"(-?\d{1,15}(?:\.\d+)?)(?: ?(?:MiB|%|W|MHz|C))?\Z")
_HEADER_UNIT = re.compile(r" \[[^\]]*\]\Z")
_ALIASES = {"gpu_name": "name"}
_ERROR_TOKENS = {
    "[Unknown Error]": "remote.gpu.gpu_unknown",
    "[GPU is lost]": "remote.gpu.gpu_lost",
    "[GPU requires reset]": "remote.gpu.gpu_reset",
}
# First match wins, so the particular stands before the general.
_MESSAGES = tuple(
    (code, re.compile(pattern, re.IGNORECASE))
    for code, pattern in (
        ("remote.gpu.unknown_field", r'Field "[^"]*" is not a valid field'),
        ("remote.gpu.no_permission", r"make sure /dev/nvidia\S* files are readable"),
        ("remote.gpu.no_devices", r"No devices were found"),
        ("remote.gpu.no_library", r"couldn't find libnvidia-ml"),
        ("remote.gpu.no_driver", r"couldn't communicate with the NVIDIA driver"),
        ("remote.gpu.driver_mismatch", r"Driver/library version mismatch"),
        ("remote.gpu.shim_mismatch", r"Mismatch in versions between nvidia-smi and NVML"),
        ("remote.gpu.gpu_lost", r"GPU is lost"),
        ("remote.gpu.gpu_reset", r"A GPU reset must occur|requires reset"),
        ("remote.gpu.gpu_unknown", r"Unable to determine the device handle"),
        ("remote.gpu.hangs", r"nvidia-smi: no answer within"),
        ("remote.gpu.not_installed", r"nvidia-smi: (?:command )?not found"),
    )
)
# Second lines of the messages above: they add nothing a person could act on.
_CONTINUATION_LINES = re.compile(
    r"NVML library version:|Please also try adding directory|Are you sure you are using nvidia-smi"
)
_GPU_NUMBER = re.compile(r"GPU ?(\d+)")


@dataclass(frozen=True)
class GpuIssue:
    """Something wrong with a GPU or its driver; `code` is a key of the catalogue."""

    code: str
    detail: str = ""
    gpu: int | None = None


@dataclass(frozen=True)
class Gpu:
    """One GPU at one moment. Memory in bytes, utilisation in percent, degrees Celsius, watts.

    None is "the driver does not say", and `tokens` keeps the word it printed instead.
    `bandwidth` is nvidia-smi's utilization.memory: how busy the memory bus is, not how full.
    """

    index: int | None = None
    uuid: str | None = None
    name: str | None = None
    driver: str | None = None
    memory_total: int | None = None
    memory_used: int | None = None
    memory_free: int | None = None
    utilisation: float | None = None
    bandwidth: float | None = None
    temperature: float | None = None
    power: float | None = None
    mig: bool | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name of this GPU across samples: the order of indices differs between tools."""
        return self.uuid or f"index-{self.index}"


@dataclass(frozen=True)
class SmiReading:
    """The GPUs of one output of nvidia-smi, and what is wrong with them."""

    gpus: tuple[Gpu, ...] = ()
    issues: tuple[GpuIssue, ...] = ()


@dataclass(frozen=True)
class _SmiTable:
    rows: tuple[Mapping[str, str], ...]
    issues: tuple[GpuIssue, ...]


def parse_gpus(text: str, fields: Sequence[str] = GPU_FIELDS) -> SmiReading:
    """Read the output of `--query-gpu=<fields> --format=csv[,noheader][,nounits]`."""
    reading = parse_rows(text, fields)
    return SmiReading(reading.gpus, with_row_issues(reading.gpus, reading.issues))


def parse_rows(text: str, fields: Sequence[str]) -> SmiReading:
    """Read a part of the output; its issues are only those that have lines of their own."""
    table = _parse_table(text, fields)
    return SmiReading(tuple(_to_gpu(row) for row in table.rows), table.issues)


def with_row_issues(gpus: Sequence[Gpu], issues: Sequence[GpuIssue]) -> tuple[GpuIssue, ...]:
    """Add to `issues` what the rows themselves show: broken cells, gaps in the numbering."""
    found = [
        *issues,
        *(
            GpuIssue(_ERROR_TOKENS[token], name, gpu.index)
            for gpu in gpus
            for name, token in gpu.tokens.items()
            if token in _ERROR_TOKENS
        ),
    ]
    named = {issue.gpu for issue in found}
    seen = {gpu.index for gpu in gpus if gpu.index is not None}
    gaps = [i for i in range(max(seen, default=-1)) if i not in seen and i not in named]
    return tuple(
        dict.fromkeys([*found, *(GpuIssue("remote.gpu.gpu_missing", gpu=index) for index in gaps)])
    )


@dataclass(frozen=True)
class MigInstance:
    """One MIG instance of a GPU, for example profile "3g.40gb"."""

    gpu_uuid: str
    profile: str
    uuid: str


_LIST_GPU = re.compile(r"GPU (\d+): (.*) \(UUID: (GPU-[^)]*)\)\Z")
_LIST_MIG = re.compile(r"\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]*)\)\Z")


def parse_mig_instances(text: str) -> tuple[MigInstance, ...]:
    """Read the MIG instances out of `nvidia-smi -L`; CSV queries never name them."""
    found: list[MigInstance] = []
    parent = ""
    for line in text.splitlines():
        if gpu := _LIST_GPU.match(line):
            parent = gpu[3]
        elif mig := _LIST_MIG.match(line):
            found.append(MigInstance(parent, mig[1], mig[2]))
    return tuple(found)


_CUDA_VERSION = re.compile(r"CUDA (?:UMD )?Version: (\d+)\.(\d+)")


def parse_driver_cuda(text: str) -> tuple[int, int] | None:
    """Return the newest CUDA the driver runs, from the head of the plain table."""
    found = _CUDA_VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else None


# The first driver (Linux) of each CUDA version, newest first; NVIDIA's release notes.
_CUDA_DRIVERS = (
    ((595, 45), (13, 2)),
    ((590, 44), (13, 1)),
    ((580, 65), (13, 0)),
    ((575, 51), (12, 9)),
    ((570, 26), (12, 8)),
    ((560, 28), (12, 6)),
    ((555, 42), (12, 5)),
    ((550, 54), (12, 4)),
    ((545, 23), (12, 3)),
    ((535, 54), (12, 2)),
    ((530, 30), (12, 1)),
    ((525, 60), (12, 0)),
    ((520, 61), (11, 8)),
    ((470, 42), (11, 4)),
    ((450, 80), (11, 0)),
)
_DRIVER_VERSION = re.compile(r"\b(\d{3})\.(\d{1,3})(?:\.(\d{1,3}))?\b")


def parse_driver_version(text: str) -> tuple[int, ...]:
    """Return the driver's version in a cell or in /proc/driver/nvidia/version; () without one."""
    found = _DRIVER_VERSION.search(text)
    return tuple(int(part) for part in found.groups() if part) if found else ()


def cuda_of_driver(driver: tuple[int, ...]) -> tuple[int, int] | None:
    """Return the newest CUDA a driver runs; None for an unknown or very old driver."""
    return next((cuda for first, cuda in _CUDA_DRIVERS if driver >= first), None)


def _parse_table(text: str, fields: Sequence[str]) -> _SmiTable:
    fields = tuple(_ALIASES.get(name, name) for name in fields)
    rows: list[Mapping[str, str]] = []
    issues: list[GpuIssue] = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line == "." or _CONTINUATION_LINES.search(line):
            continue
        header = _parse_header(line)
        if header:
            fields = header
            continue
        row = _parse_row(line, fields)
        if row is not None:
            rows.append(row)
        else:
            issues.append(_parse_issue(line))
    return _SmiTable(tuple(rows), tuple(dict.fromkeys(issues)))


# Of tables with a header line; others than these make no header.
_KNOWN_FIELDS = {
    *GPU_FIELDS,
    "timestamp",
    "pci.bus_id",
    "enforced.power.limit",
    "pstate",
    "fan.speed",
    "gpu_bus_id",
    "gpu_serial",
}


def _parse_header(line: str) -> tuple[str, ...]:
    names = [_HEADER_UNIT.sub("", cell) for cell in line.split(", ")]
    names = [_ALIASES.get(name, name) for name in names]
    return tuple(names) if all(name in _KNOWN_FIELDS for name in names) else ()


def _parse_row(line: str, fields: Sequence[str]) -> Mapping[str, str] | None:
    cells = line.split(", ")
    surplus = len(cells) - len(fields)
    free = next((i for i, name in enumerate(fields) if name == "name"), None)
    if surplus > 0 and free is not None:
        cells[free : free + surplus + 1] = [", ".join(cells[free : free + surplus + 1])]
    if len(cells) != len(fields):
        return None
    row = dict(zip(fields, (cell.strip() for cell in cells), strict=True))
    anchor = row.get("index")
    if anchor is not None and parse_whole_number(anchor) is None:
        return None
    return row


def _parse_issue(line: str) -> GpuIssue:
    number = _GPU_NUMBER.search(line)
    for code, pattern in _MESSAGES:
        if pattern.search(line):
            return GpuIssue(code, line[:200], int(number[1]) if number else None)
    return GpuIssue("remote.gpu.unreadable", line[:200])


def _to_gpu(row: Mapping[str, str]) -> Gpu:
    mig = _parse_text(row.get("mig.mode.current"))
    return Gpu(
        index=parse_whole_number(row.get("index")),
        uuid=_parse_text(row.get("uuid")),
        name=_parse_text(row.get("name")),
        driver=_parse_text(row.get("driver_version")),
        memory_total=_parse_mib(row.get("memory.total")),
        memory_used=_parse_mib(row.get("memory.used")),
        memory_free=_parse_mib(row.get("memory.free")),
        utilisation=_parse_number(row.get("utilization.gpu")),
        bandwidth=_parse_number(row.get("utilization.memory")),
        temperature=_parse_number(row.get("temperature.gpu")),
        power=_parse_number(row.get("power.draw")),
        mig=None if mig is None else mig == "Enabled",
        tokens={name: cell for name, cell in row.items() if cell and _parse_text(cell) is None},
    )


def _parse_text(cell: str | None) -> str | None:
    if not cell or cell == "N/A" or (cell.startswith("[") and cell.endswith("]")):
        return None
    return cell


def _parse_number(cell: str | None) -> float | None:
    found = _NUMBER.match(cell or "")
    return float(found[1]) if found else None


def _parse_mib(cell: str | None) -> int | None:
    mib = _parse_number(cell)
    return None if mib is None else int(mib * _MIB)
