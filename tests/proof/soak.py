"""A server is watched for long: memory, threads and descriptors stay what they are."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from laptop import Laptop, deployed_laptop
from report import Outcome
from servers import start_embedded

from benchmarks.pty_driver import PtyProgram

EVENTS_A_SECOND = 10
MOST_CPU_PERCENT = 10.0
WARM_UP_S = 20.0  # connections, screens and threads of the first look
# After warm-up: what a curve of its own may take, and the noise of a measurement.
MOST_GROWTH_MB_A_MINUTE, NOISE_MB = 0.1, 8.0


class Writer:
    """Appends events of a run as an engine does, until it is told to end."""

    def __init__(self, work: Path) -> None:
        run = work / "runs" / "20260101-000000-tiny"
        run.mkdir(parents=True)
        (run / "spec.json").write_text(json.dumps({"run": run.name, "voice": "Tiny"}))
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        start = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
        mine = f'"pid":{os.getpid()},"start":{start}'
        pid = (
            f'{{"attempt":1,{mine},"boot":"{boot}","child":{os.getpid()},"child_start":{start}}}\n'
        )
        (run / "pid.json").write_text(pid)
        self._run, self._over = run, threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        head = {"v": 1, "t": 1, "run": self._run.name, "attempt": 1, "stage": "gpt"}
        with (self._run / "events.jsonl").open("a") as file:
            seq = 0
            while not self._over.wait(1 / EVENTS_A_SECOND):
                step = {"type": "step", "step": seq, "total": 10**6, "losses": {"total": 1.0}}
                file.write(json.dumps({**head, "seq": seq, **step}) + "\n")
                file.flush()
                seq += 1
                (self._run / "beat").touch()

    def end(self) -> None:
        self._over.set()
        self._thread.join()


def sample(program: PtyProgram) -> tuple[float, int, int]:
    """(MB of memory, threads, descriptors) of the program."""
    process = psutil.Process(program.pid)
    return process.memory_info().rss / 2**20, process.num_threads(), process.num_fds()


def watch(
    label: str, start: Callable[[], PtyProgram], word: str, seconds: float, outcome: Outcome
) -> None:
    """Run a program, let it warm up, and hold the two ends of `seconds` together."""
    with start() as program:
        program.wait_for(word, 90.0)
        end = time.monotonic() + max(WARM_UP_S, seconds / 10)
        while time.monotonic() < end:
            program.pump(0.2)
        before, cpu, began = sample(program), program.cpu(), time.monotonic()
        while time.monotonic() < began + seconds:
            program.pump(0.2)
        after, passed = sample(program), time.monotonic() - began
        outcome.trials += 1
        percent = (program.cpu() - cpu) / passed * 100
        assert program.exit_code() is None, program.text[-500:]
    most = NOISE_MB + MOST_GROWTH_MB_A_MINUTE * passed / 60
    if after[0] - before[0] > most:
        outcome.failures.append(f"{label}: {before[0]:.1f} MB became {after[0]:.1f} MB")
    for name, one, other in zip(("threads", "descriptors"), before[1:], after[1:], strict=True):
        if other > one + 2:
            outcome.failures.append(f"{label}: {one} {name} became {other}")
    if percent > MOST_CPU_PERCENT and passed > 60:  # before that its start is most of it
        outcome.failures.append(f"{label}: {percent:.0f} % of a core")


def soak(trials: int, seed: int, folder: Path) -> Outcome:
    """`ps --watch` and the dashboard for `trials` seconds in all."""
    outcome, place = Outcome(), start_embedded(folder / "server")
    try:
        laptop: Laptop = deployed_laptop(place, folder)
        writer = Writer(laptop.work)
        try:
            half = trials / 2
            watch("ps --watch", lambda: laptop.on_terminal("ps", "--watch"), "tiny", half, outcome)
            watch("dashboard", laptop.on_terminal, "box", half, outcome)
        finally:
            writer.end()
    finally:
        place.process.close()
    return outcome
