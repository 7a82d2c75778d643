"""What a station took: CPU-seconds and peak memory of all its processes, and disk."""

from __future__ import annotations

import math
import os
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_INTERVAL_S = 0.25


@dataclass
class Station:
    """One stop of the trip. Seconds, bytes; `planned` says what was promised beforehand."""

    name: str
    wall: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    disk: int = 0
    planned: str = ""
    notes: list[str] = field(default_factory=list)


class ProcessMeter:
    """Follows every process that works in the trip's folder or whose command line names it."""

    def __init__(self, folder: Path) -> None:
        self._mark = str(folder)
        self._cpu: dict[tuple[int, float], float] = {}
        self._ours: dict[tuple[int, float], bool] = {}
        self._history: list[tuple[float, float]] = [(0.0, 0.0)]  # Unix time, CPU-seconds so far
        self._peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> ProcessMeter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def cpu_seconds(self) -> float:
        """CPU-seconds of all processes seen so far."""
        self._look()
        return sum(self._cpu.values())

    def cpu_between(self, start_ms: float, end_ms: float) -> float:
        """CPU-seconds between two Unix times in milliseconds."""

        def until(moment: float) -> float:
            return self._history[bisect_right(self._history, (moment / 1e3, math.inf)) - 1][1]

        return until(end_ms) - until(start_ms)

    def take_peak(self) -> int:
        """The largest memory of all processes together since the last call."""
        self._look()
        peak, self._peak = self._peak, 0
        return peak

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL_S):
            self._look()

    def _look(self) -> None:
        memory = 0
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                key = (process.pid, process.create_time())
                if key not in self._ours:
                    self._ours[key] = self._is_ours(process)
                if not self._ours[key]:
                    continue
                times = process.cpu_times()
                self._cpu[key] = times.user + times.system
                memory += process.memory_info().rss
        self._peak = max(self._peak, memory)
        self._history.append((time.time(), sum(self._cpu.values())))

    def _is_ours(self, process: psutil.Process) -> bool:
        if process.pid == os.getpid():
            return False
        words = [process.cwd(), *process.cmdline()]
        return any(self._mark in word for word in words)


@contextmanager
def measured(
    name: str, meter: ProcessMeter, folder: Path, table: list[Station]
) -> Iterator[Station]:
    """Measure what is done inside, and append it to the table also when it fails."""
    station = Station(name)
    table.append(station)
    disk, cpu, started = folder_bytes(folder), meter.cpu_seconds(), time.monotonic()
    meter.take_peak()
    try:
        yield station
    finally:
        station.wall = time.monotonic() - started
        station.cpu = meter.cpu_seconds() - cpu
        station.memory = meter.take_peak()
        station.disk = folder_bytes(folder) - disk


def folder_bytes(folder: Path) -> int:
    """Bytes of the files below a folder that others may be writing to."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() and not path.is_symlink() else 0
    return total


def format_table(table: list[Station]) -> str:
    """The table as text, one line a station."""
    lines = [f"{'station':<24}{'wall s':>8}{'CPU s':>8}{'peak GB':>9}{'disk GB':>9}  planned"]
    for one in table:
        lines.append(
            f"{one.name:<24}{one.wall:>8.1f}{one.cpu:>8.1f}"
            f"{one.memory / 1e9:>9.2f}{one.disk / 1e9:>9.2f}  {one.planned}"
        )
        lines += [f"{'':<6}{note}" for note in one.notes]
    return "\n".join(lines)
