"""Live telemetry of a server: GPUs from nvidia-smi, the machine from /proc and cgroups.

One channel carries both. Where there is no working nvidia-smi the `source` of the samples is
"proc", and `gpu_issues` tells why. A missing value is None, never 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.engine.contract.foreign_values import parse_whole_number
from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.agent import read_script
from sovdeck.remote.probe.nvidia_smi import (
    GPU_FIELDS,
    MINIMAL_GPU_FIELDS,
    Gpu,
    GpuIssue,
    parse_rows,
    with_row_issues,
)
from sovdeck.remote.ssh.channel_reader import ChannelReader, ConnectionSource, retry_delay
from sovdeck.remote.ssh.remote_tail import clean_line

# nvidia-smi prints once a second; a GPU without a row for longer, while others have some, is gone.
_SILENT_TICKS = 5
_MAX_ISSUES = 20


@dataclass(frozen=True)
class MachineUsage:
    """The server outside its GPUs. Bytes; `cpu` in percent of all cores since the last sample.

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
class TelemetrySample:
    """All values at one moment; `t` is the laptop's Unix time when they arrived, in ms."""

    t: int
    gpus: tuple[Gpu, ...]
    gpu_issues: tuple[GpuIssue, ...]
    machine: MachineUsage
    source: str  # "nvidia-smi" | "proc"


class TelemetryParser:
    """Turns the output of telemetry.sh into samples. Pure: the caller gives the time."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: tuple[str, ...] = GPU_FIELDS
        self._gpus: dict[str, Gpu] = {}
        self._seen: dict[str, int] = {}
        self._issues: tuple[GpuIssue, ...] = ()
        self._machine = MachineUsage()
        self._jiffies: tuple[int, int] | None = None
        self._ticks = 0

    def feed(self, data: bytes, t: int) -> TelemetrySample | None:
        """Return the sample after `data`, or None when it completed no value.

        t: Unix time in milliseconds.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        rows: list[str] = []
        changed = False
        for raw in lines:
            line = clean_line(raw)
            if not line.startswith("@"):
                rows.append(line)
                continue
            changed = self._add_rows(rows) or changed
            rows.clear()
            changed = self._apply_line(line) or changed
        changed = self._add_rows(rows) or changed
        if not changed:
            return None
        gpus = tuple(sorted(self._gpus.values(), key=lambda gpu: gpu.index or 0))
        source = "nvidia-smi" if gpus else "proc"
        return TelemetrySample(t, gpus, with_row_issues(gpus, self._issues), self._machine, source)

    def _add_rows(self, rows: list[str]) -> bool:
        if not rows:
            return False
        # Reading part of a sample shows gaps that are none, so gaps are judged on the whole.
        reading = parse_rows("\n".join(rows), self._fields)
        for gpu in reading.gpus:
            self._gpus[gpu.key] = gpu
            self._seen[gpu.key] = self._ticks
        self._add_issues(*reading.issues)
        return True

    def _apply_line(self, line: str) -> bool:
        word, _, rest = line.partition(" ")
        if word == "@sys":
            self._apply_machine_line(dict(pair.partition("=")[::2] for pair in rest.split()))
            return True
        if word == "@fields":
            self._fields = tuple(rest.split(","))
            self._issues = ()
        elif word == "@smi":
            # Its issues before it ended are kept, or else at least that it ended.
            self._gpus.clear()
            if rest == "absent":
                self._issues = (GpuIssue("remote.gpu.not_installed"),)
            elif not self._issues:
                self._issues = (GpuIssue("remote.gpu.smi_ended", rest.removeprefix("ended ")),)
            return True
        return False

    def _apply_machine_line(self, values: Mapping[str, str]) -> None:
        self._ticks += 1
        silent = [k for k in self._gpus if self._ticks - self._seen[k] > _SILENT_TICKS]
        if len(silent) < len(self._gpus):
            for key in silent:
                gone = self._gpus.pop(key)
                self._add_issues(GpuIssue("remote.gpu.gpu_missing", gpu=gone.index))
        self._machine, self._jiffies = _machine_usage(values, self._machine, self._jiffies)

    def _add_issues(self, *issues: GpuIssue) -> None:
        self._issues = tuple(dict.fromkeys([*self._issues, *issues]))[:_MAX_ISSUES]


def _machine_usage(
    values: Mapping[str, str], before: MachineUsage, jiffies: tuple[int, int] | None
) -> tuple[MachineUsage, tuple[int, int] | None]:
    def whole_number(name: str, unit: int = 1) -> int | None:
        value = parse_whole_number(values.get(name))
        return None if value is None else value * unit

    total, free = whole_number("mem_total_kb", 1024), whole_number("mem_available_kb", 1024)
    used = total - free if total is not None and free is not None else None
    source = "proc"
    limit, cgroup_used = whole_number("cgroup_limit"), whole_number("cgroup_used")
    # "max" and version 1's huge number both mean: no limit of its own.
    if limit is not None and cgroup_used is not None and (total is None or limit < total):
        cache = whole_number("cgroup_cache") or 0
        total, used, source = limit, max(0, cgroup_used - cache), "cgroup"
    busy, idle = whole_number("cpu_busy"), whole_number("cpu_idle")
    now = (busy, idle) if busy is not None and idle is not None else None
    cpu = None
    if now is not None and jiffies is not None:
        spent, waited = now[0] - jiffies[0], now[1] - jiffies[1]
        if spent >= 0 and waited >= 0 and spent + waited > 0:
            cpu = 100.0 * spent / (spent + waited)
    try:
        load = float(values.get("load", ""))
    except ValueError:
        load = None
    machine = MachineUsage(
        total,
        used,
        source,
        cpu,
        load,
        # measured only every 15 seconds
        whole_number("disk_total_kb", 1024) or before.disk_total,
        whole_number("disk_free_kb", 1024) if "disk_free_kb" in values else before.disk_free,
    )
    return machine, now


def issue_text(issue: GpuIssue) -> Text:
    """Return the issue as a sentence for a banner."""
    number = "" if issue.gpu is None else f" {issue.gpu}"
    return text(issue.code, gpu=number, detail=issue.detail)


class TelemetryStream:
    """Follows one server's telemetry; `close()` may be called from any thread."""

    def __init__(
        self,
        connection_source: ConnectionSource,
        work: str,
        *,
        wait: Callable[[int], float] = retry_delay,
    ) -> None:
        self._reader = ChannelReader(connection_source, wait)
        self._work = work

    def close(self) -> None:
        """End `samples`."""
        self._reader.close()

    def samples(self) -> Iterator[TelemetrySample]:
        """Yield about one sample a second while the server can be reached.

        Raises the Problem of the connection source when the server refuses us.
        """
        arguments = (",".join(GPU_FIELDS), ",".join(MINIMAL_GPU_FIELDS), self._work)
        failures = 0
        while not self._reader.closed:
            try:
                reader = TelemetryParser()
                argv = ["sh", "-c", read_script("telemetry.sh"), "telemetry", *arguments]
                with self._reader.open(argv) as stream:
                    while data := stream.read():
                        failures = 0
                        sample = reader.feed(data, int(time.time() * 1000))
                        if sample is not None:
                            yield sample
            except Problem as problem:
                if problem.exit_code is not ExitCode.UNREACHABLE:
                    raise
            self._reader.wait_before_retry(failures)
            failures += 1
