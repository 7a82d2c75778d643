"""Reads what nvidia-smi prints. Pure; nothing here runs a command.

The rules come from the real binary's behaviour: cells are joined by ", " and never quoted, a
value the driver will not give is a bracketed word with exit code 0, start-up errors are printed
on standard output, and one lost GPU may put an error line between good rows. So a cell that is
no number is missing (None, never 0), and a line that is no row is a fault to show, not a crash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# The name stands last: it is the only cell that may itself hold ", ".
FIELDS = (
    "index", "uuid", "pci.bus_id", "driver_version", "memory.total", "memory.used", "memory.free",
    "utilization.gpu", "utilization.memory", "temperature.gpu", "power.draw",
    "enforced.power.limit", "pstate", "mig.mode.current", "name",
)  # fmt: skip
# One field that a driver does not know fails the whole query (exit code 2): the second try asks
# only for what every driver knows.
MINIMAL_FIELDS = (
    "index", "uuid", "memory.used", "memory.total", "utilization.gpu", "temperature.gpu", "name",
)  # fmt: skip
APP_FIELDS = ("gpu_uuid", "pid", "used_memory", "process_name")

_MIB = 1 << 20
_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)(?: ?(?:MiB|%|W|MHz|C))?\Z")
_HEADER_UNIT = re.compile(r" \[[^\]]*\]\Z")
_ALIASES = {"gpu_name": "name", "used_gpu_memory": "used_memory"}
_FREE_TEXT = ("name", "process_name")
_BROKEN_TOKENS = {
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
        ("remote.gpu.not_installed", r"nvidia-smi: (?:command )?not found"),
    )
)
# Second lines of the messages above: they add nothing a person could act on.
_CONTINUATIONS = re.compile(
    r"NVML library version:|Please also try adding directory|Are you sure you are using nvidia-smi"
)
_GPU_NUMBER = re.compile(r"GPU ?(\d+)")


@dataclass(frozen=True)
class Fault:
    """Something wrong with a GPU or its driver; `code` is a key of the catalogue."""

    code: str
    detail: str = ""
    gpu: int | None = None


@dataclass(frozen=True)
class Gpu:
    """One GPU at one moment. Memory in bytes, utilisation in percent, degrees Celsius, watts.

    None is "the driver does not say", and `tokens` keeps the word it said instead.
    `bandwidth` is nvidia-smi's utilization.memory: how busy the memory bus is, not how full.
    """

    index: int | None = None
    uuid: str | None = None
    bus_id: str | None = None
    name: str | None = None
    driver: str | None = None
    memory_total: int | None = None
    memory_used: int | None = None
    memory_free: int | None = None
    utilisation: float | None = None
    bandwidth: float | None = None
    temperature: float | None = None
    power: float | None = None
    power_limit: float | None = None
    pstate: str | None = None
    mig: bool | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What names this GPU across samples: the order of indices differs between tools."""
        return self.uuid or f"index-{self.index}"


@dataclass(frozen=True)
class App:
    """One process that holds GPU memory; `memory` in bytes, None where the driver hides it."""

    gpu_uuid: str | None
    pid: int | None
    memory: int | None
    name: str | None


