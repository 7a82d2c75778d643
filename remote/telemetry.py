"""Live figures of a server: its GPUs from nvidia-smi, the machine itself from /proc and cgroups.

One channel carries both. Where there is no working nvidia-smi the samples say so: their
`source` is "proc", and `faults` tells why. A figure nobody gave is None, never 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from engine.contract.catalogue import Text, text
from engine.contract.problem import ExitCode, Problem
from remote.agent import script
from remote.listener import LinkSource, Listener, retry_wait
from remote.nvidia import FIELDS, MINIMAL_FIELDS, Fault, Gpu, parse_rows, with_faults_of
from remote.tail import clean_line

# nvidia-smi prints once a second; a GPU unheard of for longer, while others speak, is gone.
_SILENT_TICKS = 5
_FAULTS_KEPT = 20


@dataclass(frozen=True)
class Machine:
    """The server outside its GPUs. Bytes; `cpu` in percent of all cores since the last figures.

    memory_source: "cgroup" where the container has a limit of its own, else "proc".
    """

    memory_total: int | None = None
    memory_used: int | None = None
    memory_source: str = "proc"
    cpu: float | None = None
    load: float | None = None
    disk_total: int | None = None
    disk_free: int | None = None


@dataclass(frozen=True)
class Sample:
    """All figures at one moment; `t` is the laptop's Unix time when they arrived, in ms."""

    t: int
    gpus: tuple[Gpu, ...]
    faults: tuple[Fault, ...]
    machine: Machine
    source: str  # "nvidia-smi" | "proc"


class GaugeReader:
    """Turns the lines of gauge.sh into samples. Pure: the caller gives the time."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: tuple[str, ...] = FIELDS
        self._gpus: dict[str, Gpu] = {}
        self._seen: dict[str, int] = {}
        self._faults: tuple[Fault, ...] = ()
        self._machine = Machine()
        self._jiffies: tuple[int, int] | None = None
        self._ticks = 0

    def feed(self, data: bytes, t: int) -> Sample | None:
        """The sample after `data`, or None when no figure was complete in it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        rows: list[str] = []
        news = False
        for raw in lines:
            line = clean_line(raw)
            if not line.startswith("@"):
                rows.append(line)
                continue
            news = self._take(rows) or news
            rows.clear()
            news = self._command(line) or news
        news = self._take(rows) or news
        if not news:
            return None
        gpus = tuple(sorted(self._gpus.values(), key=lambda gpu: gpu.index or 0))
        source = "nvidia-smi" if gpus else "proc"
        return Sample(t, gpus, with_faults_of(gpus, self._faults), self._machine, source)

    def _take(self, rows: list[str]) -> bool:
        if not rows:
            return False
        # Reading part of a sample shows gaps that are none, so gaps are judged on the whole.
        reading = parse_rows("\n".join(rows), self._fields)
        for gpu in reading.gpus:
            self._gpus[gpu.key] = gpu
            self._seen[gpu.key] = self._ticks
        self._complain(*reading.faults)
        return True

    def _command(self, line: str) -> bool:
        word, _, rest = line.partition(" ")
        if word == "@sys":
            self._tick(dict(pair.partition("=")[::2] for pair in rest.split()))
            return True
        if word == "@fields":
            self._fields = tuple(rest.split(","))
            self._faults = ()
        elif word == "@smi":
            # What it said before it ended stays on show, or else at least that it ended.
            self._gpus.clear()
            if rest == "absent":
                self._faults = (Fault("remote.gpu.not_installed"),)
            elif not self._faults:
                self._faults = (Fault("remote.gpu.smi_ended", rest.removeprefix("ended ")),)
            return True
        return False

    def _tick(self, figures: Mapping[str, str]) -> None:
        self._ticks += 1
        silent = [k for k in self._gpus if self._ticks - self._seen[k] > _SILENT_TICKS]
        if len(silent) < len(self._gpus):
            for key in silent:
                gone = self._gpus.pop(key)
                self._complain(Fault("remote.gpu.gpu_missing", gpu=gone.index))
        self._machine, self._jiffies = _machine(figures, self._machine, self._jiffies)

    def _complain(self, *faults: Fault) -> None:
        self._faults = tuple(dict.fromkeys([*self._faults, *faults]))[:_FAULTS_KEPT]


def _machine(
    figures: Mapping[str, str], before: Machine, jiffies: tuple[int, int] | None
) -> tuple[Machine, tuple[int, int] | None]:
    def whole(name: str, unit: int = 1) -> int | None:
        value = figures.get(name, "")
        return (
            int(value) * unit if value.isascii() and value.isdigit() and len(value) < 20 else None
        )

    total, free = whole("mem_total_kb", 1024), whole("mem_available_kb", 1024)
    used = total - free if total is not None and free is not None else None
    source = "proc"
    limit, held = whole("cgroup_limit"), whole("cgroup_used")
    # "max" and version 1's huge number both mean: no limit of its own.
    if limit is not None and held is not None and (total is None or limit < total):
        cache = whole("cgroup_cache") or 0
        total, used, source = limit, max(0, held - cache), "cgroup"
    busy, idle = whole("cpu_busy"), whole("cpu_idle")
    now = (busy, idle) if busy is not None and idle is not None else None
    cpu = None
    if now is not None and jiffies is not None:
        spent, waited = now[0] - jiffies[0], now[1] - jiffies[1]
        if spent >= 0 and waited >= 0 and spent + waited > 0:
            cpu = 100.0 * spent / (spent + waited)
    try:
        load = float(figures.get("load", ""))
    except ValueError:
        load = None
    machine = Machine(
        total, used, source, cpu, load,
        # asked for only now and then
        whole("disk_total_kb", 1024) or before.disk_total,
        whole("disk_free_kb", 1024) if "disk_free_kb" in figures else before.disk_free,
    )  # fmt: skip
    return machine, now


def explain(fault: Fault) -> Text:
    """The fault as a sentence for a banner."""
    number = "" if fault.gpu is None else f" {fault.gpu}"
    return text(fault.code, gpu=number, detail=fault.detail)


class Watch:
    """Follows one server's figures; `close()` may come from any thread."""

    def __init__(
        self, link_source: LinkSource, work: str, *, wait: Callable[[int], float] = retry_wait
    ) -> None:
        self._listener = Listener(link_source, wait)
        self._work = work

    def close(self) -> None:
        self._listener.close()

    def samples(self) -> Iterator[Sample]:
        """Yield about one sample a second while the server can be reached.

        Raises the Problem of the link source when the server refuses us.
        """
        place = (",".join(FIELDS), ",".join(MINIMAL_FIELDS), self._work)
        failures = 0
        while not self._listener.closed:
            try:
                reader = GaugeReader()
                argv = ["sh", "-c", script("gauge.sh"), "gauge", *place]
                with self._listener.open(argv) as stream:
                    while data := stream.read():
                        failures = 0
                        sample = reader.feed(data, int(time.time() * 1000))
                        if sample is not None:
                            yield sample
            except Problem as problem:
                if problem.exit_code is not ExitCode.UNREACHABLE:
                    raise
            self._listener.rest(failures)
            failures += 1