@dataclass(frozen=True)
class Reading:
    gpus: tuple[Gpu, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class _Rows:
    rows: tuple[Mapping[str, str], ...]
    faults: tuple[Fault, ...]


def parse_gpus(text: str, fields: Sequence[str] = FIELDS) -> Reading:
    """Read the output of `--query-gpu=<fields> --format=csv[,noheader][,nounits]`."""
    reading = parse_rows(text, fields)
    return Reading(reading.gpus, with_faults_of(reading.gpus, reading.faults))


def parse_rows(text: str, fields: Sequence[str]) -> Reading:
    """As parse_gpus for a part of the output: only the faults that stand in lines of their own."""
    table = _table(text, fields)
    return Reading(tuple(_gpu(row) for row in table.rows), table.faults)


def with_faults_of(gpus: Sequence[Gpu], faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """`faults` and what the rows themselves tell: broken cells, gaps in the numbering."""
    found = [
        *faults,
        *(
            Fault(_BROKEN_TOKENS[token], name, gpu.index)
            for gpu in gpus
            for name, token in gpu.tokens.items()
            if token in _BROKEN_TOKENS
        ),
    ]
    named = {fault.gpu for fault in found}
    seen = {gpu.index for gpu in gpus if gpu.index is not None}
    gaps = [i for i in range(max(seen, default=-1)) if i not in seen and i not in named]
    return tuple(
        dict.fromkeys([*found, *(Fault("remote.gpu.gpu_missing", gpu=index) for index in gaps)])
    )


def parse_apps(text: str, fields: Sequence[str] = APP_FIELDS) -> tuple[App, ...]:
    """Read the output of `--query-compute-apps=<fields> --format=csv[,noheader][,nounits]`."""
    return tuple(
        App(
            _word(row.get("gpu_uuid")), _whole(row.get("pid")),
            _bytes(row.get("used_memory")), _word(row.get("process_name")),
        )
        for row in _table(text, fields).rows
    )  # fmt: skip


@dataclass(frozen=True)
class Slice:
    """One MIG instance of a GPU, for example profile "3g.40gb"."""

    gpu_uuid: str
    profile: str
    uuid: str


_LIST_GPU = re.compile(r"GPU (\d+): (.*) \(UUID: (GPU-[^)]*)\)\Z")
_LIST_MIG = re.compile(r"\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]*)\)\Z")


def parse_slices(text: str) -> tuple[Slice, ...]:
    """Read the MIG instances out of `nvidia-smi -L`; CSV queries never name them."""
    found: list[Slice] = []
    parent = ""
    for line in text.splitlines():
        if gpu := _LIST_GPU.match(line):
            parent = gpu[3]
        elif mig := _LIST_MIG.match(line):
            found.append(Slice(parent, mig[1], mig[2]))
    return tuple(found)


_CEILING = re.compile(r"CUDA (?:UMD )?Version: (\d+)\.(\d+)")


def parse_ceiling(text: str) -> tuple[int, int] | None:
    """The newest CUDA the driver runs, from the head of the plain table."""
    found = _CEILING.search(text)
    return (int(found[1]), int(found[2])) if found else None


def _table(text: str, fields: Sequence[str]) -> _Rows:
    fields = tuple(_ALIASES.get(name, name) for name in fields)
    rows: list[Mapping[str, str]] = []
    faults: list[Fault] = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line == "." or _CONTINUATIONS.search(line):
            continue
        header = _header(line)
        if header:
            fields = header
            continue
        row = _row(line, fields)
        if row is not None:
            rows.append(row)
        else:
            faults.append(_fault(line))
    return _Rows(tuple(rows), tuple(dict.fromkeys(faults)))


_KNOWN = {*FIELDS, *APP_FIELDS, "timestamp", "fan.speed", "gpu_bus_id", "gpu_serial"}


def _header(line: str) -> tuple[str, ...]:
    names = [_HEADER_UNIT.sub("", cell) for cell in line.split(", ")]
    names = [_ALIASES.get(name, name) for name in names]
    return tuple(names) if all(name in _KNOWN for name in names) else ()


def _row(line: str, fields: Sequence[str]) -> Mapping[str, str] | None:
    cells = line.split(", ")
    surplus = len(cells) - len(fields)
    free = next((i for i, name in enumerate(fields) if name in _FREE_TEXT), None)
    if surplus > 0 and free is not None:
        cells[free : free + surplus + 1] = [", ".join(cells[free : free + surplus + 1])]
    if len(cells) != len(fields):
        return None
    row = dict(zip(fields, (cell.strip() for cell in cells), strict=True))
    anchor = row.get("index", row.get("pid"))
    if anchor is not None and _whole(anchor) is None:
        return None
    return row


def _fault(line: str) -> Fault:
    number = _GPU_NUMBER.search(line)
    for code, pattern in _MESSAGES:
        if pattern.search(line):
            return Fault(code, line[:200], int(number[1]) if number else None)
    return Fault("remote.gpu.unreadable", line[:200])


def _gpu(row: Mapping[str, str]) -> Gpu:
    mig = _word(row.get("mig.mode.current"))
    return Gpu(
        index=_whole(row.get("index")),
        uuid=_word(row.get("uuid")),
        bus_id=_word(row.get("pci.bus_id")),
        name=_word(row.get("name")),
        driver=_word(row.get("driver_version")),
        memory_total=_bytes(row.get("memory.total")),
        memory_used=_bytes(row.get("memory.used")),
        memory_free=_bytes(row.get("memory.free")),
        utilisation=_number(row.get("utilization.gpu")),
        bandwidth=_number(row.get("utilization.memory")),
        temperature=_number(row.get("temperature.gpu")),
        power=_number(row.get("power.draw")),
        power_limit=_number(row.get("enforced.power.limit")),
        pstate=_word(row.get("pstate")),
        mig=None if mig is None else mig == "Enabled",
        tokens={name: cell for name, cell in row.items() if cell and _word(cell) is None},
    )


def _word(cell: str | None) -> str | None:
    if not cell or cell == "N/A" or (cell.startswith("[") and cell.endswith("]")):
        return None
    return cell


def _number(cell: str | None) -> float | None:
    found = _NUMBER.match(cell or "")
    return float(found[1]) if found else None


def _whole(cell: str | None) -> int | None:
    return int(cell) if cell and cell.isascii() and cell.isdigit() else None


def _bytes(cell: str | None) -> int | None:
    mib = _number(cell)
    return None if mib is None else int(mib * _MIB)
